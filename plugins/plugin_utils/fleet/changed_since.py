# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan is as old as the waves before it. What has become of a host since, and what that means for its turn. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import CLEAN
from ansible_collections.realip.toa.plugins.plugin_utils.facts.clean import text

# Sections of the host's record that say nothing about what a plan goes by: who has the host, and how the record is written.
NOT_COMPARED = ("claim", "schema")
# What a plan does to a host; where that is the same, it is the same plan.
COMPARED = ("goal", "backend", "kernel_target", "packages", "reboot", "module", "service", "option_kinds", "left")


def changed(facts: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    """What is not as play 1 saw it: `facts` are those of the plan, `seen` is what the claim found ({boot_id, kernel, state})."""
    boot, kernel = facts.get("boot") or {}, facts.get("kernel") or {}
    found = []
    if seen.get("boot_id") and boot.get("boot_id") and seen["boot_id"] != boot["boot_id"]:
        found.append("it was rebooted")
    if seen.get("kernel") and kernel.get("release") and seen["kernel"] != kernel["release"]:
        found.append(f"kernel {text(seen['kernel'])} runs in place of {kernel['release']}")
    before, now = _sections(facts.get("state")), _sections(CLEAN["state"](seen.get("state")))
    names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if names and "state" in seen:
        found.append(f"its record of {', '.join(names)} has changed")
    return found


def outcome(old: Mapping[str, Any], new: Mapping[str, Any], what: list[str]) -> dict[str, Any]:
    """The outcome of a host that is left alone, because it is not what its plan was made for; {} for one that is taken by its new plan."""
    why = "; ".join(what)
    state = str(new.get("state"))
    if state == "pending" and all(old.get(key) == new.get(key) for key in COMPARED):
        return {}
    words = {"stage": "look again", "message": f"this host has changed since its plan was made ({why})"}
    if state == "converged":
        return {**words, "state": "converged", "code": "already_done", "remedy": ""}
    if state == "pending":
        # What would be done now is not what was reviewed, or what its wave has room for.
        remedy = "run again: its plan is another one by now"
        return {**words, "state": "pending", "code": "planned_anew", "remedy": remedy}
    return {
        **words,
        "state": "blocked",
        "code": "planned_anew",
        "remedy": str(new.get("remedy") or "run the playbook realip.toa.plan"),
    }


def _sections(state: Any) -> dict[str, Any]:
    return {key: value for key, value in state.items() if key not in NOT_COMPARED} if isinstance(state, Mapping) else {}
