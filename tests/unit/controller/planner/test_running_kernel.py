# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backends for the running kernel: in-tree modules, vtoa, eBPF, and the order of preference."""

from __future__ import annotations

import pytest

from tests.unit.controller.planner.cases import (
    ALINUX3,
    DEBIAN12,
    attached_ebpf,
    codes,
    decide,
    host,
    module,
    place,
    proof,
)


def test_in_tree():
    absent = decide(host(*DEBIAN12), backends=["in_tree"])
    assert absent["state"] == "unsupported" and codes(absent) == {("in_tree", "no_module")}
    there = host(*DEBIAN12, modules=[module("hookers"), module(loaded=False, live=False)])
    plan = decide(there, vendor="huawei")
    assert (plan["state"], plan["backend"], plan["option_kinds"]) == ("pending", "in_tree", ["254/8"])
    assert ("in_tree", "option_kinds_unknown") in codes(decide(there), "warning")
    assert decide(host(*DEBIAN12, modules=[module()], persistence=[place()]), proof("translating", ["254/8"]))[
        "option_kinds"
    ] == ["254/8"]
    cdn = decide(host(*DEBIAN12, modules=[module("tcp_toa", loaded=False)]), vendor="tencent")
    assert cdn["backend"] == "ebpf" and ("in_tree", "option_kind_mismatch") in codes(cdn, "info")


def test_a_dead_in_tree_module_leaves_ebpf():
    known = host(*DEBIAN12, modules=[module(live=False)])
    plan = decide(known, backends=["in_tree"])
    assert codes(plan, "block") == {("in_tree", "module_inert")}


def test_unsigned_modules_and_secure_boot():
    there = [module(file="/lib/modules/x/extra/toa.ko", loaded=False, live=False)]
    plan = decide(host(*DEBIAN12, modules=there, security={"secure_boot": True}), vendor="huawei", backends=["in_tree"])
    assert codes(plan, "block") == {("in_tree", "secure_boot_unsigned")}
    signed = [module(file="/lib/modules/x/extra/toa.ko", loaded=False, live=False, signers=["Debian Secure Boot CA"])]
    known = host(*DEBIAN12, modules=signed, security={"secure_boot": True, "trusted_keys": ["Debian Secure Boot CA"]})
    assert decide(known, vendor="huawei", backends=["in_tree"])["state"] == "pending"


def test_vtoa():
    service = {"name": "vtoa", "enabled": True, "active": True}
    up = {"service": service, "modules": [module("vtoa"), module("hookers")]}
    plan = decide(host(*ALINUX3, **up), proof("translating", ["254/8", "253/20"]))
    assert (plan["state"], plan["backend"], plan["option_kinds"]) == ("converged", "vtoa", ["254/8", "253/20"])
    assert decide(host(*ALINUX3, **{**up, "service": {**service, "active": None}}))["state"] == "converged"
    stopped = decide(host(*ALINUX3, service={**service, "active": False, "enabled": False}))
    assert stopped["steps"][:2] == ["start vtoa", "enable vtoa at boot"] and ("vtoa", "service_stopped") in codes(
        stopped
    )
    assert decide(host(*ALINUX3))["steps"][0].startswith("install vtoa")
    by_hand = decide(host(*ALINUX3, modules=[module("vtoa")]))
    assert by_hand["state"] == "pending" and ("vtoa", "not_persistent") in codes(by_hand)
    assert decide(host(*ALINUX3, modules=[module("vtoa")], persistence=[place("vtoa")]))["state"] == "converged"
    dead = decide(host(*ALINUX3, service=service, modules=[module("vtoa", live=False)]))
    assert codes(dead, "block") == {("vtoa", "module_inert")}


def test_vtoa_reads_no_200():
    plan = decide(host(*ALINUX3), vendor="tencent", backends=["vtoa"])
    assert plan["state"] == "unsupported" and ("vtoa", "option_kind_mismatch") in codes(plan, "block")
    assert "toa_vendor" in plan["remedy"]
    assert decide(host(*ALINUX3), vendor="dpvs")["option_kinds"] == ["254/8", "254/20"]


def test_in_tree_does_not_take_vtoa_where_vtoa_refused_it():
    plan = decide(
        host("alinux-3", "5.10.134-18.al8.x86_64+debug", modules=[module("vtoa", loaded=False)]),
        backends=["vtoa", "in_tree"],
    )
    assert plan["state"] == "unsupported" and ("vtoa", "debug_kernel") in codes(plan, "block")


@pytest.mark.parametrize(
    "facts, policy, words",
    [
        ({"object": "0123456789ab"}, {}, "replace the eBPF programs"),
        ({"complete": False}, {}, "attach the eBPF programs for 200/8"),
        ({}, {"vendor": "huawei"}, "read 254/8 in place of 200/8, 253/20 and 254/8"),
        ({}, {"trusted_sources": ["10.0.0.0/8"]}, "take the option from 10.0.0.0/8 only"),
        (
            {"trusted_sources": ["10.0.0.0/8"]},
            {"trusted_sources": []},
            "trust all sources: take the list of networks away",
        ),
        ({}, {"ebpf_getsockopt": []}, "stop offering getsockopt(IPPROTO_IP, 1348)"),
        ({}, {"ebpf_getsockopt": [1348, 4096]}, "offer getsockopt(IPPROTO_IP, 4096)"),
        ({"bpftool": ""}, {}, "install bpftool"),
    ],
)
def test_ebpf_that_is_not_as_wanted_is_changed_and_not_judged(facts, policy, words):
    unit = place("ebpf", kind="systemd")
    now = host(*DEBIAN12, ebpf=attached_ebpf(**facts), persistence=[unit])
    plan = decide(now, proof("wrong_kind", ["200/8"]), **policy)
    assert (plan["state"], plan["backend"]) == ("pending", "ebpf") and plan["steps"][0].startswith(words)


def test_ebpf_without_bpftool_and_without_leave_to_install_it():
    assert codes(decide(host(*DEBIAN12), install=[]), "block") == {("ebpf", "bpftool_missing")}


def test_ebpf():
    plan = decide(host(*DEBIAN12))
    assert plan["capabilities"] == {"getpeername": True, "getsockopt_1348": True, "ipv6": True}
    assert plan["option_kinds"] == ["200/8", "254/8", "253/20"] and plan["module"] == "" and not plan["reboot"]
    assert decide(host(*DEBIAN12), vendor="f5")["option_kinds"] == ["28/7"]
    unit = place("ebpf", kind="systemd", path="/etc/systemd/system/realip-toa-ebpf.service")
    attached = host(*DEBIAN12, ebpf=attached_ebpf(), persistence=[unit])
    assert decide(attached, proof(kinds=["200/8", "254/8", "253/20"]))["state"] == "converged"
    tencent = host(*DEBIAN12, ebpf=attached_ebpf(option_kinds=["200/8"]), persistence=[unit])
    assert codes(decide(tencent, proof("inert"), vendor="tencent"), "block") == {("ebpf", "module_inert")}
    old = decide(host("debian-12", "5.9.0-1-amd64"))
    assert ("ebpf", "kernel_too_old") in codes(old, "block")
    no = decide(host(*DEBIAN12, ebpf={"possible": False, "reason": "locked down"}))
    assert ("ebpf", "ebpf_impossible") in codes(no, "block")


def test_ebpf_and_others_on_the_hooks():
    foreign = {"ebpf": {"foreign": [{"hook": "getpeername4", "id": 7, "name": "cil_sock4"}]}}
    plan = decide(host(*DEBIAN12, **foreign))
    assert (
        codes(plan, "block") == {("ebpf", "conflict_ebpf_getpeername")} and "cil_sock4" in plan["reasons"][0]["message"]
    )
    assert decide(host(*DEBIAN12, **foreign), accept=["conflicts"])["state"] == "pending"


def test_what_works_is_left_alone():
    attached = host(*ALINUX3, ebpf=attached_ebpf(cgroup2="/sys/fs/cgroup", possible=True, option_kinds=["200/8"]),
                    persistence=[place("ebpf", kind="systemd")])  # fmt: skip
    plan = decide(attached, proof(kinds=["200/8"]), vendor="tencent")
    assert (plan["state"], plan["backend"]) == ("converged", "ebpf")


def test_order_of_preference_is_the_operators():
    known = host(*DEBIAN12, modules=[module(loaded=False)])
    assert decide(known, vendor="tencent")["backend"] == "in_tree"
    assert decide(known, vendor="tencent", backends=["ebpf", "in_tree"])["backend"] == "ebpf"
    assert decide(known, vendor="tencent", backends=["kernel_package", "ebpf"])["backend"] == "ebpf"


def test_a_hook_that_somebody_holds_alone_blocks():
    held = {"hook": "sock_ops", "id": 7, "name": "theirs", "cgroup": "/sys/fs/cgroup"}
    plan = decide(host(*DEBIAN12, ebpf={"bpftool": "/usr/sbin/bpftool", "alone": [held]}))
    assert codes(plan, "block") == {("ebpf", "ebpf_hook_taken")}


def test_the_profile_of_the_vendor_is_read():
    """Packets and place, and the ports: what differs is a step, and what nobody says stays as it is."""
    unit = place("ebpf", kind="systemd", path="/etc/systemd/system/realip-toa-ebpf.service")
    dpvs = attached_ebpf(option_kinds=["254/8", "254/20"], packets=["ack", "data"], place="front")
    kinds = ["254/8", "254/20"]
    for more, steps in (
        ({"vendor": "dpvs"}, []),
        ({}, []),
        ({"vendor": "dpvs", "ports": [443]}, ["read the option on 443 of the ports"]),
        (
            {"vendor": "custom", "option_kinds": kinds},
            ["read the option on the ACK of the handshake only", "of two options in a packet, read none"],
        ),
        ({"vendor": "dpvs", "option_place": "end"}, ["of two options in a packet, read the last"]),
    ):
        plan = decide(host(*DEBIAN12, ebpf=dpvs, persistence=[unit]), proof(kinds=kinds), **more)
        assert [step for step in plan["steps"] if "option" in step] == steps, more
