# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What play 1 has seen of the hosts: their facts and plans, and which of them a run is about. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ansible_collections.realip.toa.plugins.plugin_utils.fleet.selection import matching

Variables: TypeAlias = Mapping[str, Any]


def looked(variables: Variables) -> Mapping[str, Any] | None:
    """What play 1 registered for a host, or None for a host that the run was not about."""
    value = variables.get("__toa_looked")
    return value if isinstance(value, Mapping) else None


def select(hostvars: Mapping[str, Variables], state: str) -> dict[str, dict[str, Any]]:
    """The hosts whose plan has this state: {host: {facts, plan}}."""
    return {host: known for host, known in judged(hostvars).items() if known["plan"].get("state") == state}


def left_out(hostvars: Mapping[str, Variables], only: str) -> frozenset[str]:
    """The hosts that have a plan and for which the JMESPath expression `only` is not true. Raises SelectionError."""
    if not only:
        return frozenset()
    known = judged(hostvars)
    return frozenset(known) - frozenset(matching(known, only))


def judged(hostvars: Mapping[str, Variables]) -> dict[str, dict[str, Any]]:
    """Every host that has a plan, in order: {host: {facts, plan}}."""
    found = {}
    for host in sorted(hostvars):
        plan = (looked(hostvars[host]) or {}).get("plan")
        if isinstance(plan, Mapping):
            found[host] = {"facts": facts_of(hostvars[host]), "plan": plan}
    return found


def facts_of(variables: Variables) -> Mapping[str, Any]:
    facts = (variables.get("ansible_facts") or {}).get("toa")
    return facts if isinstance(facts, Mapping) else {}
