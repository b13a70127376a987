# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What play 1 has seen of the hosts: their facts and plans, and which of them a run is about. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.fleet.records import Variables, looked
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.selection import matching


def of_run(hostvars: Mapping[str, Variables], run: str | None) -> dict[str, Variables]:
    """The hosts that this run has looked at, or was to look at: where variables are broken, toa_plan does not come to naming it. Without an id, all."""
    found = {host: looked(hostvars[host]) for host in hostvars}
    return {
        host: hostvars[host]
        for host, seen in found.items()
        if not run or (seen is not None and (seen.get("run") or run) == run)
    }


def select(hostvars: Mapping[str, Variables], state: str, run: str = "") -> dict[str, dict[str, Any]]:
    """The hosts whose plan has this state: {host: {facts, plan}}."""
    return {host: known for host, known in judged(hostvars, run).items() if known["plan"].get("state") == state}


def left_out(hostvars: Mapping[str, Variables], only: str) -> frozenset[str]:
    """The hosts that have a plan and for which the JMESPath expression `only` is not true. Raises SelectionError."""
    if not only:
        return frozenset()
    known = judged(hostvars)
    return frozenset(known) - frozenset(matching(known, only))


def judged(hostvars: Mapping[str, Variables], run: str = "") -> dict[str, dict[str, Any]]:
    """Every host that has a plan, of this run if it is named, in order: {host: {facts, plan}}."""
    found = {}
    for host in sorted(hostvars):
        seen = looked(hostvars[host]) or {}
        plan = seen.get("plan")
        if isinstance(plan, Mapping) and (not run or seen.get("run") == run):
            found[host] = {"facts": facts_of(hostvars[host]), "plan": plan}
    return found


def facts_of(variables: Variables) -> Mapping[str, Any]:
    facts = (variables.get("ansible_facts") or {}).get("toa")
    return facts if isinstance(facts, Mapping) else {}
