# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses are in a network, and which of them may send packets. Pure."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import socket
import struct

from ansible_collections.realip.toa.plugins.module_utils.testbench.cases import PEERS
from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import LOCAL
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import FAMILIES, as_packed


# Strangers with a low, a middle and a high first byte; those that are trusted are left out.
STRANGERS = {
    4: ("10.66.66.66", "100.64.0.66", "198.51.100.66", "203.0.113.66"),
    6: ("2001:db8:0:2::66", "fd00::66", "4000::66"),
}


def addresses_for(networks):
    """{"peers": [address], "families": [4, 6], "untrusted_peers": [address]} for a proof on a host that trusts these networks alone.

    Peers are named only in families in which the usual ones would not be trusted.
    """
    peers, strangers = [], []
    families = sorted(set(6 if ":" in text else 4 for text in networks)) or [4, 6]
    for family in families:
        own = [text for text in networks if (":" in text) == (family == 6)]
        usable = [address for address in map(inside, own) if address]
        if usable and not [text for text in own if is_in(PEERS[family], text)]:
            peers.append(usable[0])
    for family in (4, 6):
        found = [text for text in STRANGERS[family] if not [network for network in networks if is_in(text, network)]]
        strangers.extend(found[:1])
    return {"peers": peers, "families": families, "untrusted_peers": strangers}


def _bits(text):
    return int("0" + "".join("%02x" % ord(text[place : place + 1]) for place in range(len(text))), 16)


def is_in(address, network):
    """Is a textual address in a network, as in "10.0.0.0/8"?"""
    name, _slash, length = network.partition("/")
    one, other = as_packed(address), as_packed(name)
    shift = len(other) * 8 - int(length or len(other) * 8)
    return len(one) == len(other) and _bits(one) >> shift == _bits(other) >> shift


def inside(network):
    """An address of a network that may send packets, or None: the kernel takes none from loopback, multicast, 0.0.0.0/8 or itself."""
    name, _slash, length = network.partition("/")
    packed = as_packed(name)
    size = len(packed) * 8
    hosts = 1 << size - int(length or size)
    for number in range(_bits(packed), _bits(packed) + min(hosts, 4)):
        raw = b"".join(struct.pack("!B", number >> shift & 255) for shift in range(size - 8, -8, -8))
        address = socket.inet_ntop(FAMILIES[4 if size == 32 else 6], raw)
        first = ord(raw[0:1])
        sends = 0 < first < 224 and first != 127 if size == 32 else first != 255 and number > 1
        if sends and address not in LOCAL.values() and (number != _bits(packed) or hosts == 1):
            return address
    return None
