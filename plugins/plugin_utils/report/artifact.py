# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job leaves behind when its files go with its container: the substance of a report, small enough for a database. Pure.

AWX hands the artefacts of a job to the next one as variables, so that words of hosts in them would be templates there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Hosts that are told one by one; of the others there is the number.
MOST = 200
# Characters of a sentence.
LONGEST = 500

_OPENERS = (("{{", "{ {"), ("{%", "{ %"), ("{#", "{ #"))


def artifact(report: Mapping[str, Any]) -> dict[str, Any]:
    """The head of the report, its summary and waves, the names of the hosts of each state, those that need attention, and what has changed."""
    hosts = report["hosts"]
    needy = [entry for entry in hosts if entry["attention"]]
    named: dict[str, list[str]] = {}
    for entry in hosts:
        named.setdefault(entry["state"], []).append(entry["host"])
    changes = (report["changes"] or {}).get("hosts", [])
    made = {
        "kind": report["kind"],
        "at": report["at"],
        "check": report["check"],
        "ran": report["ran"],
        "summary": report["summary"],
        "attention": report["failed"],
        "verdict": report["verdict"],
        "paused": report["paused"],
        "waves": report["waves"],
        "hosts": {state: names[:MOST] for state, names in named.items()},
        "needs_attention": [
            {key: entry[key] for key in ("host", "state", "why", "remedy", "kernel")} for entry in needy[:MOST]
        ],
        "changes": [
            {"host": change["host"], "what": change["what"], "before": _state(change["before"]), "after": _state(change["after"])}
            for change in changes[:MOST]
        ],
        "left_out": sum(len(names[MOST:]) for names in named.values()) + len(needy[MOST:]) + len(changes[MOST:]),
    }  # fmt: skip
    cleaned: dict[str, Any] = _harmless(made)
    return cleaned


def _state(compared: Mapping[str, Any] | None) -> str:
    return str(compared["state"]) if compared else ""


def _harmless(value: Any) -> Any:
    """The same without anything that Jinja would take for a template."""
    if isinstance(value, Mapping):
        return {_harmless(key): _harmless(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_harmless(item) for item in value]
    if not isinstance(value, str):
        return value
    for opener, plain in _OPENERS:
        # Twice, for `{{{` leaves one behind.
        value = value.replace(opener, plain).replace(opener, plain)
    return value if len(value) <= LONGEST else value[:LONGEST] + "..."
