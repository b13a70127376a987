# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a host's run, `__toa`: {run, plan, probe, slot, outcome, times, undo, drained, changed_since, trouble, reverted}. Pure: no I/O, no clock.

toa_plan begins it in play 1: with its result, `__toa` has a run, a plan and a proof, and nothing of a run before. toa_record writes the rest. A host that
has not begun has no slot in it yet: where it stands, and why it does not begin, is in the order of the run (`__toa_order`, the result of toa_order),
which all hosts of the run share. What stands behind a part of a wave is in `__toa_gate` of the hosts of that part (toa_gate).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

Variables: TypeAlias = Mapping[str, Any]

NAME, ORDER, GATE, ATTENTION = "__toa", "__toa_order", "__toa_gate", "__toa_attention"

# What a host's outcome is until it has one: only a task of the operator that ends UNREACHABLE takes a host away without a word.
VANISHED = {
    "state": "lost",
    "stage": "begun",
    "code": "left_the_run",
    "message": "the run lost this host in a task of the operator (UNREACHABLE)",
    "remedy": "see the output of the run; a host that was drained is still drained",
}


def looked(variables: Variables) -> Mapping[str, Any] | None:
    """What play 1 registered for a host, with what has been added since; None for a host that the run was not about."""
    value = variables.get(NAME)
    return value if isinstance(value, Mapping) else None


def of(variables: Variables) -> dict[str, Any]:
    """The record of a host, whole, of whatever its variables hold."""
    seen = looked(variables) or {}
    run = _text(seen.get("run"))
    slot = _mapping(seen.get("slot")) or _given_slot(variables)
    return {
        "run": run,
        "plan": seen.get("plan"),
        "probe": seen.get("probe"),
        "slot": {key: value for key, value in slot.items() if key != "left"},
        # A host that has begun has an outcome; one that was told that it does not begin has that.
        "outcome": _mapping(seen.get("outcome")) or _mapping(slot.get("left")),
        "times": _mapping(seen.get("times")),
        "undo": [str(name) for name in seen.get("undo") or []],
        "drained": seen.get("drained") is True,
        "changed_since": [str(item) for item in seen.get("changed_since") or []],
        "trouble": _mapping(seen.get("trouble")),
        "reverted": _mapping(seen.get("reverted")),
    }


def run_of(hosts: Iterable[str], hostvars: Any) -> str:
    """The run that these hosts of a play are in. The first of them may have nothing to say: one whose variables are broken was never looked at."""
    read = getattr(hostvars, "raw_get", hostvars.get)
    for host in hosts:
        seen = looked(read(host) or {})
        if seen and _text(seen.get("run")):
            return _text(seen["run"])
    return ""


def begun(variables: Variables, now: str) -> dict[str, Any]:
    """The record of a host whose turn begins: nothing of an earlier turn is left in it."""
    fresh = {
        "outcome": dict(VANISHED), "times": {"began": now}, "undo": [], "drained": False, "changed_since": [], "trouble": {}, "reverted": {},
    }  # fmt: skip
    return {**of(variables), **fresh}


def noted(record: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    """The record with what toa_record was told."""
    after = dict(record)
    if news.get("undo") and news["undo"] not in after["undo"]:
        after["undo"] = [*after["undo"], news["undo"]]
    if news.get("undone"):
        after["undo"] = [name for name in after["undo"] if name != news["undone"]]
    if news.get("drained") is not None:
        after["drained"] = news["drained"]
    if news.get("changed_since") is not None:
        after["changed_since"] = news["changed_since"]
    for key in ("plan", "trouble", "reverted", "outcome"):
        if news.get(key):
            after[key] = dict(news[key])
    if news.get("outcome"):
        # It was the reason of this outcome, and of no other.
        after["trouble"] = {}
    if news.get("later"):
        after["outcome"] = _with_later(after["outcome"], news["later"])
    return after


def _with_later(outcome: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """An outcome that stands, with what failed after it."""
    said = f"but {later.get('message') or later.get('code') or 'a later step failed'}"
    message = "; ".join(part for part in (_text(outcome.get("message")), said) if part)
    news = {key: later[key] for key in ("stage", "code", "remedy") if later.get(key)}
    return {**outcome, **news, "message": message}


def order_of(variables: Variables) -> dict[str, Any]:
    """The order of the run that has looked at a host last; empty where that has none."""
    order = _mapping(variables.get(ORDER))
    return order if order.get("run") == _text((looked(variables) or {}).get("run")) else {}


def closing(hosts: Mapping[str, Variables]) -> dict[str, Any]:
    """The outcome of those hosts of a run that have a slot and never began: what its last gate said; empty where none did."""
    last: dict[str, Any] = {}
    for variables in hosts.values():
        found = _mapping(variables.get(GATE))
        if found and found.get("run") == order_of(variables).get("run") and found.get("part", 0) > last.get("part", 0):
            last = found
    return _mapping(last.get("words"))


def _given_slot(variables: Variables) -> dict[str, Any]:
    order, host = order_of(variables), _text(variables.get("inventory_hostname"))
    left, slots = order.get("left"), order.get("slots")
    # Not copied: all hosts of a run share them.
    if isinstance(left, Mapping) and host in left:
        return {"left": _mapping(left[host])}
    return _mapping(slots[host]) if isinstance(slots, Mapping) and host in slots else {}


def _mapping(value: Any) -> dict[str, Any]:
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
