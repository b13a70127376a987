# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trusted sources: the networks of the load balancers, which alone may say who a client is."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse(texts: object) -> list[Network]:
    """Networks out of a list as in ["10.0.0.0/8", "2001:db8::/32"]; an address alone is a network of one.

    Raises ValueError, with one sentence, for anything else.
    """
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise ValueError(f"trusted sources are a list of networks as in ['10.0.0.0/8']; got {texts!r:.80}")
    networks = []
    for text in texts:
        try:
            networks.append(ipaddress.ip_network(str(text).strip(), strict=False))
        except ValueError:
            raise ValueError(
                f"trusted source {text!r:.80} is not a network; write it as in '10.0.0.0/8' or '2001:db8::/32'"
            ) from None
    return networks


def normalise(texts: object) -> list[str]:
    """The same networks, each written in one way and once; ValueError as in parse()."""
    return [str(network) for network in dict.fromkeys(parse(texts))]
