# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strangers against real programs and real ways to a program: Redis, which answers the host itself, and a node that sends connections on to another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.realip.toa.plugins.module_utils.testbench.forgeries import areas
from ebpf_matrix import option_of
from ebpf_stage import EbpfStage
from sshd import ROOT
from test_docs import blocks
from test_option_filter import FLAVOURS, OptionFilterStage

FOLDER = "/var/lib/realip-toa/option-filter"
GUIDE = ROOT / "docs" / "guides" / "kubernetes.md"


@pytest.fixture
def stage(tmp_path: Path) -> t.Iterator[OptionFilterStage]:
    with OptionFilterStage(tmp_path) as stage:
        yield stage


# ---- the Kubernetes guide


def guide() -> list[str]:
    """The networks that the guide says to trust: the load balancers' and the nodes'."""
    return next(
        found["toa_trusted_sources"]
        for text in blocks(GUIDE, "yaml")
        if "toa_trusted_sources" in (found := yaml.safe_load(text))
    )


def one_in(network: str, number: int) -> str:
    return network.partition("/")[0].rpartition(".")[0] + f".{number}"


CROWD = [area.hex() for _name, area in areas(bytes.fromhex(option_of("200/8")))]


@pytest.mark.parametrize("flavour", [*FLAVOURS, "none"])
def test_the_kubernetes_guide_lets_nobody_forge(stage: OptionFilterStage, flavour: str) -> None:
    """A stranger at a node port: the pod's own node sees the first node's address, which it has to trust. Only the first node can tell."""
    balancers, nodes = guide()
    stage.sh(FLAVOURS.get(flavour, ""))
    assert not stage.ebpf(trusted_sources=[balancers, nodes]).get("failed")
    if flavour != "none":
        assert not stage.option_filter(trusted_sources=[balancers, nodes]).get("failed")
    stranger, balancer = "198.51.100.9", one_in(balancers, 10)
    genuine = {"ack": option_of("200/8")}
    cases: list[tuple[str, dict[str, str]]] = [(balancer, genuine), (balancer, {}), (stranger, {}), (stranger, genuine)]
    if flavour != "none":
        cases += [(stranger, {"ack": area}) for area in CROWD] + [
            (stranger, {packet: option_of("200/8") * 2}) for packet in ("syn", "data")
        ]
    first, second = one_in(nodes, 1), one_in(nodes, 2)
    seen = stage.target("forwarding", nodes=[first, second], filter="" if flavour == "none" else FOLDER, cases=cases)[
        "rows"
    ]
    assert seen[0] == ["203.0.113.7:4242"] * 2, "the load balancer's word gets through both nodes"
    assert all(told.startswith(first + ":") for row in seen[1:3] for told in row)
    forged = [told for row in seen[3:] if row for told in row]
    if flavour == "none":
        assert forged == ["203.0.113.7:4242"] * 2, (
            "without the option filter on the first node this test would find the stranger's word believed"
        )
    else:
        assert forged and all(told.startswith(first + ":") for told in forged)


# ---- Redis

LOOPBACK = "c80810927f000001"


def test_redis_answers_nobody_who_says_he_is_the_host(stage: OptionFilterStage) -> None:
    """Protected mode lets 127.0.0.1 in. Before the choice had to be made, that was whoever wrote it into an option."""
    cases = [("198.51.100.9", ""), ("198.51.100.9", LOOPBACK), ("198.51.100.9", LOOPBACK * 2), ("192.0.2.2", LOOPBACK)]
    stage.ebpf(trusted_sources=["192.0.2.0/24"])
    assert all(said.startswith("-DENIED") for said in stage.target("protected", cases=cases)["rows"])
    stage.ebpf("detached")
    stage.receiver()
    assert stage.target("protected", cases=cases[1:2])["rows"][0].startswith("*2"), (
        "a receiver that trusts everybody gives Redis away"
    )
    stage.option_filter()
    assert all(said.startswith("-DENIED") for said in stage.target("protected", cases=cases[:3], filter=FOLDER)["rows"])


# ---- an option filter that changes, or that somebody takes away


class Stranger:
    """Somebody who keeps on trying from the moment that the option filter stands."""

    def __init__(self, stage: OptionFilterStage) -> None:
        self.stage = stage
        self.program = stage.base / "stranger.py"
        self.until, self.begun = stage.base / "until", stage.base / "begun"
        self.program.write_text(stage.program("stranger", until=str(self.until), begun=str(self.begun)))

    def __enter__(self) -> Stranger:
        self.process = subprocess.Popen(self.stage.command("python3", self.program), stdout=subprocess.PIPE, text=True)
        wait_until(self.begun.exists)
        return self

    def __exit__(self, *unused: object) -> None:
        self.until.touch()
        said = self.process.communicate(timeout=60)[0]
        self.counts = json.loads(said[said.index("{") : said.rindex("}") + 1])


def wait_until(true: t.Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def test_no_change_has_a_moment_in_which_strangers_are_believed(stage: OptionFilterStage) -> None:
    """Other networks, ports, kinds, another firewall, and a change that fails half-way: and no packet is lost."""
    changes: list[dict[str, t.Any]] = [
        {"trusted_sources": ["192.0.2.0/25"]}, {"ports": [80, 443]}, {"ports": []}, {"kinds": [200]}, {"method": "iptables"},
        {"method": "iptables", "ports": [80], "trusted_sources": ["2001:db8:0:1::/64"]}, {"method": "nft"}, {"method": "iptables"}, {"method": "nft"},
    ]  # fmt: skip
    assert not stage.option_filter(method="nft").get("failed")
    with Stranger(stage) as stranger:
        for change in changes:
            answer = stage.option_filter(**change)
            assert answer.get("changed"), answer
        # From here on nothing can be loaded with iptables, but for the trial.
        here = stage.sh("readlink /proc/self/ns/net").strip()
        stage.sh("cp -P /usr/sbin/xtables-nft-multi /run/iptables-restore")
        stage.put(
            "/usr/sbin/iptables-restore",
            f'#!/bin/sh\n[ "$(readlink /proc/self/ns/net)" != "{here}" ] || exit 1\nexec /run/iptables-restore "$@"\n',
            0o755,
        )
        assert stage.option_filter(method="iptables")["code"] == "option_filter_not_loaded"
        assert stage.option_filter("status")["after"]["active"]
    assert stranger.counts["sent"] > 1000 and stranger.counts["through"] == stranger.counts["lost"] == 0, (
        stranger.counts
    )


def test_the_proof_of_a_rollout_finds_a_careless_filter(stage: OptionFilterStage) -> None:
    """Rules that take the first option of a kind only: one forged option proves nothing, and the proof sends the worst of them."""
    stage.receiver()
    stage.option_filter(method="nft")
    assert stage.proof(option_filter=True)["verdict"] == "translating"
    rules = stage.sh(f"cat {FOLDER}/rules.nft")
    start = rules.index("chain again {") + len("chain again {")
    stage.put(f"{FOLDER}/rules.nft", rules[:start] + "\n" + rules[rules.index("}", start) :])
    proof = stage.proof(option_filter=True)
    assert proof["verdict"] == "partial" and "spoof twice" in proof["reason"], proof["reason"]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_what_somebody_flushes_comes_back_by_itself(stage: OptionFilterStage, flavour: str) -> None:
    """`nft flush ruleset` and its kin go past systemd, which cannot propagate them; the watch sees them."""
    stage.sh(FLAVOURS[flavour])
    stage.option_filter()
    watch = subprocess.Popen(stage.command("sh", f"{FOLDER}/filter.sh", "watch"))
    try:
        flushes = (
            ["nft flush ruleset", "nft delete table inet realip_toa"]
            if flavour == "nft"
            else ["iptables -t mangle -F", "iptables -t mangle -F PREROUTING; ip6tables -t mangle -F"]
        )
        for flush in flushes:
            assert stage.option_filter("status")["after"]["active"]
            # The watch may have to begin first.
            wait_until(
                lambda flush=flush: (
                    "realip_toa" not in stage.sh(f"{flush}; nft list tables 2>/dev/null") or flavour != "nft"
                )
            )
            wait_until(lambda: stage.option_filter("status")["after"]["active"], 45)
    finally:
        # As systemd ends a unit: whatever is in its cgroup.
        procs = stage.cgroup / "cgroup.procs"
        for pid in procs.read_text().split():
            os.kill(int(pid), signal.SIGTERM)
        watch.wait()
        wait_until(lambda: not procs.read_text())


# ---- a host whose programs or rules are lost


def test_nobody_is_trusted_by_accident_on_the_host_itself(tmp_path: Path) -> None:
    """toa_ebpf without a list and without `all`: refused where there is none, else the list that is in force, or was before the programs went."""
    with EbpfStage(tmp_path) as stage:
        refused = stage.ebpf(trusted_sources=None)
        assert refused["failed"] and refused["code"] == "spoofable" and stage.programs() == {}
        stage.ebpf(trusted_sources=["10.0.0.0/8"])
        assert stage.ebpf(trusted_sources=None, kinds=["254/8"])["after"]["trusted_sources"] == ["10.0.0.0/8"]
        stage.detach_by_hand()
        assert stage.ebpf(trusted_sources=None)["after"]["trusted_sources"] == ["10.0.0.0/8"]
        assert stage.target("programs.facts")["ebpf"]["trusted_sources"] == ["10.0.0.0/8"]
        stage.ebpf(trusted_sources=[])
        stage.detach_by_hand()
        assert stage.ebpf(trusted_sources=None)["code"] == "spoofable", "who took the list away has to choose again"
