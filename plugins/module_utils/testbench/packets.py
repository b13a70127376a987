# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""TOA option formats, and IP packets with a TCP segment inside, made and read as bytes. Pure: nothing here touches the host.

A format is written KIND/LENGTH, as in "200/8". The length alone says how the option is laid out (multi-byte fields in network order):

    length  after kind and length                     who
    8       port (2 bytes), IPv4 address (4)          Tencent, LVS, DPVS, Huawei, UCloud, vtoa
    20      port (2), IPv6 address (16)               LVS, DPVS, vtoa
    7       version (1, always 1), IPv4 address (4)   CDN nodes with kind 28: no port, so the peer's port stays
    19      version (1), IPv6 address (16)            the same for IPv6
    40      port (2), IPv6 address (16), 20 more      Alibaba's Anti-DDoS with kind 249, IPv6 to IPv4
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re
import socket
import struct

from ansible_collections.realip.toa.plugins.module_utils.common.option_formats import (
    LAYOUTS,
    OTHER_MEANINGS,
    TAKEN_KINDS,
)
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError

# Every format some receiver in the field is known to read.
KNOWN_FORMATS = ("200/8", "254/8", "253/8", "253/20", "254/20", "28/7", "28/19")

# Kinds that mean something else to every TCP.
STANDARD_KINDS = tuple(sorted(TAKEN_KINDS))

# RFC 5482 gave kind 28 to the user timeout; in TOA it is the CDN profile, whose receivers may read the SYN.
CDN_KIND = 28

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
NOP = b"\x01"
MSS = struct.pack("!BBH", 2, 4, 1220)

# Bytes of options that a TCP header has room for.
OPTIONS = 40

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
MAPPED = b"\x00" * 10 + b"\xff\xff"


class Format:
    """One option format: `kind`, `length`, the address `family` (4 or 6) it carries, and whether it carries a port.

    `family` is None where nobody knows how a client address would be written in it. `over`: families of packets that may carry it.
    """

    def __init__(self, kind, length):
        self.kind = kind
        self.length = length
        self.name = "%d/%d" % (kind, length)
        self.over = (4, 6)
        known = {} if (kind, length) in OTHER_MEANINGS else LAYOUTS
        self.family, self.has_port, _words = known.get(length, (None, False, ""))

    def option(self, address, port):
        """The option as bytes, for a textual address of this format's family."""
        packed = socket.inet_pton(FAMILIES[self.family], address)
        if self.has_port:
            return (struct.pack("!BBH", self.kind, self.length, port) + packed).ljust(self.length, b"\0")
        return struct.pack("!BBB", self.kind, self.length, 1) + packed


def parse_format(text):
    """ "200/8" -> Format; TargetError `bad_option_kind` for anything that no option can look like."""
    match = re.match(r"([0-9]{1,3})/([0-9]{1,2})\Z", "%s" % (text,))
    if match:
        kind, length = int(match.group(1)), int(match.group(2))
        if kind <= 255 and kind not in STANDARD_KINDS and 3 <= length <= 40:
            return Format(kind, length)
    raise TargetError(
        "bad_option_kind",
        "option format %r: expected KIND/LENGTH, with a kind from 6 to 255 that TCP itself does not use and a length from 3 to 40"
        % ("%s" % (text,),),
        'write it as in "200/8" (IPv4, kind 200) or "253/20" (IPv6, kind 253)',
    )


def padded(options):
    """TCP options filled up with NOPs to the 4 bytes a header counts in."""
    return options + NOP * (-len(options) % 4)


def of_a_syn(options):
    """Options of a SYN: these, and the segment size, which TCP can do without where a header is full of forged ones."""
    return options + MSS if len(options) + len(MSS) <= OPTIONS else options


def checksum(data):
    """The Internet checksum (RFC 1071) of some bytes, as an int."""
    if len(data) % 2:
        data += b"\x00"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Flow:
    """One direction of a connection, client to server: `family` 4 or 6, textual addresses, ports."""

    def __init__(self, family, client, client_port, server, server_port):
        self.family = family
        self.client, self.client_port = client, client_port
        self.server, self.server_port = server, server_port
        self._client = socket.inet_pton(FAMILIES[family], client)
        self._server = socket.inet_pton(FAMILIES[family], server)

    def segment(self, flags, seq, ack=0, options=b"", payload=b""):
        """An IP packet from the client with this TCP segment in it, checksums right."""
        options = padded(options)
        offset = (20 + len(options)) // 4
        fields = (self.client_port, self.server_port, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset << 4, flags, 64240)
        body = options + payload
        length = 20 + len(body)
        if self.family == 4:
            pseudo = self._client + self._server + struct.pack("!BBH", 0, socket.IPPROTO_TCP, length)
        else:
            pseudo = self._client + self._server + struct.pack("!IHBB", length, 0, 0, socket.IPPROTO_TCP)
        blank = struct.pack("!HHIIBBHHH", *(fields + (0, 0)))
        tcp = struct.pack("!HHIIBBHHH", *(fields + (checksum(pseudo + blank + body), 0))) + body
        return self._ip_header(length) + tcp

    def _ip_header(self, length):
        if self.family == 6:
            return struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_TCP, 64) + self._client + self._server
        head = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, 0x4000, 64, socket.IPPROTO_TCP)
        return (
            head
            + struct.pack("!H", checksum(head + b"\x00\x00" + self._client + self._server))
            + self._client
            + self._server
        )

    def answered_by(self, packet):
        """(flags, seq, ack) where an IP packet is the server's word in this connection, else None."""
        if not packet:
            return None
        version = ord(packet[0:1]) >> 4
        if version != self.family:
            return None
        if version == 4:
            start, protocol, addresses = (ord(packet[0:1]) & 15) * 4, packet[9:10], packet[12:20]
        else:
            start, protocol, addresses = 40, packet[6:7], packet[8:40]
        if protocol != b"\x06" or addresses != self._server + self._client or len(packet) < start + 20:
            return None
        source, target, seq, ack, _offset, flags = struct.unpack("!HHIIBB", packet[start : start + 14])
        if (source, target) != (self.server_port, self.client_port):
            return None
        return flags, seq, ack


def as_packed(address):
    """A textual IPv4 or IPv6 address as 4 or 16 bytes; ValueError where it is neither."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, address)
        except (socket.error, TypeError, ValueError):
            continue
    raise ValueError("%r is not an IP address" % (address,))


def endpoint(address, port):
    """One way to write an address and a port: "192.0.2.2:80", "[2001:db8::7]:80"."""
    packed = as_packed(address)
    if len(packed) == 4:
        return "%s:%d" % (socket.inet_ntop(socket.AF_INET, packed), port)
    return "[%s]:%d" % (socket.inet_ntop(socket.AF_INET6, packed), port)


def mapped(address):
    """An IPv4 address as a dual-stack AF_INET6 socket shows it (RFC 4291, 2.5.5.2); an IPv6 address as it is."""
    packed = as_packed(address)
    return socket.inet_ntop(socket.AF_INET6, MAPPED + packed if len(packed) == 4 else packed)


def read_sockaddr(data):
    """A raw sockaddr_in or sockaddr_in6 as endpoint() writes it, or None for anything else."""
    if len(data) < 16:
        return None
    family = struct.unpack("=H", data[:2])[0]
    port = struct.unpack("!H", data[2:4])[0]
    if family == socket.AF_INET:
        return endpoint(socket.inet_ntop(socket.AF_INET, data[4:8]), port)
    if family == socket.AF_INET6 and len(data) >= 24:
        return endpoint(socket.inet_ntop(socket.AF_INET6, data[8:24]), port)
    return None
