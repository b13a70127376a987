# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the proof asks, and what its answers mean. Pure: cases go in, observed addresses come back, a verdict comes out.

Most receivers read the option from the packet that completes the handshake, so that is the packet on which a wanted format must work.
An option on the SYN alone or on the first data alone is read by few; what happened there is reported and never a failure. Receivers of
the CDN kind 28 read the SYN, so there either packet will do.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.testbench.forgeries import areas
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import endpoint, mapped

# The client that the crafted options name. RFC 5737 and RFC 3849 keep these addresses for such use.
CLIENTS = {4: "203.0.113.7", 6: "2001:db8::7"}
CLIENT_PORT = 4242

# Where the crafted connections come from, unless the caller names an address of a trusted load balancer.
PEERS = {4: "192.0.2.2", 6: "2001:db8:0:1::2"}
STRANGERS = {4: "198.51.100.66", 6: "2001:db8:0:2::66"}

TRANSLATING, INERT, WRONG_KIND = "translating", "inert", "wrong_kind"
PARTIAL, ABSENT, UNPROVABLE = "partial", "absent", "unprovable"


class Case:
    """One crafted connection: what is sent to whom, what should come of it, and what did.

    `format` is None for a connection without an option. `packet` is what carries it: syn, ack (the one that completes the handshake),
    data (the first), none. `listener` is inet or inet6 (dual-stack); `family` 4 or 6 is that of the packets; `variant` is one of GROUPS, "naming", or "".
    `expected`: client, peer, or either where receivers differ.
    """

    def __init__(self, expected, option, packet, listener, family, peer, variant="", trick=""):
        self.expected = expected
        self.format = option
        self.packet = packet
        self.listener = listener
        self.family = family
        self.peer = peer
        self.variant = variant
        self.trick = trick
        self.peer_port = 0
        self.accept = self.getpeername = self.getsockopt_1348 = None
        self.problem = None  # why no connection came about
        self.untestable = None  # why it was not tried

    @property
    def kind(self):
        return self.format.name if self.format else ""

    @property
    def name(self):
        words = [
            self.kind or "no option",
            self.packet if self.format else "",
            self.listener,
            "from ipv6" if self.family == 6 else "",
        ]
        return " ".join(word for word in words + [self.variant, self.trick] if word)

    def options(self):
        """What the packet carries: the option, and around it what the trick takes."""
        option = self.format.option(CLIENTS[self.format.family], CLIENT_PORT) if self.format else b""
        return dict(areas(option))[self.trick] if self.trick else option

    def shown(self, address, port):
        """An address as accept() on this listener writes it."""
        return endpoint(mapped(address) if self.listener == "inet6" else address, port)

    def is_client(self, text):
        """Is this the address that the option carries? Formats without a port leave that of the peer, or none: only the address counts."""
        if text is None or self.format is None:
            return False
        wanted = self.shown(CLIENTS[self.format.family], CLIENT_PORT)
        if self.format.has_port:
            return text == wanted
        return text.rpartition(":")[0] == wanted.rpartition(":")[0]

    def is_peer(self, text):
        return text == self.shown(self.peer, self.peer_port)

    @property
    def seen(self):
        """client, peer, accept_only, getpeername_only, other, or nothing (no connection came about)."""
        if self.problem or self.accept is None:
            return "nothing"
        if self.is_client(self.accept):
            return "client" if self.is_client(self.getpeername) else "accept_only"
        if self.is_client(self.getpeername):
            return "getpeername_only"
        return "peer" if self.is_peer(self.accept) and self.is_peer(self.getpeername) else "other"

    @property
    def client_by_getsockopt(self):
        """Did getsockopt(1348) give the client? It may say an IPv4 address as AF_INET on any listener."""
        if not self.getsockopt_1348 or self.format is None:
            return False
        plain = endpoint(CLIENTS[self.format.family], CLIENT_PORT)
        return self.is_client(self.getsockopt_1348) or self.getsockopt_1348 == plain

    @property
    def ok(self):
        if self.untestable:
            return None
        if self.trick and self.seen == "nothing":
            return True  # kernels drop packets with broken options, and a filter may
        return self.seen in (("client", "peer") if self.expected == "either" else (self.expected,))

    def row(self):
        """The case as a row of the matrix (docs/contracts.md, "The proof")."""
        row = {
            "case": self.name,
            "kind": self.kind,
            "packet": self.packet,
            "listener": self.listener,
            "family": self.family,
            "expected": self.expected,
            "accept": self.accept,
            "getpeername": self.getpeername,
            "getsockopt_1348": self.getsockopt_1348,
            "ok": self.ok,
        }
        if self.problem or self.untestable:
            row["note"] = self.problem or self.untestable
        return row


def tricks(option):
    """Names of the forgeries with an option of this format."""
    return [name for name, _area in areas(option.option(CLIENTS[option.family], CLIENT_PORT))]


def places(option):
    """(listener, family of the packets) where a format has to work; over the other family where load balancers speak that one only."""
    usual = [("inet", 4), ("inet6", 4)] if option.family == 4 else [("inet6", 6)]
    return [place for place in usual if place[1] in option.over] or [("inet6", 10 - option.family)]
