# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real connections are counted as what they are, beside proofs: an independent balancer (balancer.py) against the eBPF programs on this kernel."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import facts_of, probe_of
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide
from balancer import SERVER, Street
from ebpf_stage import EbpfStage

NOTE = "/run/realip-toa/traffic.json"
SENDERS = """
balancer = Sender(["100.64.3.%d" % n for n in range(1, 9)], lambda c: v4(200, c))
switched_off = Sender(["100.64.3.9"], lambda c: b"", [])
other_kind = Sender(["100.64.3.10"], lambda c: v4(254, c))
stranger = Sender(["198.51.100.66"], lambda c: v4(200, c))
visitor = Sender(["198.51.100.67"], lambda c: b"", [])
"""


class StagedStreet(Street):
    """One whose server runs on a stage, so that the programs see its connections."""

    def __init__(self, name: str, stage: EbpfStage) -> None:
        super().__init__(name, (80,))
        self.stage = stage

    def start(self) -> None:
        inside = ["ip", "netns", "exec", self.server, sys.executable, "-c", SERVER, *map(str, self.ports)]
        words = ["sh", "-c", 'echo $$ >"$0"/cgroup.procs; exec "$@"', str(self.stage.cgroup), *inside]
        self.holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout is not None and self.holder.stdout.readline() == "ready\n"

    def send(self, **counts: int) -> None:
        """So many connections of each sender."""
        player = self.begin(**counts)
        output = player.communicate()[0]
        assert player.returncode == 0, output

    def begin(self, pause: float = 0, **counts: int) -> subprocess.Popen[str]:
        play = SENDERS + f"time.sleep({pause})\n"
        for sender, count in counts.items():
            play += f"for n in range({count}):\n    assert wire.connect({sender}, n, 80)\n"
        return self.play(play)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[EbpfStage]:
    with EbpfStage(tmp_path) as stage:
        stage.ebpf(trusted_sources=["100.64.3.0/28"])
        yield stage


@pytest.fixture
def street(stage: EbpfStage) -> Iterator[StagedStreet]:
    with StagedStreet(f"toa-t{abs(hash(stage.address + str(stage.base))) % 100000}", stage) as street:
        yield street


def prove(stage: EbpfStage) -> dict[str, t.Any]:
    answer = stage.target("programs.plan", probe=True, probe_args={"option_kinds": ["200/8"]})
    assert answer["probe"]["verdict"] == "translating", answer["probe"]
    return answer


def reasons(stage: EbpfStage, *codes: str) -> list[dict[str, t.Any]]:
    """What a plan says under these codes."""
    answer = prove(stage)
    policy = {"vendor": "tencent", "backends": ["ebpf"], "trusted_sources": ["100.64.3.0/28"]}
    plan = decide.decide(facts_of(answer["facts"]), policy, [], None, probe_of(answer["probe"]))
    return [item for item in plan["reasons"] if item["code"] in codes]


def age(stage: EbpfStage, hours: float) -> None:
    """As if all that is noted had been so long ago."""
    note = json.loads(stage.sh(f"cat {NOTE}"))
    for key in ("began", "looked", "last"):
        note[key] = note[key] and note[key] - hours * 3600
    stage.put(NOTE, json.dumps(note), 0o600)


def test_connections_are_counted_as_what_they_are(stage: EbpfStage, street: StagedStreet) -> None:
    prove(stage)
    street.send(balancer=30, stranger=3, visitor=5)
    for _again in range(3):
        told = prove(stage)["facts"]["traffic"]
        assert (told["translated"], told["connections"], told["idle"]) == (30, 30, False), told
        assert (told["others"]["untrusted"], told["others"]["no_option"]) == (3, 5), told
    street.send(switched_off=2, other_kind=1, balancer=1)
    told = prove(stage)["facts"]["traffic"]
    assert (told["translated"], told["connections"]) == (31, 34), told
    (item,) = reasons(stage, "traffic", "idle")
    assert item["message"].startswith("ebpf: 31 of 34 connections from the load balancer since 20"), item
    # What is counted goes on with other settings.
    stage.ebpf(kinds=["200/8", "254/8"], trusted_sources=["100.64.3.0/28"])
    street.send(other_kind=4)
    told = prove(stage)["facts"]["traffic"]
    assert (told["translated"], told["connections"]) == (35, 38), told
    counters = stage.target("programs.facts")["counters"]
    assert counters["ebpf_kind_254"] >= 4 and counters["ebpf_kind_200"] >= 31


@pytest.mark.parametrize(
    ("sent", "words", "remedy"),
    [
        ({}, "no connection came at all", "has this host in its pool"),
        ({"stranger": 2}, "2 connections carried an option from a source that is not trusted", "toa_trusted_sources"),
        ({"switched_off": 1}, "1 connection carried none that is read here", "switch for client addresses"),
    ],
)
def test_idle_names_the_likely_cause(
    stage: EbpfStage, street: StagedStreet, sent: dict[str, int], words: str, remedy: str
) -> None:
    prove(stage)
    street.send(**sent)
    assert not reasons(stage, "idle")
    age(stage, 5)
    (item,) = reasons(stage, "idle")
    assert item["severity"] == "warning" and "for 5 hours: " + words in item["message"], item
    assert remedy in item["remedy"], item
    street.send(balancer=1)
    assert not reasons(stage, "idle")


def test_waiting_for_a_client(stage: EbpfStage, street: StagedStreet) -> None:
    """It ends with the first one, and without one at its time."""
    street.send(balancer=2)
    prove(stage)
    recorded = stage.target("programs.monitor", state="recorded", proved={"backend": "ebpf", "runs_programs": True})
    assert not recorded.get("failed"), recorded
    street.send(stranger=2)
    waited = stage.target("programs.traffic", seconds=2)
    assert waited["seen"] is False and waited["traffic"]["others"]["untrusted"] == 2, waited
    stage.target("programs.monitor", state="recorded", proved={"backend": "ebpf", "runs_programs": True})
    player = street.begin(pause=1, balancer=1)
    waited = stage.target("programs.traffic", seconds=60)
    assert waited["seen"] is True and waited["traffic"]["translated"] == 3, waited
    assert player.wait(30) == 0
