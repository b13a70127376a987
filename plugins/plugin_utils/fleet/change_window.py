# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change windows, as in `Sat,Sun 01:00-05:00 Europe/Berlin`. Pure: the caller brings the time."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from typing import Any, NamedTuple

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FORM = "expected days, times and a time zone, as in: Sat,Sun 01:00-05:00 Europe/Berlin"

_DAY = "|".join(DAYS)
_WINDOW = re.compile(
    rf"(?:(?P<days>(?:{_DAY})(?:[-,](?:{_DAY}))*)\s+)?(?P<begin>\d\d?:\d\d)\s*-\s*(?P<end>\d\d?:\d\d)(?:\s+(?P<zone>\S+))?",
    re.IGNORECASE,
)


class Window(NamedTuple):
    """Weekdays (0 is Monday) on which it opens, minutes of the day, and the zone whose clock counts."""

    days: frozenset[int]
    begin: int
    end: int
    zone: zoneinfo.ZoneInfo

    def is_open(self, now: datetime.datetime) -> bool:
        """Whether it is open at `now`, an aware time. One that ends before it begins belongs to the day on which it begins."""
        local = now.astimezone(self.zone)
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        return (day in self.days and minute >= self.begin) or ((day - 1) % 7 in self.days and minute < self.end)


def closed(text: Any, now: datetime.datetime) -> str:
    """Why nothing may begin now, or "" where it may: no window at all, or one of them is open. Raises ValueError for what is no window."""
    texts = [item for item in (text if isinstance(text, (list, tuple)) else [text]) if item not in (None, "")]
    if any(window.is_open(now) for window in [parse(item) for item in texts]) or not texts:
        return ""
    return f"outside of the change window ({'; '.join(map(str, texts))}): it is {now:%a %H:%M} UTC"


def parse(text: Any) -> Window:
    """Text -> Window; ValueError names what cannot be read."""
    found = _WINDOW.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"toa_window is {text!r:.80}; {FORM}")
    begin, end = (_minutes(found[name], text) for name in ("begin", "end"))
    if begin == end:
        raise ValueError(f"toa_window {text!r:.80} begins and ends at the same time; {FORM}")
    zone = found["zone"] or "UTC"
    try:
        return Window(_days(found["days"] or "mon-sun"), begin, end, zoneinfo.ZoneInfo(zone))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError(
            f"toa_window {text!r:.80}: this controller knows no time zone {zone} (package tzdata); {FORM}"
        ) from None


def _minutes(clock: str, text: str) -> int:
    hour, minute = map(int, clock.split(":"))
    if minute > 59 or hour * 60 + minute > 24 * 60:
        raise ValueError(f"toa_window {text!r:.80}: {clock} is no time of day; {FORM}")
    return hour * 60 + minute


def _days(text: str) -> frozenset[int]:
    """`Fri-Mon,Wed` -> weekdays."""
    days: set[int] = set()
    for part in text.lower().split(","):
        first, _dash, last = part.partition("-")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        days |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(days)
