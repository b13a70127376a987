# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision and the way back: every row of the vectors, every consent, every obstacle."""

from __future__ import annotations

import re
import string
import time
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils import ebpf_object, option_formats
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.facts.assumed import assumed_facts
from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import CLEAN, facts_of, probe_of
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner
from ansible_collections.realip.toa.plugins.plugin_utils.planner import policy as policy_module
from ansible_collections.realip.toa.plugins.plugin_utils.planner import reasons, removal
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends import registry
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.packaged_kernel import backend_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[4]
VECTORS = ROOT / "tests" / "unit" / "vectors"
CATALOG = catalog.load()
DIGEST = "0123456789abcdef" * 4
LOCK = {
    "packages": [
        {"file": package.file, "url": "", "size": 5, "sha256": DIGEST}
        for entry in CATALOG
        for package in entry.packages
    ]
}
CONSENTS = ("accept_kernel_downgrade", "accept_unverified_packages", "accept_no_fallback", "accept_conflicts")


def host(name, kernel, arch="", **changes):
    """Facts of an assumed machine with some of them replaced; a dict is merged."""
    known = assumed_facts(
        (VECTORS / "os-release" / name).read_text(encoding="utf-8") if "\n" not in name else name, kernel, arch
    )
    for key, value in changes.items():
        known[key] = {**known[key], **value} if isinstance(value, dict) and isinstance(known[key], dict) else value
    return known


def module(name="toa", **changes):
    return {
        "name": name,
        "file": f"/lib/modules/x/{name}.ko",
        "loaded": True,
        "live": True,
        "parameters": {},
        "stats": "",
        **changes,
    }


def place(name="toa", **changes):
    return {
        "path": "/etc/modules-load.d/toa.conf", "kind": "modules_load", "module": name, "line": name, "effective": True, "reason": "", "ours": True, **changes,
    }  # fmt: skip


def proof(verdict="translating", kinds=("200/8",)):
    return {"verdict": verdict, "reason": "because", "option_kinds": list(kinds)}


def decide(known, probe=None, lock=None, entries=CATALOG, **policy):
    plan = planner.decide(known, policy, entries, lock, probe)
    blocks = [item for item in plan["reasons"] if item["severity"] == "block"]
    # What every plan must keep, whatever the host.
    assert plan["state"] in ("converged", "pending", "blocked", "unsupported")
    assert bool(blocks) == (plan["state"] in ("blocked", "unsupported"))
    assert bool(plan["backend"]) == (
        plan["state"] != "unsupported"
        and not (plan["state"] == "blocked" and not plan["steps"] and not blocks[0]["backend"])
    )
    assert bool(plan["steps"]) or plan["state"] != "pending"
    assert plan["state"] != "converged" or not (plan["steps"] or plan["reboot"])
    assert not plan["reboot"] or plan["kernel_target"] not in ("", known["kernel"]["release"])
    return plan


def codes(plan, severity=None):
    return {(item["backend"], item["code"]) for item in plan["reasons"] if severity in (None, item["severity"])}


UBUNTU = ("ubuntu-16.04", "4.4.0-210-generic")
CENTOS7 = ("centos-7", "3.10.0-1160.119.1.el7.x86_64")
ALINUX3 = ("alinux-3", "5.10.134-16.3.al8.x86_64")
DEBIAN12 = ("debian-12", "6.1.0-18-amd64")
TOA_RUNNING = {"modules": [module()], "persistence": [place()], "boot": {"default": "4.4.87.toa"}}

# release: state, backend, code that decides (backend, code), for a machine that is freshly installed; nothing allowed, no lock.
EXPECTED = {
    "5.10.23-5.al8.x86_64": ("unsupported", "", ("vtoa", "kernel_too_old")),
    "5.10.112-11.2.al8.x86_64": ("unsupported", "", ("vtoa", "kernel_too_old")),
    "5.10.134-12.2.al8.x86_64": ("unsupported", "", ("vtoa", "kernel_too_old")),
    "5.10.134-14.1.al8.x86_64": ("unsupported", "", ("vtoa", "kernel_too_old")),
    "5.10.134-15.al8.x86_64": ("pending", "vtoa", None),
    "5.10.134-15.2.al8.x86_64": ("pending", "vtoa", None),
    "5.10.134-16.3.al8.x86_64": ("pending", "vtoa", None),
    "5.10.134-16.3.al8.aarch64": ("pending", "vtoa", None),
    "5.10.134-17.2.al8.x86_64": ("pending", "vtoa", None),
    "5.10.134-19.3.2.al8.x86_64": ("pending", "vtoa", None),
    "5.10.134-007.ali5000.al8.x86_64": ("unsupported", "", ("vtoa", "kernel_too_old")),
    "5.10.134-18.al8.x86_64+debug": ("unsupported", "", ("vtoa", "debug_kernel")),
    "5.10.134-15.an8.x86_64": ("unsupported", "", ("vtoa", "wrong_dist_tag")),
    "4.19.91-27.7.al7.x86_64": ("unsupported", "", ("vtoa", "unsupported_distribution")),
    "4.19.91-22.fc.1.al7.x86_64": ("unsupported", "", ("ebpf", "kernel_too_old")),
    "5.10.237-230.949.amzn2.x86_64": ("unsupported", "", ("ebpf", "no_cgroup2")),
    "3.10.0-1160.119.1.el7.x86_64": ("blocked", "kernel_package", ("kernel_package", "downgrade_needs_consent")),
    "3.10.0-693.el7.centos.toa.x86_64": ("pending", "kernel_package", ("kernel_package", "already_toa_kernel")),
    "4.4.0-210-generic": ("blocked", "kernel_package", ("kernel_package", "no_digest")),
    "4.4.87.toa": ("pending", "kernel_package", ("kernel_package", "already_toa_kernel")),
    "3.16.43.toa": ("pending", "kernel_package", ("kernel_package", "already_toa_kernel")),
    "6.1.0-18-amd64": ("pending", "ebpf", ("vtoa", "unsupported_distribution")),
    "5.10.0-27-rt-amd64": ("pending", "ebpf", ("in_tree", "no_module")),
    "5.14.0-362.18.1.el9_3.x86_64": ("pending", "ebpf", ("in_tree", "no_module")),
    "4.18.0-372.16.1.el8_6.0.1.x86_64": ("unsupported", "", ("ebpf", "kernel_too_old")),
}
ROWS = [line.split("\t") for line in (VECTORS / "kernels.tsv").read_text(encoding="utf-8").splitlines()[1:]]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_every_row_of_the_vectors(row):
    name, release, arch, getpeername, getsockopt = row[:5]
    plan = decide(host(name, release, arch))
    state, backend, code = EXPECTED[release]
    assert (plan["state"], plan["backend"]) == (state, backend), (
        f"EXPECTED[{release!r}]; a catalog entry that is new is offered to every host it matches"
    )
    assert code is None or code in codes(plan)
    by_vtoa = decide(host(name, release, arch), backends=["vtoa"])
    assert (by_vtoa["state"] == "pending") is (getpeername == "yes")
    assert by_vtoa["capabilities"]["getpeername"] is (getpeername == "yes")
    assert by_vtoa["capabilities"]["getsockopt_1348"] is (getsockopt == "yes")


def test_why_an_older_alinux_3_is_unsupported():
    plan = decide(host("alinux-3", "5.10.134-14.1.al8.x86_64"))
    assert {("vtoa", "kernel_too_old"), ("ebpf", "no_cgroup2"), ("kernel_package", "no_module_package")} <= codes(
        plan, "block"
    )
    assert "5.10.134-15" in plan["remedy"]


@pytest.mark.parametrize(
    ("name", "release", "state", "backend"),
    [
        # Field guide 6.1 to 6.3.
        ('ID="alinux"\nVERSION_ID="4"\nPLATFORM_ID="platform:alnx4"\n', "6.6.102-5.2.alnx4.x86_64", "pending", "ebpf"),
        (
            'ID="anolis"\nVERSION_ID="8.9"\nPLATFORM_ID="platform:an8"\n',
            "5.10.134-19.3.1.an8.x86_64",
            "unsupported",
            "",
        ),
        (
            'ID="alinux"\nVERSION_ID="3"\nPLATFORM_ID="platform:al8"\n',
            "5.10.134-18.0.1.lifsea8.x86_64",
            "unsupported",
            "",
        ),
        ('ID="alinux"\nVERSION_ID="3"\nPLATFORM_ID="platform:al8"\n', "5.10.134-17.2.2.kos5.x86_64", "unsupported", ""),
        ('ID="tencentos"\nVERSION_ID="3.1"\nPLATFORM_ID="platform:el8"\n', "5.4.32-19-0001", "pending", "in_tree"),
        ("tencentos-4.2", "6.6.119-49.27.tl4.x86_64", "pending", "in_tree"),
        ("CentOS release 6.7 (Final)\n", "2.6.32-754.35.1.el6.x86_64", "blocked", "kernel_package"),
        ("CentOS release 6.7 (Final)\n", "2.6.32-220.el6.x86_64", "blocked", "kernel_package"),
        ("CentOS release 6.7 (Final)\n", "2.6.32-220.23.1.el6.toa.x86_64", "pending", "kernel_package"),
        ("CentOS release 6.7 (Final)\n", "2.6.32-696.13.2.el6.centos.plus.toa.x86_64", "pending", "kernel_package"),
        ("CentOS release 6.7 (Final)\n", "2.6.32-220.23.2.ali_github.el6.x86_64", "pending", "kernel_package"),
        ("centos-7", "3.10.0-957.21.3.el7.toa.x86_64", "pending", "kernel_package"),
        ("centos-7", "5.4.268-1.el7.elrepo.x86_64", "blocked", "kernel_package"),
        ("centos-8", "4.18.0-383.el8.x86_64", "unsupported", ""),
        ("centos-9", "5.14.0-412.el9.x86_64", "pending", "ebpf"),
        ("rhel-10.0", "6.12.0-55.9.1.el10_0.x86_64", "pending", "ebpf"),
        ("debian-8", "3.16.0-11-amd64", "blocked", "kernel_package"),
        ("debian-9", "4.9.0-19-amd64", "unsupported", ""),
        ("debian-13", "6.12.41+deb13-amd64", "pending", "ebpf"),
        ("ubuntu-20.04", "5.4.0-173-generic", "unsupported", ""),
        ("ubuntu-22.04", "5.15.0-94-generic", "pending", "ebpf"),
        ("ubuntu-24.04", "6.8.0-31-generic", "pending", "ebpf"),
        ("openeuler-24.03", "6.6.0-28.0.0.34.oe2403.x86_64", "unsupported", ""),
        ("\nHello\n", "3.10.0-1160.el7.x86_64", "unsupported", ""),
    ],
)
def test_the_field(name, release, state, backend):
    plan = decide(host(name, release))
    assert (plan["state"], plan["backend"]) == (state, backend)


# ---- kernel packages


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
    assert [item["code"] for item in plan["reasons"] if item["severity"] != "info"] == ["spoofable"]


def test_upstream_numbers_decide_what_a_downgrade_is():
    for known in (host(*UBUNTU), host("debian-8", "3.16.0-11-amd64")):
        assert "downgrade_needs_consent" not in {code for _backend, code in codes(decide(known))}
    plan = decide(host(*CENTOS7), lock=LOCK)
    message = next(item["message"] for item in plan["reasons"] if item["code"] == "downgrade_needs_consent")
    assert "3.10.0-693.el7.centos.toa.x86_64" in message and "3.10.0-1160.119.1.el7.x86_64" in message
    assert "toa_accept_kernel_downgrade" in plan["remedy"]
    accepted = decide(host(*CENTOS7), lock=LOCK, accept_kernel_downgrade=True)
    assert accepted["state"] == "pending"
    assert ("kernel_package", "downgrade_needs_consent") in codes(accepted, "warning")


@pytest.mark.parametrize(
    ("changes", "code", "consent"),
    [
        ({}, "no_digest", "accept_unverified_packages"),
        ({"boot": {"one_shot": False, "reason": "/boot is on LVM"}}, "no_fallback", "accept_no_fallback"),
        ({"boot": {"free_kib": 1024}}, "boot_full", None),
        ({"os": {"package_manager": "none"}}, "package_manager_missing", None),
        ({"os": {"package_manager": "rpm"}}, "package_manager_missing", None),
        ({"security": {"secure_boot": True}}, "secure_boot_unsigned", None),
        (
            {"ebpf": {"foreign": [{"hook": "getpeername4", "id": 7, "name": "cil_sock4"}]}},
            "conflict_ebpf_getpeername",
            "accept_conflicts",
        ),
        ({"modules": [module("ip_vs_ca")]}, "conflict_toa_module", "accept_conflicts"),
        ({"conflicts": [{"code": "something_new", "detail": "a thing"}]}, "conflict_other", "accept_conflicts"),
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
        allowed = decide(host(*UBUNTU, **changes), lock=lock, **policy, **{allowing: True})
        assert allowed["state"] == ("pending" if allowing == consent else "blocked"), allowing
    if consent:
        assert f"toa_{consent}" in plan["remedy"]


def test_a_cilium_that_is_only_there_is_a_warning():
    plan = decide(host(*UBUNTU, conflicts=[{"code": "cilium_present", "detail": "/run/cilium"}]), lock=LOCK)
    assert plan["state"] == "pending" and ("kernel_package", "cilium_present") in codes(plan, "warning")


def test_without_one_shot_the_steps_say_so():
    plan = decide(
        host(*UBUNTU, boot={"one_shot": False, "reason": "/boot is on LVM"}), lock=LOCK, accept_no_fallback=True
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
    plan = decide(host(*UBUNTU), entries=entries, install_headers=True, package_mirror="http://127.0.0.1:8080/k")
    assert plan["state"] == "pending"
    assert [(item["role"], item["sha256"][:2], item["url"]) for item in plan["packages"]] == [
        ("image", "bb", "http://127.0.0.1:8080/k/linux-image-4.4.87.toa_1.0_amd64.deb"),
        ("headers", "aa", "http://127.0.0.1:8080/k/linux-headers-4.4.87.toa_1.0_amd64.deb"),
    ]
    assert [item["role"] for item in decide(host(*UBUNTU), entries=entries)["packages"]] == ["image"]
    disputed = decide(host(*UBUNTU), entries=entries, lock=LOCK)
    assert codes(disputed, "block") == {("kernel_package", "digest_conflict")}


def test_a_file_without_an_address_needs_a_mirror():
    plan = decide(host(*CENTOS7), lock=LOCK, vendor="alibaba", accept_kernel_downgrade=True)
    assert plan["entry"] == "alibaba-centos-7"
    assert codes(plan, "block") == {("kernel_package", "no_url")}
    assert ("kernel_package", "option_kinds_partial") in codes(plan, "warning")
    served = decide(
        host(*CENTOS7), lock=LOCK, vendor="alibaba", accept_kernel_downgrade=True, package_mirror="http://m.example"
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


# ---- the TOA kernel runs


def running(**changes):
    return host("ubuntu-16.04", "4.4.87.toa", **{**TOA_RUNNING, **changes})


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


# ---- in-tree modules, vtoa, eBPF


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
    signed = [module(file="/lib/modules/x/kernel/net/toa/toa.ko", loaded=False, live=False)]
    assert (
        decide(host(*DEBIAN12, modules=signed, security={"secure_boot": True}), vendor="huawei", backends=["in_tree"])[
            "state"
        ]
        == "pending"
    )


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
    plan = decide(host(*ALINUX3), vendor="tencent")
    assert plan["state"] == "unsupported" and ("vtoa", "option_kind_mismatch") in codes(plan, "block")
    assert "toa_vendor" in plan["remedy"]
    assert decide(host(*ALINUX3), vendor="dpvs")["option_kinds"] == ["254/8", "254/20"]


def test_in_tree_does_not_take_vtoa_where_vtoa_refused_it():
    plan = decide(host("alinux-3", "5.10.134-18.al8.x86_64+debug", modules=[module("vtoa", loaded=False)]))
    assert plan["state"] == "unsupported" and ("vtoa", "debug_kernel") in codes(plan, "block")


def attached_ebpf(**more):
    """`ebpf` of the facts of a host on which the programs of this release are attached."""
    return {"attached": [{"id": 1}], "complete": True, "object": ebpf_object.DIGEST, "bpftool": "/usr/sbin/bpftool", "getsockopt": True,
            "option_kinds": ["200/8", "253/20", "254/8"], **more}  # fmt: skip


@pytest.mark.parametrize(
    "facts, policy, words",
    [
        ({"object": "0123456789ab"}, {}, "replace the eBPF programs"),
        ({"complete": False}, {}, "attach the eBPF programs for 200/8"),
        ({}, {"vendor": "huawei"}, "read 254/8 in place of 200/8, 253/20 and 254/8"),
        ({}, {"trusted_sources": ["10.0.0.0/8"]}, "believe 10.0.0.0/8 only"),
        ({"trusted_sources": ["10.0.0.0/8"]}, {}, "believe every source"),
        ({}, {"ebpf_getsockopt": False}, "stop offering getsockopt"),
        ({"bpftool": ""}, {}, "install bpftool"),
    ],
)
def test_ebpf_that_is_not_as_wanted_is_changed_and_not_judged(facts, policy, words):
    unit = place("ebpf", kind="systemd")
    now = host(*DEBIAN12, ebpf=attached_ebpf(**facts), persistence=[unit])
    plan = decide(now, proof("wrong_kind", ["200/8"]), **policy)
    assert (plan["state"], plan["backend"]) == ("pending", "ebpf") and plan["steps"][0].startswith(words)


def test_ebpf_without_trusted_sources_can_be_spoofed():
    assert ("ebpf", "spoofable") in codes(decide(host(*DEBIAN12)), "warning")
    assert "spoofable" not in {
        code for _backend, code in codes(decide(host(*DEBIAN12), trusted_sources=["10.0.0.1/8"]), "warning")
    }
    with pytest.raises(policy_module.PolicyError, match="10.0.0.0/33"):
        decide(host(*DEBIAN12), trusted_sources=["10.0.0.0/33"])


def test_ebpf_without_bpftool_and_without_leave_to_install_it():
    assert codes(decide(host(*DEBIAN12), install_bpftool=False), "block") == {("ebpf", "bpftool_missing")}


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
    assert decide(host(*DEBIAN12, **foreign), accept_conflicts=True)["state"] == "pending"


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


# ---- from source

SOURCE = {"backends": ["source_module"], "source_url": "https://example.org/toa.tar.gz", "source_sha256": DIGEST}
HEADERS = {"headers": True, "compiler": True, "make": True}


def built(module_name="toa", **source):
    """The host's record of a module that was built from source."""
    return {
        "source": {
            "module": module_name,
            "method": "plain",
            "source": {"url": SOURCE["source_url"], "sha256": DIGEST, "commit": "", **source},
        }
    }


def test_no_source():
    assert codes(decide(host(*DEBIAN12), backends=["source_module"])) == {("source_module", "no_source")}


def test_a_module_from_source():
    plan = decide(host(*DEBIAN12), **SOURCE)
    assert (plan["state"], plan["backend"], plan["reboot"], plan["module"]) == (
        "pending",
        "source_module",
        False,
        "toa",
    )
    assert plan["steps"][:2] == [
        "install linux-headers-6.1.0-18-amd64",
        "build toa from https://example.org/toa.tar.gz for 6.1.0-18-amd64",
    ]
    plan = decide(host(*DEBIAN12, build=HEADERS), **SOURCE)
    assert plan["steps"][0].startswith("build toa")
    assert [step for step in plan["steps"] if "every boot" in step] and "prove" in plan["steps"][-1]


def test_headers_are_named_as_the_distribution_calls_them():
    assert "install kernel-devel-3.10.0-1160.119.1.el7.x86_64" in decide(host(*CENTOS7), **SOURCE)["steps"]
    named = host("rocky-8.10", "4.18.0-513.el8.x86_64", build={"headers_package": "kernel-uek-devel-1"})
    assert "install kernel-uek-devel-1" in decide(named, **SOURCE)["steps"]


@pytest.mark.parametrize("build, policy, code", [
    ({"headers_available": False}, {}, "headers_unavailable"),
    ({}, {"install_build_tools": False}, "headers_missing"),
])  # fmt: skip
def test_headers_that_cannot_be_had(build, policy, code):
    plan = decide(host(*DEBIAN12, build=build), **SOURCE, **policy)
    assert plan["state"] == "blocked" and codes(plan, "block") == {("source_module", code)}
    assert "linux-headers-6.1.0-18-amd64" in plan["remedy"]
    twin = decide(host(*DEBIAN12, build=build), **SOURCE, **policy, build_once=True)
    assert twin["state"] == "pending" and not [step for step in twin["steps"] if "headers" in step]


def test_a_source_without_digest():
    plan = decide(host(*DEBIAN12), **{**SOURCE, "source_sha256": ""})
    assert codes(plan, "block") == {("source_module", "source_no_digest")}
    assert decide(host(*DEBIAN12), **{**SOURCE, "source_sha256": "", "source_commit": "a" * 40})["state"] == "pending"
    assert (
        decide(host(*DEBIAN12), **{**SOURCE, "source_sha256": ""}, accept_unverified_packages=True)["state"]
        == "pending"
    )


@pytest.mark.parametrize("security", [{"sig_enforce": True}, {"secure_boot": True}, {"lockdown": "integrity"}])
def test_a_host_that_takes_only_signed_modules(security):
    plan = decide(host(*DEBIAN12, security=security), **SOURCE)
    assert codes(plan, "block") == {("source_module", "secure_boot_unsigned")} and "MOK" in plan["remedy"]
    assert (
        decide(host(*DEBIAN12, security=security), **SOURCE, signing_key="/secrets/modules.key")["state"] == "pending"
    )


def test_a_module_that_was_built_here_is_left_alone():
    known = host(*DEBIAN12, modules=[module()], persistence=[place()], state=built())
    plan = decide(known, proof(), **SOURCE, vendor="tencent")
    assert (plan["state"], plan["backend"], plan["steps"]) == ("converged", "source_module", [])
    # Nor does the order of preference take it for a module of the distribution's, or put eBPF in its place.
    plan = decide(known, proof(), **{**SOURCE, "backends": list(registry.BACKENDS)}, vendor="tencent")
    assert (plan["state"], plan["backend"]) == ("converged", "source_module")
    assert decide(known, proof(), vendor="tencent")["backend"] == "in_tree"


def test_another_source_is_built_anew():
    known = host(*DEBIAN12, modules=[module()], persistence=[place()], state=built(sha256="f" * 64), build=HEADERS)
    plan = decide(known, proof(), **SOURCE, vendor="tencent")
    assert plan["state"] == "pending" and ("source_module", "source_changed") in codes(plan, "info")
    assert plan["steps"][0].startswith("build toa from https://example.org/toa.tar.gz")


def test_after_a_kernel_update_without_dkms():
    known = host(*DEBIAN12, state=built(), persistence=[place(effective=False, reason="no such module")])
    plan = decide(known, **{**SOURCE, "backends": list(registry.BACKENDS)})
    assert (plan["state"], plan["backend"]) == ("pending", "source_module")
    missing = next(item["message"] for item in plan["reasons"] if item["code"] == "not_built_for_kernel")
    for what in ("toa.ko in /lib/modules/6.1.0-18-amd64", "linux-headers-6.1.0-18-amd64", "a compiler and make"):
        assert what in missing
    assert ("source_module", "not_built_for_kernel") in codes(plan, "warning")


def test_a_known_tree_says_what_its_module_reads():
    plan = decide(host(*DEBIAN12), **SOURCE, source_tree="huawei", vendor="tencent")
    assert codes(plan) == {("source_module", "option_kind_mismatch")}
    plan = decide(host(*DEBIAN12), **SOURCE, source_tree="alibaba-cdn", vendor="alibaba_cdn")
    assert (plan["module"], plan["option_kinds"]) == ("tcp_toa", ["28/7"])
    assert decide(host(*DEBIAN12), **SOURCE, source_tree={"module": "toa", "subdirectory": "src"}, vendor="tencent")[
        "option_kinds"
    ] == ["200/8"]


@pytest.mark.parametrize("tree", ["nobodys", 7, {"modul": "toa"}, {"module": "a b"}, {"subdirectory": "../x"}, {"variables": ["x"]}, {"dkms": "yes"},
                                  {"option_kinds": ["200"]}])  # fmt: skip
def test_a_description_that_is_wrong(tree):
    with pytest.raises(policy_module.PolicyError, match="toa_source_tree"):
        decide(host(*DEBIAN12), **SOURCE, source_tree=tree)


def test_what_was_built_is_removed():
    known = host(*DEBIAN12, modules=[module()], persistence=[place()], state=built())
    plan = removal.decide(known, {}, CATALOG)
    assert (
        plan["state"] == "pending"
        and "remove toa that was built from source, and the packages that came for it" in plan["steps"]
    )
    assert not [step for step in plan["steps"] if "boot loader" in step]


def test_a_kernel_that_was_built():
    entry = {"key": "ours", "backend": "source_kernel", "match": {"id": "rocky", "major": 8, "arch": "x86_64"}, "release": "4.18.0-600.el8.toa.x86_64",
             "option_kinds": ["200/8", "254/8"], "format": "rpm",
             "packages": [{"file": "kernel-4.18.0-600.el8.toa.x86_64.rpm", "url": "http://m.example/k.rpm", "sha256": DIGEST}]}  # fmt: skip
    plan = decide(host("rocky-8.10", "4.18.0-513.el8.x86_64"), entries=catalog.load([entry]))
    assert (plan["state"], plan["backend"], plan["entry"]) == ("pending", "source_kernel", "ours")


def test_a_kernel_that_the_host_compiles_for_itself():
    entry = {"key": "tree", "backend": "source_kernel", "format": "tree", "match": {"id": "debian", "major": 12, "arch": "x86_64"}, "option_kinds": ["200/8"],
             "release": "6.1.192.toa", "packages": [{"file": "linux-toa.tar.gz", "url": "http://m.example/linux-toa.tar.gz", "sha256": DIGEST}]}  # fmt: skip
    entries = catalog.load([entry])
    plan = decide(host(*DEBIAN12), entries=entries, backends=["source_kernel"])
    assert (plan["state"], plan["backend"], plan["kernel_target"], plan["packages"][0]["format"]) == (
        "pending",
        "source_kernel",
        "6.1.192.toa",
        "tree",
    )
    assert "compile linux-toa.tar.gz and install it beside the running 6.1.0-18-amd64" in plan["steps"]
    # Which rpm or dpkg the host has is all the same; a digest is not.
    assert codes(
        decide(
            host(*DEBIAN12),
            entries=catalog.load([{**entry, "packages": [{"file": "l.tar", "url": "http://m/l.tar"}]}]),
            backends=["source_kernel"],
        ),
        "block",
    ) == {("source_kernel", "no_digest")}
    for wrong in ({"backend": "kernel_package"}, {"packages": [{"file": "l.deb"}]}):
        with pytest.raises(catalog.CatalogError, match="tree"):
            [backend_of(item) for item in catalog.load([{**entry, **wrong}])]

    # Away again: by the host's own record, whatever the catalog says.
    running = host(
        "debian-12",
        "6.1.192.toa",
        state={"kernel_tree": {"release": "6.1.192.toa"}},
        kernels=[{"release": "6.1.192.toa"}, {"release": "6.1.0-18-amd64"}],
    )
    plan = removal.decide(running, {}, entries)
    assert (plan["state"], plan["reboot"], plan["kernel_target"]) == ("pending", True, "6.1.0-18-amd64")
    assert [(package["format"], package["release"]) for package in plan["packages"]] == [("tree", "6.1.192.toa")]
    assert removal.decide(host(*DEBIAN12), {}, entries)["state"] == "converged"


# ---- gates and bad input


def test_inside_a_container():
    plan = decide(host(*DEBIAN12, container="docker"))
    assert plan["state"] == "blocked" and codes(plan) == {("", "inside_container")}
    assert "install on the host" in plan["remedy"] and "docker" in plan["reasons"][0]["message"]


@pytest.mark.parametrize("garbage", ["", "garbage", "5.10;reboot", "\x1b[2J", "{{ 6 * 7 }}", "%s{}{0}"])
def test_a_kernel_string_that_is_garbage(garbage):
    plan = decide(host("debian-12", garbage))
    assert plan["state"] == "unsupported" and codes(plan) == {("", "kernel_unparsable")}
    assert plan["remedy"] and "\x1b" not in plan["reasons"][0]["message"]


def test_formats_nobody_knows():
    assert codes(decide(host(*DEBIAN12), option_kinds=["200/9"])) == {("", "unknown_format")}
    vpc = decide(host(*DEBIAN12), option_kinds=["252/20"])
    assert vpc["state"] == "unsupported" and ("ebpf", "unknown_format") in codes(vpc, "block")
    assert decide(host(*ALINUX3), option_kinds=["252/20"])["backend"] == "vtoa"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"backends": ["magic"]}, "toa_backends"),
        ({"backends": []}, "toa_backends"),
        ({"backends": "ebpf"}, "toa_backends"),
        ({"vendor": "tencen"}, "unknown vendor 'tencen'"),
        ({"vendor": "custom"}, "toa_option_kinds"),
        ({"option_kinds": ["2/8"]}, "Maximum Segment Size"),
        ({"accept_conflicts": "yes"}, "toa_accept_conflicts"),
        ({"acept_conflicts": True}, "acept_conflicts"),
    ],
)
def test_a_policy_that_makes_no_sense(policy, expected):
    with pytest.raises(policy_module.PolicyError) as caught:
        planner.decide(host(*DEBIAN12), policy, CATALOG)
    assert expected in str(caught.value)


def test_a_part_that_could_not_be_read_is_told():
    plan = decide(host(*DEBIAN12, unread=[{"section": "modules", "problem": "IOError"}]))
    assert ("", "facts_incomplete") in codes(plan, "warning")


# ---- the table of reasons


def test_every_code_that_is_used_is_in_the_table_and_every_one_in_the_table_is_used():
    files = sorted((ROOT / "plugins" / "plugin_utils" / "planner").rglob("*.py"))
    assert len(files) > 3
    text = "".join(path.read_text(encoding="utf-8") for path in files if path.name != "reasons.py")
    used = set(re.findall(r"""(?:reject|block|tell|reason)\(\s*"(\w+)\"""", text))
    used |= set(re.findall(r'"(no_module_package|no_built_kernel|partial|absent)"', text))
    # Given by the channel, before there is anything to plan.
    assert used | {"no_python"} == set(reasons.REASONS)


def test_the_table_is_well_formed():
    for code, kind in reasons.REASONS.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", code)
        assert kind.severity in ("info", "warning", "block")
        words = {
            name
            for text in (kind.message, kind.remedy)
            for _text, name, _spec, _conversion in string.Formatter().parse(text)
            if name
        }
        told = reasons.reason(code, **dict.fromkeys(words, "{x}"))
        assert told["message"] and "\n" not in told["message"] + told["remedy"]
    with pytest.raises(KeyError):
        reasons.reason("never_heard_of")


# ---- the way back


def removal_plan(known):
    return removal.decide(known, {}, CATALOG)


@pytest.mark.parametrize(
    "left",
    [
        {"ebpf": attached_ebpf()},
        {"state": {"ebpf": {"files": {}}, "schema": 1}},
        {"persistence": [place("ebpf", kind="systemd", path="/etc/systemd/system/realip-toa-ebpf.service", ours=True)]},
    ],
)
def test_the_way_back_from_ebpf(left):
    plan = removal_plan(host(*DEBIAN12, **left))
    assert (plan["state"], plan["backend"], plan["module"]) == ("pending", "ebpf", "toa")
    assert plan["steps"] == ["detach the eBPF programs"]


KERNELS = [
    {"release": release, "image": "", "toa_modules": modules, "package": ""}
    for release, modules in (("4.4.0-31-generic", []), ("4.4.0-210-generic", []), ("4.4.87.toa", ["toa"]))
]


def test_nothing_to_remove():
    plan = removal_plan(host(*UBUNTU))
    assert (plan["goal"], plan["state"], plan["steps"], plan["packages"]) == ("remove", "converged", [], [])


def test_back_to_the_kernel_of_before():
    record = {"schema": 1, "boot": {"state": "confirmed", "old": "4.4.0-31-generic"}, "packages": {"installed": {
        "linux-image-4.4.87.toa": {"file": "linux-image-4.4.87.toa_1.0_amd64.deb", "release": "4.4.87.toa", "role": "image", "version": "1.0"}}}}  # fmt: skip
    plan = removal_plan(running(kernels=KERNELS, state=record))
    assert (plan["state"], plan["reboot"], plan["kernel_target"], plan["module"]) == (
        "pending",
        True,
        "4.4.0-31-generic",
        "toa",
    )
    assert [item["name"] for item in plan["packages"]] == ["linux-image-4.4.87.toa", "linux-headers-4.4.87.toa"]
    assert removal_plan(running(kernels=KERNELS, state={}))["kernel_target"] == "4.4.0-210-generic"


def test_what_others_wrote_is_not_ours_to_remove():
    line = {
        "path": "/etc/rc.d/rc.local",
        "kind": "rc_local",
        "module": "toa",
        "line": "modprobe toa",
        "effective": False,
        "reason": "never run",
        "ours": False,
    }
    assert removal_plan(host(*UBUNTU, persistence=[line]))["state"] == "converged"
    plan = removal_plan(
        host(*UBUNTU, persistence=[line, dict(line, path="/etc/modules-load.d/realip-toa.conf", ours=True)])
    )
    assert plan["steps"] == ["take TOA out of /etc/modules-load.d/realip-toa.conf"]


def test_the_only_kernel_is_not_removed():
    plan = removal_plan(running(kernels=KERNELS[2:]))
    assert plan["state"] == "blocked" and [item["code"] for item in plan["reasons"]] == ["no_stock_kernel"]


def test_an_installed_toa_kernel_goes_without_a_reboot():
    plan = removal_plan(host(*UBUNTU, kernels=KERNELS))
    assert (plan["state"], plan["reboot"], plan["kernel_target"]) == ("pending", False, "")
    assert plan["packages"][0]["name"] == "linux-image-4.4.87.toa"


def test_a_module_of_the_distribution_is_unloaded():
    plan = removal_plan(host(*DEBIAN12, modules=[module()], persistence=[place()]))
    assert (plan["state"], plan["reboot"], plan["packages"], plan["module"]) == ("pending", False, [], "toa")
    assert plan["steps"] == ["take TOA out of /etc/modules-load.d/toa.conf", "unload toa"]


def test_a_damaged_record_removes_nothing_by_mistake():
    for record in ({"packages": "x"}, {"packages": {"installed": ["x"]}}, {"boot": 5}):
        plan = removal_plan(host(*UBUNTU, state=record))
        assert plan["packages"] == []


# ---- speed, and hosts that answer anything


def test_ten_thousand_decisions():
    known = [host(*UBUNTU), host(*CENTOS7), host(*ALINUX3), host(*DEBIAN12), running()]
    began = time.process_time()
    for number in range(10_000):
        planner.decide(known[number % len(known)], {"vendor": "tencent"}, CATALOG, LOCK, None)
    assert time.process_time() - began < 10


SECTIONS = sorted(CLEAN)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_answer_of_a_host_gives_a_plan(data):
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-5, 5)
        | st.sampled_from(["", "toa", "vtoa", "x", "{0}", "systemd", "4.4.87.toa"])
    )
    raw = {}
    for key in data.draw(st.lists(st.sampled_from(SECTIONS), unique=True)):
        fields = st.dictionaries(
            st.sampled_from(
                ["name", "loaded", "live", "release", "effective", "module", "one_shot", "foreign", "code", "boot"]
            ),
            scalars,
        )
        raw[key] = data.draw(scalars | fields | st.lists(fields, max_size=3))
    release = data.draw(
        st.sampled_from(["4.4.0-210-generic", "4.4.87.toa", "6.1.0-18-amd64", "5.10.134-16.3.al8.x86_64", "x"])
    )
    raw["uname"] = {"release": release, "machine": "x86_64"}
    name = data.draw(st.sampled_from(["ubuntu-16.04", "debian-12", "alinux-3", "centos-7"]))
    raw["os_files"] = {"/etc/os-release": (VECTORS / "os-release" / name).read_text(encoding="utf-8")}
    known = facts_of(raw)
    verdict = data.draw(st.sampled_from(["translating", "inert", "nonsense", 5, None]))
    planner.decide(known, {}, CATALOG, None, probe_of({"verdict": verdict}))
    removal.decide(known, {}, CATALOG)


# -- strangers, drift, the monitor

OPTION_FILTER = {
    "active": True,
    "method": "nft",
    "kinds": option_formats.stripped_kinds([]),
    "trusted_sources": ["10.0.0.0/8"],
    "ports": [],
    "at_boot": "/unit",
}


def toa_host(**more):
    """A host on which a module translates."""
    return host("ubuntu-16.04", "4.4.87.toa", **{**TOA_RUNNING, **more})


def named(plan):
    return {code for _backend, code in codes(plan)}


def test_a_module_is_filtered_where_somebody_is_trusted():
    plan = decide(toa_host())
    assert plan["state"] == "converged" and not plan["option_filter"] and "spoofable" in named(plan)
    plan = decide(toa_host(), trusted_sources=["10.0.0.0/8"])
    assert plan["state"] == "pending" and plan["option_filter"] and "spoofable" not in named(plan)
    assert plan["steps"][0] == "strip the option from packets of everybody but 10.0.0.0/8" and plan["steps"][
        1
    ].startswith("prove")
    plan = decide(toa_host(), trusted_sources=["10.0.0.0/8"], option_filter=False)
    assert plan["state"] == "converged" and not plan["option_filter"] and "spoofable" in named(plan)


def test_an_option_filter_that_no_tool_could_load_is_told_before_anything_is_done():
    bare = {"backend": "none", "option_filter": None}
    plan = decide(host(*UBUNTU, firewall=bare), trusted_sources=["10.0.0.0/8"], accept_unverified_packages=True)
    assert (
        plan["state"] == "blocked" and "option_filter_unusable" in named(plan) and "toa_option_filter" in plan["remedy"]
    )
    assert "option_filter_unusable" not in named(
        decide(host(*UBUNTU, firewall=bare), trusted_sources=["10.0.0.0/8"], option_filter=False)
    )


@pytest.mark.parametrize(
    "change, state",
    [({}, "converged"), ({"active": False}, "pending"), ({"at_boot": ""}, "pending"), ({"trusted_sources": []}, "pending"), ({"ports": [80]}, "pending"),
     ({"kinds": [200]}, "pending")],
)  # fmt: skip
def test_an_option_filter_that_is_in_force_is_left_alone(change, state):
    known = toa_host(firewall={"backend": "nft", "option_filter": {**OPTION_FILTER, **change}})
    assert decide(known, trusted_sources=["10.0.0.0/8"])["state"] == state


def test_the_option_filter_comes_before_the_proof_of_a_new_kernel():
    steps = decide(host(*UBUNTU), lock=LOCK, trusted_sources=["10.0.0.0/8"])["steps"]
    places = [
        next(place for place, step in enumerate(steps) if step.startswith(word))
        for word in ("drain", "load", "strip", "prove", "make")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("ports", ["80", [0], [70000], ["ssh"]])
def test_ports_that_are_none(ports):
    with pytest.raises(policy_module.PolicyError, match="toa_option_filter_ports"):
        decide(toa_host(), option_filter_ports=ports)


def test_drift_is_told():
    drift = [{"code": "hold_gone", "detail": "linux-image is not held any more", "since": "2026-11-20T10:00:00Z"}]
    plan = decide(toa_host(drift=drift))
    (item,) = [item for item in plan["reasons"] if item["code"] == "drifted"]
    assert item["severity"] == "warning" and item["message"].endswith(
        "linux-image is not held any more (since 2026-11-20T10:00:00Z)"
    )


def test_the_monitor_is_left_where_it_is_wanted():
    assert decide(toa_host(), monitor=True)["steps"] == ["leave the monitor, which writes metrics"]
    assert decide(toa_host(state={"monitor": {"minutes": 5}}), monitor=True)["state"] == "converged"
    assert decide(toa_host())["monitor"] is False


def test_removal_takes_option_filter_monitor_and_record():
    known = host(
        *UBUNTU,
        firewall={"backend": "nft", "option_filter": OPTION_FILTER},
        state={"schema": 1, "option_filter": {}, "proof": {"kernel": "x"}},
    )
    plan = removal.decide(known, {}, CATALOG)
    assert (
        plan["state"] == "pending"
        and plan["option_filter"]
        and plan["monitor"]
        and not [step for step in plan["steps"] if "boot loader" in step]
    )


def test_pushed_packages_need_no_address():
    centos = host(*CENTOS7)
    without = decide(centos, vendor="alibaba", accept_unverified_packages=True, accept_kernel_downgrade=True)
    pushed = decide(
        centos, vendor="alibaba", accept_unverified_packages=True, accept_kernel_downgrade=True, push_packages=True
    )
    assert "no_url" in named(without) and "no_url" not in named(pushed)
