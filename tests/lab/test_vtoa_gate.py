# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vtoa on Alibaba Cloud Linux 3: which kernels may have it and what they give, what stands in its way, and that nothing of it is left.

Each test needs the one before.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle
from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import facts_of
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner
from conftest import LAB, ROOT, TARGET
from other_kernels import OtherKernels

from lab import disks, kernels

HOST = "alinux3"
# A kernel for each rule of the document, booted on copies of the host.
COPIES = {
    "older": "5.10.134-14.1.al8.x86_64",
    "getpeername": "5.10.134-16.3.al8.x86_64",
    "debug": "5.10.134-18.al8.x86_64+debug",
    "anolis": "5.10.134-15.an8.x86_64",
}
V4, V6 = "203.0.113.7", "2001:db8::7"
# 4242 and 203.0.113.7, or 2001:db8::7, after kind and length.
V4_BYTES, V6_BYTES = "1092cb007107", "109220010db8000000000000000000000007"
# Formats of other products, and the documented ones with a length that is not theirs.
OTHER_SHAPES = (
    f"c808{V4_BYTES}",
    f"fd08{V4_BYTES}",
    f"fe14{V6_BYTES}",
    f"fa08{V4_BYTES}",
    "fe06109203cb",
    "fd0610922001",
    "1c0701cb00710701",
    f"fe28{V4_BYTES}",
)


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    made = OtherKernels((HOST,), tmp_path_factory.mktemp("vtoa"))
    made.command("up", HOST)
    made.reset()
    try:
        made.boot(COPIES)
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def before(gate):
    return disks.look(HOST)


def by_host(report):
    return {entry["host"]: entry for entry in report["hosts"]}


def shown(rows):
    """(listener, option) -> what accept(), getpeername() and getsockopt(1348) said when it came on the handshake's last packet."""
    return {
        (row["listener"], row["kind"]): (row["accept"], row["getpeername"], row.get("getsockopt_1348"))
        for row in rows
        if row["packet"] == "ack"
    }


def service(gate, state):
    words = [
        str(Path(sys.executable).with_name("ansible")),
        "-i",
        str(gate.inventory),
        HOST,
        "-m",
        "realip.toa.toa_service",
        "-a",
        f"state={state}",
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.partition("=>")[2])


def in_a_container(gate, entry, **args):
    """What a target module answers in namespaces of its own, as a container's program has them, below an init that was told so."""
    program = bundle.build(entry, (str(TARGET),)).render({"check": False, **args}, "lab", 300)
    inside = "env container=podman unshare --net --pid --mount --uts --ipc --fork --mount-proc sh -c 'ip link set lo up; python3 -; exit'"
    done = subprocess.run([str(LAB), "ssh", HOST, inside], input=program, capture_output=True, timeout=600, check=True)
    return json.loads(done.stdout.partition(b"@realip-toa lab ")[2].split(b" ", 1)[1].partition(b" @end lab")[0])


def test_which_kernels_may_have_it(gate, before):
    assert {name: gate.one_line(name, "uname -r") for name in gate.hosts} == {HOST: "5.10.134-18.al8.x86_64", **COPIES}
    code, report, output = gate.playbook("realip.toa.plan")
    assert code == 0, output
    entries = by_host(report)
    assert {name: (entry["state"], entry["backend"]) for name, entry in entries.items()} == {
        HOST: ("pending", "vtoa"),
        "getpeername": ("pending", "vtoa"),
        **dict.fromkeys(("older", "debug", "anolis"), ("pending", "ebpf")),
    }
    assert entries[HOST]["capabilities"] == {"getpeername": True, "getsockopt_1348": True, "ipv6": True}
    assert entries["getpeername"]["capabilities"] == {"getpeername": True, "getsockopt_1348": False, "ipv6": True}
    for name, reason in (("older", "kernel_too_old"), ("debug", "debug_kernel"), ("anolis", "wrong_dist_tag")):
        assert ("vtoa", reason) in {(told["backend"], told["code"]) for told in entries[name]["reasons"]}, entries[name]


def test_both_calls_or_the_one(gate, before):
    gate.install_kernel("getpeername", COPIES["getpeername"])
    boots = {name: gate.one_line(name, "cat /proc/sys/kernel/random/boot_id") for name in (HOST, "getpeername")}
    code, report, output = gate.playbook("rollout.yml", HOST, "getpeername")
    assert code == 0, output
    for name, entry in by_host(report).items():
        assert (entry["state"], entry["verdict"]) == ("proved", "translating"), entry
        assert gate.one_line(name, "cat /proc/sys/kernel/random/boot_id") == boots[name], "vtoa needs no reboot"
        asked = (f"{V4}:4242", f"[{V6}]:4242") if name == HOST else (None, None)
        rows = shown(entry["probe"]["matrix"])
        assert rows["inet", "254/8"] == (f"{V4}:4242", f"{V4}:4242", asked[0])
        assert rows["inet6", "254/8"] == (f"[::ffff:{V4}]:4242", f"[::ffff:{V4}]:4242", asked[0])
        assert rows["inet6", "253/20"] == (f"[{V6}]:4242", f"[{V6}]:4242", asked[1])
        assert gate.one_line(name, "systemctl is-enabled vtoa; systemctl is-active vtoa").split() == [
            "enabled",
            "active",
        ]


def test_an_ipv6_client_on_an_ipv4_socket_and_options_of_other_shapes(gate, before):
    cases = [
        [f"fd14{V6_BYTES}", "ack", "inet", 4, "", ""],
        *([option, "ack", "inet6", 4, "", ""] for option in OTHER_SHAPES),
    ]
    first, *others = gate.target(HOST, "crafted", cases=cases, between=[])["rows"]
    assert first[:3] == [f"[{V6}]:4242"] * 3
    assert all(row[:3] == [f"[::ffff:192.0.2.2]:{row[3]}"] * 2 + [None] and not row[4] for row in others), others


def test_a_container_on_the_host_has_it_and_may_not_install_it(gate, before):
    found = in_a_container(gate, "programs.probe", option_kinds=["254/8", "253/20"])["probe"]
    assert found["verdict"] == "translating" and found["capabilities"] == {
        "getpeername": True,
        "getsockopt_1348": True,
        "ipv6": True,
    }
    inside = facts_of(in_a_container(gate, "programs.facts"))
    plan = planner.decide(inside, {"trusted_sources": "all"}, catalog.load())
    assert (inside["container"], plan["state"], [told["code"] for told in plan["reasons"]]) == (
        "podman",
        "blocked",
        ["inside_container"],
    )
    assert "install on the host" in plan["remedy"]
    assert facts_of(gate.target(HOST, "programs.facts"))["container"] == ""


def test_the_service(gate, before):
    def look():
        return gate.target(HOST, "programs.probe", option_kinds=["254/8"], rows="none")["probe"]["verdict"]

    for state, after, verdict in (
        ("stopped", (False, True), "absent"),
        ("disabled", (False, False), "absent"),
        ("started", (True, False), "translating"),
        ("enabled", (True, True), "translating"),
        ("restarted", (True, True), "translating"),
        ("status", (True, True), "translating"),
    ):
        answer = service(gate, state)
        assert answer["changed"] == (state != "status"), answer
        assert (answer["after"]["active"], answer["after"]["enabled"]) == after, answer
        assert look() == verdict
    assert not service(gate, "started")["changed"]


def test_what_gets_in_its_way(gate, before):
    def told():
        (entry,) = gate.playbook("realip.toa.plan", HOST)[1]["hosts"]
        return entry["state"], {(reason["code"], reason["severity"]): reason["message"] for reason in entry["reasons"]}

    gate.ssh(
        HOST,
        "mkdir -p /run/cilium/cgroupv2 && mount -t cgroup2 none /run/cilium/cgroupv2 && mkdir /run/cilium/cgroupv2/pods",
    )
    gate.target(
        HOST, "foreign_program", cgroup="/run/cilium/cgroupv2/pods", name="cil_sock4_getpe", hook="getpeername4"
    )
    state, reasons = told()
    assert state == "blocked" and "cil_sock4_getpe" in reasons["conflict_ebpf_getpeername", "block"]
    assert "/run/cilium" in reasons["cilium_present", "warning"]
    gate.ssh(HOST, "rmdir /run/cilium/cgroupv2/pods && umount /run/cilium/cgroupv2 && rm -r /run/cilium")

    gate.put(HOST, "/run/toa.ko", (kernels.ensure("5.10.134-18.al8.x86_64").modules / "toa.ko").read_bytes())
    gate.ssh(HOST, "insmod /run/toa.ko")
    state, reasons = told()
    gate.ssh(HOST, "rmmod toa; rm /run/toa.ko")
    assert state == "blocked" and "another TOA module is loaded: toa;" in reasons["conflict_toa_module", "block"]


def test_a_second_run_finds_nothing_to_do(gate, before):
    gate.ssh(HOST, "touch /run/second")
    code, report, output = gate.playbook("rollout.yml", HOST)
    assert code == 0, output
    assert report["hosts"][0]["state"] == "converged" and "changed=0" in output
    assert disks.written_since(HOST, "/run/second") == []


def test_remove_leaves_nothing(gate, before):
    code, report, output = gate.playbook("realip.toa.remove", HOST)
    assert code == 0, output
    assert report["hosts"][0]["state"] == "removed"
    assert "vtoa" not in gate.ssh(HOST, "rpm -qa; lsmod; ls /proc/net")
    after = disks.look(HOST)
    assert disks.differences(before, after) == {}
