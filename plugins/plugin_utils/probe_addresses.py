# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where crafted connections come from, so that a receiver which believes load balancers only believes the probe."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from ansible_collections.realip.toa.plugins.plugin_utils import trusted_networks

# What the target code uses by itself (probe_cases.PEERS; a test holds them equal): RFC 5737 and RFC 3849 keep them for such use.
DEFAULTS = ("192.0.2.2", "2001:db8:0:1::2")

# Whom nobody has to believe; the first of each family is what the target code uses by itself (probe_cases.STRANGERS).
STRANGERS = (
    "198.51.100.66",
    "192.0.2.66",
    "203.0.113.66",
    "100.64.0.66",
    "2001:db8:0:2::66",
    "2001:db8:ffff::66",
    "fd00::66",
    "4000::66",
)


def for_proof(networks: Sequence[str] | None) -> dict[str, list[str] | list[int] | None]:
    """`peers` and `families` of a proof; None where the operator has not chosen, so that the host's own list counts."""
    if networks is None:
        return {"peers": None, "families": None}
    return {"peers": trusted_peers(networks), "families": trusted_families(networks)}


def trusted_peers(networks: Sequence[str]) -> list[str]:
    """For each family in which the defaults would not be believed, the first address of a trusted network.

    Raises ValueError for what is not a list of networks.
    """
    parsed = trusted_networks.parse(networks)
    peers = []
    for default in map(ipaddress.ip_address, DEFAULTS):
        # The kernel takes no packet from a loopback or multicast address, whoever trusts it.
        usable = [
            network
            for network in parsed
            if network.version == default.version and not (network.is_loopback or network.is_multicast)
        ]
        if usable and not any(default in network for network in usable):
            peers.append(str(next(iter(usable[0].hosts()))))
    return peers


def trusted_families(networks: Sequence[str]) -> list[int]:
    """The families, 4 and 6, in which somebody is believed: both where no networks are named. Raises ValueError as trusted_peers()."""
    return sorted({network.version for network in trusted_networks.parse(networks)}) or [4, 6]


def strangers(networks: Sequence[str]) -> list[str]:
    """One address of each family that is in none of the networks, left out where there is none. Raises ValueError as trusted_peers()."""
    parsed = trusted_networks.parse(networks)
    found: dict[int, str] = {}
    for address in map(ipaddress.ip_address, STRANGERS):
        if not any(address in network for network in parsed):
            found.setdefault(address.version, str(address))
    return list(found.values())
