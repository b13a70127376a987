# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of each connection, and the table made of it. Pure: segments in, counts out.

Everything that a stranger can send is bounded here: connections remembered at once, rows of the table, samples of a row.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import socket

from ansible_collections.realip.toa.plugins.module_utils.detection.segment import (
    address_options,
    client,
    proxy_protocol,
)
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import ACK, FIN, SYN, endpoint

# Connections remembered at once; a further one pushes out the oldest.
REMEMBERED = 20000
# Rows of the table and samples of a row.
ROWS, SAMPLES = 2000, 5
# How far behind the SYN-ACK an acknowledgement may be and still show that the client has read it: whoever guesses
# hits one time in 65536.
WINDOW = 65536


class Connection:
    """One connection: the client's first sequence number, the server's, whether the client answered it, and options by packet."""

    __slots__ = ("first", "answer", "established", "options", "proxy", "plain", "unseen", "proved")

    def __init__(self, first, plain):
        self.first = first
        self.answer = None
        self.established = False
        self.options = {}
        self.proxy = 0
        # Whether plain segments of this connection are looked at too, so that "established" can be seen without an option.
        self.plain = plain
        # Begun before we listened.
        self.unseen = first is None
        # Established and with an option, and counted as such.
        self.proved = False


class Tracker:
    """Feeds on segments; `table()` says what they amount to. `local`: packed addresses of this host."""

    def __init__(self, local):
        self.local = local
        self.connections = {}
        self.order = []
        self.rows = {}
        self.ports = {}
        self.counts = {
            "established": 0,
            "half_open": 0,
            "with_option": 0,
            "without_option": 0,
            "for_others": 0,
            "begun_before": 0,
            "forgotten_rows": 0,
        }
        # For whoever wants to know when enough was seen: established connections with an option, and what is different about them.
        self.proved = 0
        self.different = set()

    # ---- segments

    def take(self, segment, plain):
        """One segment. `plain`: whether this client's port is in the share of which plain segments are looked at."""
        if segment.flags & (SYN | ACK) == SYN | ACK:
            self._answered(segment)
            return
        key = (segment.source, segment.source_port, segment.target, segment.target_port)
        found = self.connections.get(key)
        if segment.flags & SYN:
            if found is None or (found.first != segment.seq and (found.established or found.unseen)):
                found = self._remember(key, Connection(segment.seq, plain))
            elif found.first != segment.seq:
                found.first = segment.seq
            self._read_options(found, segment, "syn")
            return
        options = address_options(segment.options)
        if found is None:
            if not options:
                return
            found = self._remember(key, Connection(None, plain))
        packet = self._position(found, segment)
        if options:
            self._note(found, packet, options)
        if packet == "data":
            found.proxy = found.proxy or proxy_protocol(segment.data)
        if found.established and found.options and not found.proved:
            found.proved = True
            self.proved += 1
            if len(self.different) < ROWS:
                self.different.update((segment.source, segment.target_port) + option for option in found.options)

    def _answered(self, segment):
        found = self.connections.get((segment.target, segment.target_port, segment.source, segment.source_port))
        if found is not None and found.first is not None and segment.ack == (found.first + 1) & 0xFFFFFFFF:
            found.answer = segment.seq

    def _position(self, found, segment):
        """ack (the last of the handshake), data (the first), later, of a segment without SYN; marks the connection as established."""
        if found.unseen:
            return "later"
        begins = segment.seq == (found.first + 1) & 0xFFFFFFFF
        behind = 0
        if found.answer is not None:
            behind = (segment.ack - found.answer - 1) & 0xFFFFFFFF
            if behind < WINDOW:
                found.established = True
        if not begins or segment.flags & FIN:
            return "later"
        if segment.length:
            return "data"
        return "ack" if behind == 0 else "later"

    def _read_options(self, found, segment, packet):
        options = address_options(segment.options)
        if options:
            self._note(found, packet, options)

    def _note(self, found, packet, options):
        for kind, length, body in options:
            key = (kind, length, packet)
            if key not in found.options:
                found.options[key] = (body, len(options))

    def _remember(self, key, connection):
        if key not in self.connections:
            self.order.append(key)
        else:
            self._finish(key, self.connections[key])
        self.connections[key] = connection
        if len(self.order) > REMEMBERED:
            half, self.order = self.order[: REMEMBERED // 2], self.order[REMEMBERED // 2 :]
            for old in half:
                self._finish(old, self.connections.pop(old))
        return connection

    # ---- the table

    def settle(self):
        """Count every connection that is remembered; after this only table() is of use."""
        for key in self.order:
            self._finish(key, self.connections[key])
        self.connections, self.order = {}, []

    def _finish(self, key, found):
        source, unused_port, target, port = key
        here = target in self.local
        self._count(here, found)
        if found.established and not found.options:
            self._add((here, 0, 0, None, "", source, port), found, None, 0)
        for (kind, length, packet), (body, together) in found.options.items():
            self._add((here, kind, length, _version(kind, length, body), packet, source, port), found, body, together)
        if here and found.proxy and found.established:
            self.ports[port, found.proxy] = self.ports.get((port, found.proxy), 0) + 1

    def _count(self, here, found):
        if not here:
            self.counts["for_others"] += 1
        elif found.unseen:
            self.counts["begun_before"] += 1
        elif found.established:
            self.counts["established"] += 1
            self.counts["with_option" if found.options else "without_option"] += 1
        elif found.plain or found.options:
            self.counts["half_open"] += 1

    def _add(self, key, found, body, together):
        row = self.rows.get(key)
        if row is None:
            if len(self.rows) >= ROWS:
                self.counts["forgotten_rows"] += 1
                return
            row = self.rows[key] = {"established": 0, "unproved": 0, "several": 0, "samples": []}
        row["established" if found.established else "unproved"] += 1
        if together > 1:
            row["several"] += 1
        if body is not None and len(row["samples"]) < SAMPLES:
            sample = _sample(key[1], key[2], body)
            if sample not in row["samples"]:
                row["samples"].append(sample)

    def table(self):
        """Rows as dicts: here (to an address of this host), kind and length (0: without an option), version, packet, source, port, counts, samples."""
        found = []
        for key, row in self.rows.items():
            named = dict(zip(("here", "kind", "length", "version", "packet", "source", "port"), key))
            found.append(dict(named, **dict(row, source=_text(named["source"]))))
        found.sort(
            key=lambda row: (-row["established"], row["kind"], row["length"], row["packet"], row["source"], row["port"])
        )
        return found

    def proxy_protocols(self):
        """[{port, version, connections}] of established connections that began with Proxy Protocol."""
        return [
            {"port": port, "version": version, "connections": number}
            for (port, version), number in sorted(self.ports.items())
        ]


def _version(kind, length, body):
    found = client(kind, length, body)
    return found[2] if found else None


def _sample(kind, length, body):
    found = client(kind, length, body)
    if found is None:
        return "".join("%02x" % ord(body[place : place + 1]) for place in range(len(body)))
    address, port, unused_version = found
    return address if port is None else endpoint(address, port)


def _text(packed):
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
