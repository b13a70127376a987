# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trusted sources: the networks of the load balancers, which alone may say who a client is. A choice that the operator has to make.

`toa_trusted_sources` is a list of networks, or the word `all`: the network in front of the hosts lets nobody else through. In code the choice is
None (not made), [] (all sources are trusted) or a list of networks.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ALL = "all"
EXPECTED = "toa_trusted_sources is a list of the load balancers' networks as in ['10.0.0.0/8', '2001:db8::/32'], or the word all"
# Said of a variable that is there and has no value: a template that came out empty must not remove the protection.
NULL = f"{EXPECTED}; got nothing: remove the variable, or give it a value"


def choice(given: object) -> list[str] | None:
    """None where no choice was made, [] where all sources are trusted, else the networks. Raises ValueError, with one sentence."""
    if given is None:
        return None
    return [] if isinstance(given, str) and given == ALL else normalise(given)


def parse(texts: object) -> list[Network]:
    """Networks out of a list as in ["10.0.0.0/8", "2001:db8::/32"]; an address alone is a network of one.

    Raises ValueError, with one sentence, for anything else.
    """
    if isinstance(texts, (str, bytes, Mapping)) or not isinstance(texts, Iterable):
        raise ValueError(f"trusted sources: {EXPECTED}; got {texts!r:.80}")
    networks = [_network(text) for text in texts]
    for whole in ("0.0.0.0/0", "::/0"):
        version = 4 if whole == "0.0.0.0/0" else 6
        merged = [str(found) for found in _merged(networks, version)]
        if merged == [whole]:
            named = ", ".join(str(network) for network in networks if network.version == version)
            raise ValueError(
                f"trusted sources {named:.80} are every IPv{version} address there is; list the load balancers' networks, or say so "
                "with toa_trusted_sources: all"
            )
    return networks


def _merged(networks: Iterable[Network], version: int) -> list[Network]:
    return list(ipaddress.collapse_addresses(network for network in networks if network.version == version))  # type: ignore[type-var]


def _network(text: object) -> Network:
    """One network of the list; ValueError that says what is wrong with it and how it is written."""
    words = text.strip() if isinstance(text, str) else ""
    if words.lower() == ALL:
        raise ValueError(
            f"trusted source {text!r:.80} stands in a list; the word stands alone: toa_trusted_sources: all"
        )
    try:
        network = ipaddress.ip_network(words, strict=False)
        if isinstance(network, ipaddress.IPv6Network):
            if network.network_address.scope_id is not None:
                raise ValueError
            return _ipv6(text, network, words)
    except ValueError as problem:
        if problem.args and str(problem).startswith("trusted source"):
            raise
        raise ValueError(
            f"trusted source {text!r:.80} is not a network; write it as in '10.0.0.0/8' or '2001:db8::/32'"
        ) from None
    return _whole(text, network, words)


def _ipv6(text: object, network: ipaddress.IPv6Network, words: str) -> Network:
    """IPv4 packets have IPv4 addresses also on IPv6 sockets: a mapped network would never match."""
    mapped = network.network_address.ipv4_mapped
    if mapped is None:
        return _whole(text, network, words)
    advice = f"write {mapped}/{network.prefixlen - 96}" if network.prefixlen > 96 else "write IPv4 networks as such"
    raise ValueError(f"trusted source {text!r:.80} is an IPv4-mapped network, and no packet comes from one; {advice}")


def _whole(text: object, network: Network, words: str) -> Network:
    """A network whose address has no bits behind the prefix: which of both was meant, nobody can know."""
    address = words.partition("/")[0]
    if ipaddress.ip_address(address) != network.network_address:
        raise ValueError(
            f"trusted source {text!r:.80} has bits of a host behind the prefix; write {network} for the network, or {address} for "
            "the address alone"
        )
    return network


def normalise(texts: object) -> list[str]:
    """The same networks, each written in one way and once; ValueError as in parse()."""
    return [str(network) for network in dict.fromkeys(parse(texts))]
