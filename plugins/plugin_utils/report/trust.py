# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are in order and take a client's address from anybody. Nothing else would remind of that: they are green."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils import host_text

# States of hosts that translate.
GREEN = ("proved", "converged", "idle")
# More names than this make no sentence.
NAMED = 20


def trusting_all(hosts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of those entries' hosts."""
    return [entry["host"] for entry in hosts if entry.get("trusts_all_sources") and entry["state"] in GREEN]


def sentences(hosts: Sequence[str]) -> list[str]:
    """One sentence that counts and names them; none where there are no such hosts."""
    if not hosts:
        return []
    named = host_text.some(hosts, NAMED)
    many = f"{len(hosts)} hosts trust" if len(hosts) > 1 else "1 host trusts"
    return [f"{many} all sources, so that whoever reaches a port there can name any client address: {named}"]
