# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shortest list of prefixes that holds some addresses and little else."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# What a line of the list costs, in bits of addresses that it lets in too: three balancers of a /24 become one line, two do not.
LINE = 4.0
# An IPv6 subnet has 64 bits of room for a handful of machines, so emptiness says less there.
WEIGHT = {4: 1.0, 6: 0.25}
# No suggestion is wider than this, whatever was seen.
WIDEST = {4: 16, 6: 48}


def cover(wanted: Iterable[str], others: Iterable[str] = ()) -> list[str]:
    """Prefixes, sorted, that hold all `wanted` addresses and none of `others` (unless it is one of the wanted).

    Cheapest by this count: LINE for each prefix, and the logarithm of how many addresses it holds for each that was seen.
    Raises ValueError for what is not an address.
    """
    found: list[Network] = []
    strangers = {ipaddress.ip_address(text) for text in others}
    for version, bits in ((4, 32), (6, 128)):
        seen = sorted({a for a in map(ipaddress.ip_address, wanted) if a.version == version}, key=int)
        foreign = sorted(int(a) for a in strangers if a.version == version and a not in seen)
        if seen:
            _cost, networks = _best([int(a) for a in seen], foreign, bits, version)
            found += networks
    return [str(network) for network in found]


def _best(seen: list[int], foreign: list[int], bits: int, version: int) -> tuple[float, list[Network]]:
    """Cost and prefixes for sorted addresses, as numbers of `bits` bits."""
    if len(seen) == 1:
        return LINE, [_network(seen[0], bits, bits, version)]
    # The first bit in which any two differ: above it there is nothing to decide.
    length = bits - (seen[0] ^ seen[-1]).bit_length()
    middle = (seen[-1] >> (bits - length - 1)) << (bits - length - 1)
    left = [a for a in seen if a < middle]
    right = seen[len(left) :]
    cost_left, found_left = _best(left, [a for a in foreign if a < middle], bits, version)
    cost_right, found_right = _best(right, [a for a in foreign if a >= middle], bits, version)
    apart = cost_left + cost_right
    if length < WIDEST[version]:
        return apart, found_left + found_right
    base = (seen[0] >> (bits - length)) << (bits - length)
    if any(base <= a < base + (1 << (bits - length)) for a in foreign):
        return apart, found_left + found_right
    together = LINE + WEIGHT[version] * max(0.0, (bits - length) - math.log2(len(seen)))
    if together < apart:
        return together, [_network(seen[0], length, bits, version)]
    return apart, found_left + found_right


def _network(address: int, length: int, bits: int, version: int) -> Network:
    kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    return kind(((address >> (bits - length)) << (bits - length), length))
