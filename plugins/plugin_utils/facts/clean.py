# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleaners: any value of a host in, a value of one type out.

Hosts are untrusted. What one answers has the shape of the table in docs/contracts.md when it leaves here, whatever
it sent: unknown keys are gone, wrong types have become the empty value, text is short and printable, lists are bounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from ansible_collections.realip.toa.plugins.plugin_utils import host_text

TEXT_LIMIT = 512
LIST_LIMIT = 256
# Of trusted sources, as many as the eBPF backend has room for.
NETWORKS_LIMIT = 4096
KEY_LIMIT = 64
DEPTH_LIMIT = 6

Cleaner: TypeAlias = Callable[[Any], Any]


def text(value: Any) -> str:
    """Text of at most TEXT_LIMIT characters in which nothing can move a terminal's cursor."""
    if not isinstance(value, str):
        return ""
    return host_text.line(value[:TEXT_LIMIT])


def flag(value: Any) -> bool:
    return value is True


def tristate(value: Any) -> bool | None:
    """True, False, or None where the host does not know."""
    return value if isinstance(value, bool) else None


def number(value: Any) -> int | None:
    """An integer of 64 bits, or None: unknown is not zero."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None


def many(clean: Cleaner, limit: int = LIST_LIMIT) -> Cleaner:
    """A list; items that do not survive cleaning (None, empty text) are left out."""

    def clean_list(value: Any) -> list[Any]:
        if not isinstance(value, list):
            return []
        return [kept for item in value[:limit] if (kept := clean(item)) not in (None, "")]

    return clean_list


def record(**fields: Cleaner) -> Cleaner:
    """A dict with exactly these keys."""

    def clean_record(value: Any) -> dict[str, Any]:
        given = value if isinstance(value, dict) else {}
        return {name: clean(given.get(name)) for name, clean in fields.items()}

    return clean_record


def records(**fields: Cleaner) -> Cleaner:
    """A list of dicts with exactly these keys; what is not a dict is left out."""
    clean = record(**fields)
    return many(lambda value: clean(value) if isinstance(value, dict) else None)


def optional(clean: Cleaner) -> Cleaner:
    """A dict, or None where the host sent none."""
    return lambda value: clean(value) if isinstance(value, dict) else None


def mapping(clean: Cleaner) -> Cleaner:
    """A dict from short text to values of one type; values that do not survive (None) are left out."""

    def clean_mapping(value: Any) -> dict[str, Any]:
        pairs = list(value.items())[:LIST_LIMIT] if isinstance(value, dict) else []
        cleaned = {text(key)[:KEY_LIMIT]: clean(item) for key, item in pairs if isinstance(key, str)}
        return {key: item for key, item in cleaned.items() if item is not None}

    return clean_mapping


def one_of(*names: str) -> Cleaner:
    """One of these words, or the last of them."""
    return lambda value: value if value in names else names[-1]


def anything(value: Any, depth: int = 0) -> Any:
    """JSON of any shape within all limits, for what has no fixed shape."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return number(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return text(value)
    if depth >= DEPTH_LIMIT:
        return None
    if isinstance(value, list):
        return [anything(item, depth + 1) for item in value[:LIST_LIMIT]]
    if isinstance(value, dict):
        return mapping(lambda item: anything(item, depth + 1))(value)
    return None


# ---- what distributions come with
