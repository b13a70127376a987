# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An IP packet with a TCP segment in it, read as bytes that anybody may have sent. Pure: nothing here touches the host."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import socket
import struct

from ansible_collections.realip.toa.plugins.module_utils.common.option_formats import (
    LAYOUTS,
    OTHER_MEANINGS,
    TAKEN_KINDS,
)

# RFC 6994: an experimental option (253, 254) begins with the number of its experiment. Source: IANA, "TCP Experimental Option Experiment Identifiers".
EXPERIMENTS = {
    b"\xf9\x89": "TCP Fast Open",
    b"\xe2\xd4": "SMC-R",
    b"\x45\x4e": "TCP-ENO",
    b"\xac\xce": "accurate ECN",
}
PROXY_1, PROXY_2 = b"PROXY ", b"\r\n\r\n\x00\r\nQUIT\n"


class Segment:
    """One TCP segment. `source` and `target` are packed addresses, `length` is that of the data, `data` its first bytes."""

    __slots__ = ("source", "target", "source_port", "target_port", "seq", "ack", "flags", "options", "length", "data")


def read(packet):
    """bytes from the IP header on -> Segment, or None for what is no whole TCP header."""
    if len(packet) < 40:
        return None
    version = ord(packet[0:1]) >> 4
    if version == 4:
        start = (ord(packet[0:1]) & 15) * 4
        end = struct.unpack("!H", packet[2:4])[0]
        source, target = packet[12:16], packet[16:20]
    elif version == 6:
        start = 40
        end = struct.unpack("!H", packet[4:6])[0]
        end = end and end + 40
        source, target = packet[8:24], packet[24:40]
    else:
        return None
    if start < 20 or len(packet) < start + 20:
        return None
    found = Segment()
    found.source, found.target = source, target
    found.source_port, found.target_port, found.seq, found.ack, offset, found.flags = struct.unpack(
        "!HHIIBB", packet[start : start + 14]
    )
    data = start + (offset >> 4) * 4
    if data < start + 20 or data > len(packet):
        return None
    found.options = packet[start + 20 : data]
    # A packet that the kernel merged out of many may have no length in its header.
    found.length = max(0, (end or len(packet)) - data)
    found.data = packet[data : data + 12] if found.length else b""
    return found


def address_options(options):
    """[(kind, length, bytes after kind and length)] of what may be a TOA among TCP options, in their order.

    Left out: kinds that TCP itself uses, and experiments of others. What is broken ends the search, as in every receiver but one (field guide 11.6).
    """
    found = []
    place = 0
    while place < len(options):
        kind = ord(options[place : place + 1])
        if kind == 0:
            break
        if kind == 1:
            place += 1
            continue
        if place + 1 >= len(options):
            break
        length = ord(options[place + 1 : place + 2])
        if length < 2 or place + length > len(options):
            break
        body = options[place + 2 : place + length]
        if kind not in TAKEN_KINDS and length > 2 and not (kind in (253, 254) and _experiment(length, body)):
            found.append((kind, length, body))
        place += length
    return found


def _experiment(length, body):
    # 254/8 with F989 in front is port 63881, or an experimental Fast Open cookie of four bytes: all others send cookies of eight.
    return body[:2] in EXPERIMENTS and length not in (8, 20)


def client(kind, length, body):
    """(address, port or None, version or None) that an option carries as texts and numbers; None where its layout is not known."""
    if (kind, length) in OTHER_MEANINGS or length not in LAYOUTS:
        return None
    family, has_port, _words = LAYOUTS[length]
    # After port or version; what may follow is the load balancer's own.
    begin = 2 if has_port else 1
    packed = body[begin : begin + (4 if family == 4 else 16)]
    address = socket.inet_ntop(socket.AF_INET if family == 4 else socket.AF_INET6, packed)
    if has_port:
        return address, struct.unpack("!H", body[:2])[0], None
    return address, None, ord(body[0:1])


def proxy_protocol(data):
    """1 or 2 where the first bytes of a connection begin with Proxy Protocol of that version, else 0."""
    if data[: len(PROXY_1)] == PROXY_1:
        return 1
    return 2 if data[: len(PROXY_2)] == PROXY_2 else 0
