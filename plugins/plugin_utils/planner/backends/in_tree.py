# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TOA module that the running kernel brings along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.planner.backend import Backend
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends import source_module
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.packaged_kernel import backend_of
from ansible_collections.realip.toa.plugins.plugin_utils.planner.checks import (
    agree_on_kinds,
    check_conflicts,
    settle_module,
)
from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import (
    IPV6_MODULES,
    MODULE_READS,
    TENCENTOS_READS,
    Case,
    Offer,
)
from ansible_collections.realip.toa.plugins.plugin_utils.planner.signatures import check_module


class InTree(Backend):
    """The module that came with the running kernel."""

    name = "in_tree"
    in_image = True

    def offer(self, case: Case) -> Offer:
        module = _own_module(case)
        name = module["name"] if module else "toa"
        offer = Offer("in_tree", f"module {name}", module=name, ipv6=name in IPV6_MODULES)
        if module is None:
            return offer.reject("no_module", running=case.running)
        if case.running_entry and backend_of(case.running_entry) in case.policy["backends"]:
            return offer.reject("already_toa_kernel", running=case.running, entry=case.running_entry.key)
        if source_module.is_wanted(case) and source_module.built_here(case).get("module") == name:
            return offer.reject("built_from_source", module=name)
        if case.kernel["debug"]:
            return offer.reject("debug_kernel", running=case.running)
        reads = TENCENTOS_READS if name == "toa" and case.os["id"] == "tencentos" else MODULE_READS.get(name, ())
        if reads and not agree_on_kinds(case, offer, reads, reads[:2] if name in IPV6_MODULES else reads):
            return offer
        if not reads:
            offer.option_kinds = list(case.wanted)
            if not case.wanted and not case.probe:
                offer.tell("option_kinds_unknown", module=name)
        check_conflicts(case, offer)
        check_module(
            case, offer, offer.what, module.get("signers", []), module["loaded"] or module["file"] == "builtin"
        )
        settle_module(case, offer)
        return offer


def _own_module(case: Case) -> Mapping[str, Any] | None:
    """The TOA module that modprobe would find for the running kernel: a loaded one first, then `toa`, then any.

    On Alinux 3 vtoa is none of these: whether it may be used is for the backend vtoa to say.
    """
    alinux3 = case.os["id"] == "alinux" and case.os["major"] == 3
    found = [
        module
        for name, module in case.modules.items()
        if (module["file"] or module["loaded"]) and not (alinux3 and name == "vtoa")
    ]
    return min(found, key=lambda module: (not module["loaded"], module["name"] != "toa", module["name"]), default=None)
