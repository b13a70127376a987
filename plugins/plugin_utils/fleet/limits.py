# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and percentages that an operator sets for a run. Pure."""

from __future__ import annotations

import re
from typing import Any

_PERCENT = re.compile(r"(\d{1,3})\s*%")


class FleetError(ValueError):
    """An option that cannot be used; the text names it and what was expected."""


def amount(value: Any, total: int, name: str) -> int:
    """A number, or a percentage of `total`, rounded down."""
    percent = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if percent and int(percent[1]) <= 100:
        return total * int(percent[1]) // 100
    return whole(value, name, " or a percentage such as 10%")


def at_least_one(value: Any, total: int, name: str) -> int:
    """The same for what must not be nothing: a percentage is at least one host, and 0 is refused."""
    if amount(value, 1000, name) == 0:
        raise FleetError(f"{name} is {value!r:.80}; expected a whole number from 1 or a percentage from 1%")
    return max(1, amount(value, total, name))


def whole(value: Any, name: str, more: str = "") -> int:
    """A whole number from 0, as a number or as a text (extra variables are texts)."""
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,7}", text):
        raise FleetError(f"{name} is {value!r:.80}; expected a whole number from 0{more}")
    return int(text)


def wave_targets(total: int, waves: Any) -> list[int]:
    """How many hosts each wave may have at most, the last one repeating; a percentage is rounded down, and is at least one host."""
    # A survey of AWX gives a text.
    wanted = (
        [part.strip() for part in waves.split(",")]
        if isinstance(waves, str)
        else [waves]
        if isinstance(waves, int)
        else list(waves or [])
    )
    if not wanted:
        raise FleetError('toa_waves is empty; expected sizes such as [1, "5%", "25%", "100%"]')
    if any(amount(item, 1000, "toa_waves") == 0 for item in wanted):
        raise FleetError(
            f"toa_waves is {wanted!r:.120}: a wave without hosts never ends; expected numbers from 1 or percentages from 1%"
        )
    return [max(1, amount(item, total, "toa_waves")) for item in wanted]


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value: Any, name: str) -> int:
    """A length of time: a number of seconds, or a text such as `15m`; nothing is 0."""
    text = "" if value is None else str(value).strip().lower()
    found = re.fullmatch(r"(\d{1,6})\s*([smhd]?)", text)
    if isinstance(value, bool) or (text and not found):
        raise FleetError(f"{name} is {value!r:.80}; expected a length of time such as 90s, 15m or 2h")
    return int(found[1]) * _UNITS[found[2]] if found else 0
