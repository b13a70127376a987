# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says it saw, in a shape that can be relied on; hosts are not trusted."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.facts.clean import (
    Cleaner,
    flag,
    many,
    number,
    one_of,
    record,
    text,
)

ROWS_LIMIT = 2000
PACKETS = ("syn", "ack", "data", "later")


def _address(value: Any) -> str:
    """An IP address in its one way to be written, "" for anything else."""
    try:
        return str(ipaddress.ip_address(text(value)))
    except ValueError:
        return ""


def _count(value: Any) -> int:
    """A number that is not negative; unknown is none seen."""
    return max(0, number(value) or 0)


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6 else 0.0


def _byte(value: Any) -> int:
    return min(255, _count(value))


_ROW = record(
    here=flag, kind=_byte, length=_byte, version=number, packet=one_of(*PACKETS, ""), source=_address, port=_count,
    established=_count, unproved=_count, several=_count, samples=many(text, 5),
)  # fmt: skip

CLEAN: dict[str, Cleaner] = {
    "seconds": _seconds,
    "ended": one_of("time", "enough", "time"),
    **dict.fromkeys(
        (
            "packets", "dropped", "share", "plain_share", "cpu_ms", "udp_datagrams", "established", "half_open", "with_option",
            "without_option", "for_others", "begun_before", "forgotten_rows",
        ),
        _count,
    ),
    "rows": many(lambda value: (row if (row := _ROW(value))["source"] else None) if isinstance(value, dict) else None, ROWS_LIMIT),
    "proxy_protocol": many(lambda value: record(port=_count, version=_count, connections=_count)(value) if isinstance(value, dict) else None),
}  # fmt: skip


def seen_of(answer: object) -> dict[str, Any]:
    """`detect` of docs/contracts.md out of what a host answered."""
    given = answer if isinstance(answer, Mapping) else {}
    return {name: clean(given.get(name)) for name, clean in CLEAN.items()}


def redacted(seen: dict[str, Any]) -> dict[str, Any]:
    """The same without clients: of each sample only the network (16 bits of IPv4, 32 of IPv6)."""
    rows = [{**row, "samples": sorted({_network(sample) for sample in row["samples"]})} for row in seen["rows"]]
    return {**seen, "rows": rows}


def _network(sample: str) -> str:
    address = sample[1:].partition("]")[0] if sample.startswith("[") else sample
    if address.count(":") == 1:
        address = address.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "(hidden)"
    return str(ipaddress.ip_network((parsed, 16 if parsed.version == 4 else 32), strict=False))
