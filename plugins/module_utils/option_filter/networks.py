# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses are in a network, and which of them may send packets. Pure."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import socket
import struct

from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import LOCAL
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import FAMILIES, as_packed


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
