# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""IP packets in fragments and behind extension headers, in which an option could hide from a filter. Pure."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import socket
import struct

from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import checksum

# Of a header of hop-by-hop or destination options, behind its first byte: 8 bytes in all, padding in them.
OPTIONS = b"\x00\x01\x04\x00\x00\x00\x00"


def fragments(packet):
    """An IP packet in two, cut behind the fixed part of the TCP header, so that the options are in the second."""
    if ord(packet[0:1]) >> 4 == 4:
        head, body = packet[:20], packet[20:]
        return [_part4(head, body[:24], 0x2000), _part4(head, body[24:], 3)]
    return _cut6(packet, 24)


def _cut6(packet, size):
    """An IPv6 packet in two fragments, the first with `size` bytes of it."""
    parts = []
    for data, offset in ((packet[40 : 40 + size], 1), (packet[40 + size :], size)):
        length = struct.pack("!H", 8 + len(data))
        # The last bit says that more is to come; offsets are in units of 8 bytes, 3 bits up.
        header = packet[6:7] + struct.pack("!BHI", 0, offset, 66)
        parts.append(packet[:4] + length + b"\x2c" + packet[7:40] + header + data)
    return parts


def _part4(head, data, offset):
    blank = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 66, offset, 64, socket.IPPROTO_TCP, 0) + head[12:20]
    return blank[:10] + struct.pack("!H", checksum(blank)) + blank[12:] + data


def behind_headers(packet):
    """[(name, packets)] of an IPv6 packet behind every extension header that a kernel steps over by itself."""
    found = []
    for name, header in (("hop-by-hop options", 0), ("destination options", 60)):
        found.append((name, [_wrapped(packet, header, OPTIONS)]))
        inner = _wrapped(packet, 44, struct.pack("!BHI", 0, 0, 66))
        found.append(("%s and a fragment header" % name, [_wrapped(inner, header, OPTIONS)]))
        found.append(("%s, in fragments" % name, [_wrapped(part, header, OPTIONS) for part in fragments(packet)]))
    found.append(("a fragment header", [_wrapped(packet, 44, struct.pack("!BHI", 0, 0, 66))]))
    found.append(
        (
            "two fragment headers",
            [_wrapped(part, 44, struct.pack("!BHI", 0, 0, 67 + place)) for place, part in enumerate(fragments(packet))],
        )
    )
    later = _wrapped(packet, 60, OPTIONS)
    found.append(("destination options inside of fragments", _cut6(later, 8 + 24)))
    return found


def _wrapped(packet, header, rest):
    """An IPv6 packet with an extension header in front of all others; `rest`: what follows its byte that names the next."""
    length = struct.pack("!H", len(packet) - 40 + 1 + len(rest))
    return packet[:4] + length + struct.pack("!B", header) + packet[7:40] + packet[6:7] + rest + packet[40:]
