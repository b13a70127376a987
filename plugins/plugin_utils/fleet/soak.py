# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host that was rolled out still does well after a while. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.planner.traffic import cause

Values = Mapping[str, Any]


def trouble(before: Values, then: Values, answer: Values) -> str:
    """What has gone wrong with a host since its turn, in one sentence; "" where nothing has.

    `before`: its record, with the plan and the outcome of its turn. `then`: its facts of play 1. `answer`: the result of toa_plan now, and in
    `waited` what the wait for a real connection has given, where there was one.
    """
    if answer.get("failed"):
        return f"it cannot be looked at again: {answer.get('msg') or answer.get('code') or 'no message'}"
    facts, outcome = _mapping(_mapping(answer.get("ansible_facts")).get("toa")), _mapping(before.get("outcome"))
    boot, came_up = _mapping(facts.get("boot")), _mapping(outcome.get("boot"))
    expected = came_up.get("boot_id") or _mapping(then.get("boot")).get("boot_id")
    found = []
    if expected and boot.get("boot_id") != expected:
        found.append(
            f"it has rebooted by itself, into {_mapping(facts.get('kernel')).get('release') or 'an unknown kernel'}"
        )
    # What a host had before it was touched is none of ours; a new boot has had none.
    allowed = 0 if came_up.get("boot_id") else _number(_mapping(then.get("boot")).get("oopses"))
    if _number(boot.get("oopses")) > allowed:
        found.append("its kernel has had an oops")
    probe = _mapping(answer.get("probe"))
    if probe.get("verdict") != "translating":
        found.append(f"it is not translating any more: {probe.get('verdict') or 'nothing claims to be active'}")
    found += [
        str(item.get("detail") or item.get("code"))
        for item in facts.get("drift") or []
        # What another kernel would do is no fault of this one.
        if isinstance(item, Mapping) and item.get("code") != "next_kernel_without_toa"
    ]
    found += _silence(_mapping(answer.get("waited")))
    return "; ".join(found)


def _silence(waited: Values) -> list[str]:
    """What is wrong where somebody has waited for a real connection; None for `seen` says that nothing there counts any."""
    if waited.get("failed"):
        return [f"it cannot be seen whether it has clients: {waited.get('msg') or waited.get('code') or 'no message'}"]
    if waited.get("seen") is not False:
        return []
    what, remedy = cause(_mapping(_mapping(waited.get("traffic")).get("others")))
    return [
        f"no real connection has carried an option that counts in the {waited['seconds']} s since its proof: {what}; {remedy}"
    ]


def _mapping(value: Any) -> Values:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
