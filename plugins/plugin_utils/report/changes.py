# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is different from the report before. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.report.values import natural

SCHEMA = 1

# What is compared with the report before.
COMPARED = ("state", "backend", "kernel", "verdict")


def changes(
    before: Mapping[str, Any], hosts: Iterable[Mapping[str, Any]], known: Container[str] = ()
) -> dict[str, Any] | None:
    """What is different from the report `before`: {since, hosts: [{host, what (appeared, gone, changed), before, after}]}; None where that is no report.

    `known` are the hosts of the inventory: one that this run was not about is not gone.
    """
    listed = before.get("hosts")
    if before.get("schema") != SCHEMA or not isinstance(listed, list):
        return None
    old = {str(entry["host"]): entry for entry in listed if isinstance(entry, Mapping) and entry.get("host")}
    new = {entry["host"]: entry for entry in hosts}
    found = []
    for host in sorted(old.keys() | new.keys(), key=natural):
        was, now = _compared(old.get(host)), _compared(new.get(host))
        if (now is None and host in known) or (was is None and before.get("only")):
            continue
        if was != now:
            what = "appeared" if was is None else "gone" if now is None else "changed"
            found.append({"host": host, "what": what, "before": was, "after": now})
    return {"since": str(before.get("at") or ""), "hosts": found}


def _compared(entry: Mapping[str, Any] | None) -> dict[str, str] | None:
    return None if entry is None else {key: str(entry.get(key) or "") for key in COMPARED}
