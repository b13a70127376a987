# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.planner import removal

from tests.unit.controller.planner.cases import (
    CATALOG,
    DEBIAN12,
    OPTION_FILTER,
    UBUNTU,
    attached_ebpf,
    host,
    module,
    place,
    running,
)


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
