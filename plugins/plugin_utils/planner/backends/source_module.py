# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that is built from source for the running kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.realip.toa.plugins.plugin_utils.planner.backend import Backend, Left
from ansible_collections.realip.toa.plugins.plugin_utils.planner.checks import (
    agree_on_kinds,
    check_conflicts,
    settle_module,
)
from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import Case, Offer, listed
from ansible_collections.realip.toa.plugins.plugin_utils.planner.signatures import module_demand
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import archive as source_archive
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import trees as source_trees

NAME = "source_module"
# Its section of the host's record.
RECORD = "source"


class SourceModule(Backend):
    """Built on each host, or by the builder for all that have the same kernel."""

    name = NAME
    policy: ClassVar = {
        "source": {"url": "", "reference": "", "tree": "", "signing_key": ""},
        "builder": "",
    }
    records = (RECORD,)
    needs_headers = True

    def check(self, policy: Mapping[str, Any]) -> None:
        source_trees.find(policy["source"]["tree"])
        source_archive.checked_reference(policy["source"]["reference"])

    def is_kept(self, case: Case) -> bool:
        """A host that has got a module built from source keeps to that, also when a kernel update has left it without."""
        return bool(built_here(case)) and is_wanted(case)

    def offer(self, case: Case) -> Offer:
        tree = source_trees.find(case.policy["source"]["tree"])
        offer = Offer(NAME, "a module built from source", module=tree.module)
        if not case.policy["source"]["url"]:
            return offer.reject("no_source")
        if case.kernel["debug"]:
            return offer.reject("debug_kernel", running=case.running)
        if tree.option_kinds:
            if not agree_on_kinds(case, offer, tree.option_kinds, tree.option_kinds):
                return offer
        else:
            offer.option_kinds = list(case.wanted)
        check_conflicts(case, offer)
        missing = _missing_of_source(case, offer)
        if missing:
            _check_build(case, offer)
            offer.steps += missing
        settle_module(case, offer)
        return offer

    def left(self, case: Case) -> Left | None:
        if not case.facts["state"].get(RECORD):
            return None
        built = built_here(case).get("module", "what")
        return Left(steps=[f"remove {built} that was built from source, and the packages that came for it"])


def is_wanted(case: Case) -> bool:
    """Does the operator name a source, and this backend?"""
    return bool(case.policy["source"]["url"]) and NAME in case.policy["backends"]


def built_here(case: Case) -> Mapping[str, Any]:
    """The host's own record of what was built from source on it; empty where nothing was."""
    record = case.facts["state"].get(RECORD)
    return record if isinstance(record, Mapping) and record.get("module") else {}


def _missing_of_source(case: Case, offer: Offer) -> list[str]:
    """Steps from the module that the running kernel has to the one that is wanted; none where that is so already."""
    record, policy = built_here(case), case.policy
    module = case.modules.get(offer.module)
    build = [f"build {offer.module} from {policy['source']['url']} for {case.running}"]
    if not case.facts["build"]["headers"] and "build_tools" in policy["install"] and not _elsewhere(policy):
        build.insert(0, f"install {_headers(case)}")
    if not record:
        return build
    if record.get("module") != offer.module or not module or not module["file"]:
        offer.tell(
            "not_built_for_kernel",
            module=offer.module,
            running=case.running,
            missing=listed(_missing_for_build(case, offer)),
        )
        return build
    source = record.get("source")
    source = source if isinstance(source, Mapping) else {}
    sha256, commit = source_archive.sha256_and_commit(policy["source"]["reference"])
    if (sha256 and source.get("sha256") != sha256) or (commit and source.get("commit") != commit):
        offer.tell("source_changed", module=offer.module, source=policy["source"]["url"])
        return build
    return []


def _elsewhere(policy: Mapping[str, Any]) -> bool:
    """Is the module built by the builder? Nothing else is signed, or taken by several hosts."""
    return bool(policy["builder"] or policy["source"]["signing_key"])


def _missing_for_build(case: Case, offer: Offer) -> list[str]:
    """What a host without DKMS lacks after a kernel update, by name."""
    build = case.facts["build"]
    absent = [] if build["headers"] else [_headers(case)]
    absent += [] if build["compiler"] and build["make"] else ["a compiler and make"]
    return [f"{offer.module}.ko in /lib/modules/{case.running}", *absent]


def _headers(case: Case) -> str:
    """The headers of the running kernel as the host's own repositories call them."""
    named = case.facts["build"]["headers_package"]
    return str(named) or (
        f"linux-headers-{case.running}" if case.os["package_manager"] == "deb" else f"kernel-devel-{case.running}"
    )


def _check_build(case: Case, offer: Offer) -> None:
    """What must be there, or be had, before anything is built; what another host has built needs only to be trusted."""
    policy, build, security = case.policy, case.facts["build"], case.facts["security"]
    if not policy["source"]["reference"]:
        offer.block("source_no_digest", "unverified_packages" in policy["accept"], source=policy["source"]["url"])
    if security["modules_disabled"]:
        offer.block("modules_disabled", what=f"module {offer.module}")
    if module_demand(security) and not policy["source"]["signing_key"]:
        offer.block("secure_boot_unsigned", what=f"module {offer.module}", why=module_demand(security))
    elsewhere = _elsewhere(policy)
    if build["headers"]:
        return
    if build["headers_available"] is False:
        offer.block("headers_unavailable", elsewhere, running=case.running, package=_headers(case))
    elif "build_tools" not in policy["install"]:
        offer.block("headers_missing", elsewhere, running=case.running, package=_headers(case))
