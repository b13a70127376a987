# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back: what has to be undone on a host until it is stock again. Pure, like the planner."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.catalog.entries import Entry
from ansible_collections.realip.toa.plugins.plugin_utils.facts import kernel_release as kernel
from ansible_collections.realip.toa.plugins.plugin_utils.planner import checks, offer
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner
from ansible_collections.realip.toa.plugins.plugin_utils.planner import plan as plan_module
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backend import Left
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.registry import REGISTRY
from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import BLOCKED, CONVERGED, PENDING, Case, Plan
from ansible_collections.realip.toa.plugins.plugin_utils.planner.reasons import reason

# How findings of persistence call the rules against strangers.
OPTION_FILTER = "option_filter"
# ... and all that is no module.
NO_MODULES = {"", OPTION_FILTER, *(name for backend in REGISTRY.values() for name in backend.at_boot)}
# Sections that go with what they are about, without the boot loader being asked.
OF_OTHERS = {
    *("schema", "claim", "proof", "monitor", OPTION_FILTER),
    *(section for backend in REGISTRY.values() for section in backend.records),
}


def decide(facts: offer.Facts, policy: Mapping[str, Any], catalog: Sequence[Entry], goal: str = "remove") -> Plan:
    """The plan of the same shape as planner.decide()'s, with `kernel_target` the kernel to go back to.

    `goal` remove is `converged` where nothing of ours, and nothing that would load TOA, is left; with `rollback` kernel packages and the
    pinned default may stay. Raises PolicyError.
    """
    case = planner.case_of(facts, policy, catalog)
    plan = planner.gate(case)
    if plan is None:
        plan = _plan(case, goal)
    plan["goal"] = goal
    return plan


def _plan(case: Case, goal: str) -> Plan:
    found = {name: what for name, backend in REGISTRY.items() if (what := backend.left(case))}
    packages = _packages(case, found.values())
    releases = {package["release"] for package in packages if package["release"]}
    loaded = sorted(name for name, module in case.modules.items() if module["loaded"])
    left = {name: item for name, item in found.items() if not (goal == "rollback" and item.is_kernel)}
    plan = plan_module.empty_plan(case, CONVERGED, [])
    plan.update(
        # Their roles take them away, in this order.
        left=list(left),
        backend=next(iter(left), ""),
        packages=packages,
        reboot=case.running in releases,
        module=_module(case, loaded),
        service=next((item.service for item in left.values() if item.service), ""),
    )
    plan["steps"] = [
        *_left_at_boot(case, plan),
        *(step for item in left.values() for step in item.steps),
        *_left_beside(case, plan),
        *_running_now(case, plan, loaded, releases),
        *_on_the_disk(case, plan, goal),
    ]
    plan["state"] = BLOCKED if plan["reasons"] else PENDING if plan["steps"] else CONVERGED
    plan["remedy"] = plan["reasons"][0]["remedy"] if plan["reasons"] else ""
    return plan


def _left_at_boot(case: Case, plan: Plan) -> list[str]:
    """Steps that take away what would load a module with the next boot. What others wrote stays: taking ours away puts it back as it was found."""
    places = [
        place["path"]
        for place in case.facts["persistence"]
        if place["ours"] and place["module"] not in NO_MODULES and not (plan["service"] and place["kind"] == "systemd")
    ]
    return [f"take TOA out of {offer.listed(places)}"] if places else []


def _left_beside(case: Case, plan: Plan) -> list[str]:
    """Steps that take away what stays on a host beside any backend."""
    steps = []
    if case.facts["firewall"]["option_filter"]:
        plan["option_filter"] = True
        steps.append("take away the rules that strip the option from strangers")
    kept = [key for key in ("monitor", "proof") if case.facts["state"].get(key)]
    if kept:
        plan["monitor"] = True
        steps.append(
            f"take away {offer.listed({'monitor': 'the monitor', 'proof': 'the record of what was proved'}[key] for key in kept)}"
        )
    return steps


def _running_now(case: Case, plan: Plan, loaded: list[str], releases: set[str]) -> list[str]:
    """Steps that end what translates: the kernel of a package needs a reboot into another."""
    if not plan["reboot"]:
        return [f"unload {offer.listed(loaded)}"] if loaded else []
    plan["kernel_target"] = _stock_kernel(case, releases)
    if not plan["kernel_target"]:
        plan["reasons"].append(reason("no_stock_kernel", running=case.running))
    return [f"drain and reboot into {plan['kernel_target'] or 'a stock kernel'}"]


def _on_the_disk(case: Case, plan: Plan, goal: str) -> list[str]:
    """Steps that remove what was installed or built; a rollback leaves kernels where they are."""
    steps = []
    if goal == "rollback":
        plan["packages"] = [package for package in plan["packages"] if package["repository"]]
        if not plan["reboot"] and checks.boot_record(case).get("state", "reverted") not in ("reverted", "default"):
            steps.append("take the trial boot back")
    if plan["packages"]:
        steps.append(f"remove {offer.listed(package['name'] for package in plan['packages'])}")
    if goal == "remove" and any(key not in OF_OTHERS for key in case.facts["state"]):
        steps.append("put the boot loader's settings back and drop the record")
    if checks.is_drained(case):
        steps.append("put the host back into service")
    return steps


def _packages(case: Case, left: Iterable[Left]) -> list[dict[str, Any]]:
    """What we installed, by the host's own record, and every TOA kernel of the catalog that is there."""
    found: dict[str, dict[str, Any]] = {}
    recorded = case.facts["state"].get("packages")
    installed = recorded.get("installed") if isinstance(recorded, Mapping) else None
    for name, item in installed.items() if isinstance(installed, Mapping) else ():
        words = item if isinstance(item, Mapping) else {}
        file, release = _word(words, "file"), _word(words, "release")
        if words.get("repository") is True:
            found[name] = plan_module.repository_package(name)
        else:
            found[file or name] = {"name": name, "role": _word(words, "role"), "file": file, "release": release}
    for item in left:
        found.update({str(package["file"] or package["name"]): dict(package) for package in item.packages})
    releases = {item["release"] for item in case.facts["kernels"]} | {case.running}
    for entry in case.catalog:
        if entry.release in releases and entry.format != "tree":
            for package in entry.packages:
                found.setdefault(package.file, plan_module.package_of(case, entry, package))
    # The record says which packages are ours; how they are packed is the host's own way.
    return [
        {"url": "", "format": case.os["package_manager"], "sha256": "", "size": 0, "repository": False, **item}
        for item in found.values()
    ]


def _word(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""


def _module(case: Case, loaded: Sequence[str]) -> str:
    """The module that is loaded, or that something means to load at boot."""
    named = [place["module"] for place in case.facts["persistence"] if place["module"] not in NO_MODULES]
    return next(iter([*loaded, *named]), "toa")


def _stock_kernel(case: Case, ours: set[str]) -> str:
    """The kernel the host came from, by its record; else the newest that is not a TOA kernel; "" where there is none."""
    stock = [
        item["release"]
        for item in case.facts["kernels"]
        if item["release"] not in ours and kernel.parse(item["release"])["upstream"]
    ]
    boot = case.facts["state"].get("boot")
    before = boot.get("old") if isinstance(boot, Mapping) else None
    if before in stock:
        return str(before)
    family = str(case.os["package_manager"])
    newest = functools.cmp_to_key(lambda one, other: kernel.compare(kernel.parse(one), kernel.parse(other), family))
    return max(stock, key=newest, default="")
