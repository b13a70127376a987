# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prefixes for a list of trusted sources: laws that hold for any addresses, and what a reader would expect of some."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.detection.prefixes import LINE, WEIGHT, WIDEST, cover
from hypothesis import given, settings
from hypothesis import strategies as st

IPV4 = st.builds(
    lambda a: str(ipaddress.IPv4Address(a)), st.integers(0, 2**32 - 1) | st.integers(0x64400000, 0x64400FFF)
)
IPV6 = st.builds(
    lambda a: str(ipaddress.IPv6Address(a)), st.integers(0, 2**128 - 1) | st.integers(1 << 100, (1 << 100) + 4000)
)
ADDRESSES = st.sets(IPV4 | IPV6, max_size=40)


@settings(max_examples=100, deadline=None)
@given(ADDRESSES, ADDRESSES)
def test_laws(wanted: set[str], others: set[str]) -> None:
    """Every wanted address is in exactly one prefix, no other one is in any, and none is wider than allowed."""
    networks = [ipaddress.ip_network(text) for text in cover(wanted, others)]
    for text in wanted:
        assert sum(ipaddress.ip_address(text) in network for network in networks) == 1
    for text in others - wanted:
        assert not any(ipaddress.ip_address(text) in network for network in networks)
    for network in networks:
        assert network.prefixlen >= WIDEST[network.version]
        held = sum(ipaddress.ip_address(text) in network for text in wanted)
        assert held
        # Wider than its addresses only where that saves lines worth more than the room that it lets in.
        room = (network.max_prefixlen - network.prefixlen) - held.bit_length()
        assert room * WEIGHT[network.version] <= LINE * held


@pytest.mark.parametrize(
    ("wanted", "others", "prefixes"),
    [
        ([], ["10.0.0.1"], []),
        (["10.0.0.1"], [], ["10.0.0.1/32"]),
        (["100.64.3.4", "100.64.3.200"], [], ["100.64.3.4/32", "100.64.3.200/32"]),
        (["100.64.3.4", "100.64.3.77", "100.64.3.200"], [], ["100.64.3.0/24"]),
        (["100.64.3.4", "100.64.3.77", "100.64.3.200"], ["100.64.3.99"], ["100.64.3.4/32", "100.64.3.77/32", "100.64.3.200/32"]),
        ([f"10.9.8.{n}" for n in range(256)], [], ["10.9.8.0/24"]),
        (["2001:db8:5::1", "2001:db8:6::1"], [], ["2001:db8:5::1/128", "2001:db8:6::1/128"]),
        (["10.0.0.1", "2001:db8::1"], [], ["10.0.0.1/32", "2001:db8::1/128"]),
    ],
)  # fmt: skip
def test_what_a_reader_expects(wanted: list[str], others: list[str], prefixes: list[str]) -> None:
    assert cover(wanted, others) == prefixes
