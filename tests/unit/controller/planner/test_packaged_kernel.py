# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels of the catalog: every consent, every obstacle, and hosts that run one."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog

from tests.unit.controller.planner.cases import (
    CENTOS7,
    CONSENTS,
    DIGEST,
    LOCK,
    UBUNTU,
    codes,
    decide,
    host,
    module,
    named,
    place,
    proof,
    running,
)


def test_stock_ubuntu_with_and_without_a_lock():
    assert decide(host(*UBUNTU))["state"] == "blocked"
    plan = decide(host(*UBUNTU), lock=LOCK)
    assert (plan["state"], plan["reboot"], plan["kernel_target"], plan["entry"]) == (
        "pending",
        True,
        "4.4.87.toa",
        "tencent-ubuntu-16.04",
    )
    assert plan["option_kinds"] == ["200/8"] and plan["module"] == "toa"
    assert plan["packages"] == [{
        "name": "linux-image-4.4.87.toa", "role": "image", "file": "linux-image-4.4.87.toa_1.0_amd64.deb", "format": "deb", "sha256": DIGEST, "size": 5,
        "url": "http://toakernel-1253438722.cossh.myqcloud.com/linux-image-4.4.87.toa_1.0_amd64.deb", "release": "4.4.87.toa",
        "repository": False,
    }]  # fmt: skip
    words = " / ".join(plan["steps"])
    assert [words.index(word) for word in ("install", "arm", "drain", "load", "prove", "default and hold")] == sorted(
        words.index(word) for word in ("install", "arm", "drain", "load", "prove", "default and hold")
    )
    assert [item["code"] for item in plan["reasons"] if item["severity"] != "info"] == []


def test_upstream_numbers_decide_what_a_downgrade_is():
    for known in (host(*UBUNTU), host("debian-8", "3.16.0-11-amd64")):
        assert "downgrade_needs_consent" not in {code for _backend, code in codes(decide(known))}
    plan = decide(host(*CENTOS7), lock=LOCK)
    message = next(item["message"] for item in plan["reasons"] if item["code"] == "downgrade_needs_consent")
    assert "3.10.0-693.el7.centos.toa.x86_64" in message and "3.10.0-1160.119.1.el7.x86_64" in message
    assert "toa_accept: [kernel_downgrade]" in plan["remedy"]
    accepted = decide(host(*CENTOS7), lock=LOCK, accept=["kernel_downgrade"])
    assert accepted["state"] == "pending"
    assert ("kernel_package", "downgrade_needs_consent") in codes(accepted, "warning")


@pytest.mark.parametrize(
    ("changes", "code", "consent"),
    [
        ({}, "no_digest", "unverified_packages"),
        ({"boot": {"one_shot": False, "reason": "/boot is on LVM"}}, "no_fallback", "no_fallback"),
        ({"boot": {"free_kib": 1024}}, "boot_full", None),
        ({"os": {"package_manager": "none"}}, "package_manager_missing", None),
        ({"os": {"package_manager": "rpm"}}, "package_manager_missing", None),
        ({"security": {"secure_boot": True}}, "secure_boot_unsigned", None),
        (
            {"ebpf": {"foreign": [{"hook": "getpeername4", "id": 7, "name": "cil_sock4"}]}},
            "conflict_ebpf_getpeername",
            "conflicts",
        ),
        ({"modules": [module("ip_vs_ca")]}, "conflict_toa_module", "conflicts"),
        ({"conflicts": [{"code": "something_new", "detail": "a thing"}]}, "conflict_other", "conflicts"),
    ],
)
def test_what_stands_in_the_way_of_a_kernel_package(changes, code, consent):
    policy = {"backends": ["kernel_package"]}
    lock = None if code == "no_digest" else LOCK
    plan = decide(host(*UBUNTU, **changes), lock=lock, **policy)
    assert plan["state"] == "blocked"
    assert codes(plan, "block") == {("kernel_package", code)}
    assert plan["packages"] and plan["kernel_target"] == "4.4.87.toa"
    for allowing in CONSENTS:
        allowed = decide(host(*UBUNTU, **changes), lock=lock, **policy, accept=[allowing])
        assert allowed["state"] == ("pending" if allowing == consent else "blocked"), allowing
    if consent:
        assert f"toa_accept: [{consent}]" in plan["remedy"]


def test_a_cilium_that_is_only_there_is_a_warning():
    plan = decide(host(*UBUNTU, conflicts=[{"code": "cilium_present", "detail": "/run/cilium"}]), lock=LOCK)
    assert plan["state"] == "pending" and ("kernel_package", "cilium_present") in codes(plan, "warning")


def test_without_one_shot_the_steps_say_so():
    plan = decide(
        host(*UBUNTU, boot={"one_shot": False, "reason": "/boot is on LVM"}), lock=LOCK, accept=["no_fallback"]
    )
    assert not any(step.startswith("arm") for step in plan["steps"])
    assert any("without a way back" in step for step in plan["steps"])


def test_wrong_architecture():
    plan = decide(host("ubuntu-16.04", "4.4.0-210-generic", "aarch64"))
    assert plan["state"] == "unsupported" and ("kernel_package", "arch_not_supported") in codes(plan, "block")
    assert ("vtoa", "arch_not_supported") in codes(decide(host("alinux-3", "5.10.134-16.3.al8", "ppc64le")))
    assert ("ebpf", "arch_not_supported") in codes(decide(host("debian-12", "6.1.0-18-s390x", "s390x")))


def test_headers_mirror_and_digest_of_the_catalog():
    mine = {"key": "tencent-ubuntu-16.04", "packages": [
        {"role": "headers", "file": "linux-headers-4.4.87.toa_1.0_amd64.deb", "sha256": "aa" * 32},
        {"role": "image", "file": "linux-image-4.4.87.toa_1.0_amd64.deb", "sha256": "bb" * 32},
    ]}  # fmt: skip
    entries = catalog.load([mine])
    plan = decide(host(*UBUNTU), entries=entries, install=["headers"], package_mirror="http://127.0.0.1:8080/k")
    assert plan["state"] == "pending"
    assert [(item["role"], item["sha256"][:2], item["url"]) for item in plan["packages"]] == [
        ("image", "bb", "http://127.0.0.1:8080/k/linux-image-4.4.87.toa_1.0_amd64.deb"),
        ("headers", "aa", "http://127.0.0.1:8080/k/linux-headers-4.4.87.toa_1.0_amd64.deb"),
    ]
    assert [item["role"] for item in decide(host(*UBUNTU), entries=entries)["packages"]] == ["image"]
    disputed = decide(host(*UBUNTU), entries=entries, lock=LOCK)
    assert codes(disputed, "block") == {("kernel_package", "digest_conflict")}


def test_a_file_without_an_address_needs_a_mirror():
    plan = decide(host(*CENTOS7), lock=LOCK, vendor="alibaba", accept=["kernel_downgrade"])
    assert plan["entry"] == "alibaba-centos-7"
    assert codes(plan, "block") == {("kernel_package", "no_url")}
    assert ("kernel_package", "option_kinds_partial") in codes(plan, "warning")
    served = decide(
        host(*CENTOS7), lock=LOCK, vendor="alibaba", accept=["kernel_downgrade"], package_mirror="http://m.example"
    )
    assert served["state"] == "pending" and served["option_kinds"] == ["254/8"]


def test_firmware_comes_along_on_centos_6():
    known = host("CentOS release 6.7 (Final)\n", "2.6.32-431.el6.x86_64")
    plan = decide(known, lock=LOCK, vendor="alibaba", package_mirror="http://m.example")
    assert [item["role"] for item in plan["packages"]] == ["firmware", "image"]
    assert plan["kernel_target"] == "2.6.32-696.13.2.el6.centos.plus.toa.x86_64"
    assert decide(known, lock=LOCK, vendor="tencent")["entry"] == "tencent-centos-6"


def test_an_installed_kernel_that_does_not_run():
    kernels = [
        {"release": release, "image": "", "toa_modules": [], "package": ""}
        for release in ("4.4.0-210-generic", "4.4.87.toa")
    ]
    plan = decide(host(*UBUNTU, kernels=kernels))
    assert plan["state"] == "pending" and plan["reboot"]
    assert ("kernel_package", "running_other_kernel") in codes(plan, "info")
    assert not any(step.startswith("install") for step in plan["steps"])


def test_what_the_boot_option_filter_did_is_told():
    trial = {"boot": {"state": "reverted_by_watchdog", "kernel": "4.4.87.toa", "reason": "not confirmed in time"}}
    plan = decide(host(*UBUNTU, state=trial), lock=LOCK)
    assert ("kernel_package", "trial_reverted") in codes(plan, "warning")
    assert "not confirmed in time" in next(
        item["message"] for item in plan["reasons"] if item["code"] == "trial_reverted"
    )


def test_converged():
    for probe in (None, proof()):
        plan = decide(running(), probe)
        assert (plan["state"], plan["backend"], plan["reboot"], plan["steps"]) == (
            "converged",
            "kernel_package",
            False,
            [],
        )
        assert plan["kernel_target"] == "4.4.87.toa" and plan["remedy"] == ""
        assert ("kernel_package", "already_toa_kernel") in codes(plan) and ("in_tree", "already_toa_kernel") in codes(
            plan
        )


@pytest.mark.parametrize(
    ("changes", "code", "step"),
    [
        ({"modules": [module(loaded=False, live=False)]}, "not_loaded", "load toa"),
        ({"persistence": []}, "not_persistent", "load toa at every boot"),
        (
            {"persistence": [place(effective=False, reason="after exit 0", ours=False)]},
            "not_persistent",
            "load toa at every boot",
        ),
        ({"persistence": [place("vtoa")]}, "not_persistent", "load toa at every boot"),
        ({"boot": {"default": "4.4.0-210-generic"}}, "not_default", "make 4.4.87.toa the default kernel"),
        (
            {"state": {"boot": {"state": "armed", "kernel": "4.4.87.toa"}}},
            "not_confirmed",
            "make 4.4.87.toa the default kernel",
        ),
    ],
)
def test_what_keeps_a_toa_kernel_from_being_converged(changes, code, step):
    plan = decide(running(**changes), proof())
    assert (plan["state"], plan["backend"], plan["reboot"]) == ("pending", "kernel_package", False)
    assert ("kernel_package", code) in codes(plan, "info")
    assert step in plan["steps"] and plan["steps"][-1].startswith(("prove", "make"))


def test_a_line_that_does_not_work_is_told():
    broken = place(path="/etc/rc.d/rc.local", kind="rc_local", effective=False, reason="nothing runs it", ours=False)
    plan = decide(running(persistence=[place(), broken]), proof())
    assert plan["state"] == "converged"
    assert "/etc/rc.d/rc.local" in next(
        item["message"] for item in plan["reasons"] if item["code"] == "persistence_ineffective"
    )


@pytest.mark.parametrize(
    ("probe", "code"),
    [
        (proof("inert", ()), "module_inert"),
        (proof("partial"), "partial"),
        (proof("absent", ()), "absent"),
        (proof("unprovable", ()), "unprovable"),
        (proof("wrong_kind", ["254/8"]), "wrong_kind"),
        (proof("translating", ["254/8"]), "wrong_kind"),
    ],
)
def test_the_proof_counts_more_than_the_facts(probe, code):
    plan = decide(running(), probe, vendor="tencent")
    assert plan["state"] == "blocked" and codes(plan, "block") == {("kernel_package", code)}
    assert plan["remedy"]


def test_a_dead_module_needs_no_proof():
    plan = decide(running(modules=[module(live=False)]))
    assert codes(plan, "block") == {("kernel_package", "module_inert")}


def test_what_nobody_asked_for_is_whatever_is_read():
    plan = decide(running(), proof("translating", ["254/8", "253/20"]))
    assert plan["state"] == "converged" and plan["option_kinds"] == ["254/8", "253/20"]


def test_a_running_toa_kernel_of_the_wrong_vendor():
    known = host("centos-7", "3.10.0-693.el7.centos.toa.x86_64", modules=[module()], persistence=[place()])
    assert decide(known)["state"] == "converged"
    plan = decide(known, vendor="alibaba", lock=LOCK, package_mirror="http://m.example")
    assert (plan["state"], plan["entry"], plan["reboot"]) == ("pending", "alibaba-centos-7", True)


def test_in_tree_takes_a_toa_kernel_where_packages_are_ruled_out():
    plan = decide(running(), backends=["vtoa", "in_tree", "ebpf"])
    assert (plan["state"], plan["backend"]) == ("converged", "in_tree")


def test_pushed_packages_need_no_address():
    centos = host(*CENTOS7)
    without = decide(centos, vendor="alibaba", accept=["unverified_packages", "kernel_downgrade"])
    pushed = decide(centos, vendor="alibaba", accept=["unverified_packages", "kernel_downgrade"], push_packages=True)
    assert "no_url" in named(without) and "no_url" not in named(pushed)
