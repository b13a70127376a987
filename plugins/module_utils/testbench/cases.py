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
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import CDN_KIND, Format, endpoint, mapped

# The client that the crafted options name. RFC 5737 and RFC 3849 keep these addresses for such use.
CLIENTS = {4: "203.0.113.7", 6: "2001:db8::7"}
CLIENT_PORT = 4242

# Where the crafted connections come from, unless the caller names an address of a trusted load balancer.
PEERS = {4: "192.0.2.2", 6: "2001:db8:0:1::2"}
STRANGERS = {4: "198.51.100.66", 6: "2001:db8:0:2::66"}

# Candidates for the control "wrong kind": nobody in the field reads them.
UNREAD_KINDS = (111, 112, 113)

GROUPS = ("ipv6", "mptcp", "defer_accept", "syn_cookies", "fastopen", "spoof")

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


class Questions:
    """Every case of one probe.

    `wanted` are the formats that must work. Without any, whatever of `others` the host reads is found out first, and then must work.
    `others` are the formats nobody asked for, which serve to name what a host reads. `peers` and `strangers` map 4 and 6 to addresses.
    `families` are those (4, 6) in which a load balancer is believed at all.
    """

    def __init__(self, wanted, others=(), groups=(), full=False, peers=None, strangers=None, families=(4, 6)):
        self.discover = not wanted
        self.wanted = [option for option in wanted if option.family]
        self.unknown = [option.name for option in wanted if not option.family]
        self.others = [
            option for option in others if option.family and option.name not in [known.name for known in wanted]
        ]
        self.groups = groups
        self.full = full
        self.peers = peers or PEERS
        self.strangers = strangers or STRANGERS
        for option in list(wanted) + list(others):
            option.over = families

    def put(self, run):
        """Ask the host, stopping where controls fail; `run` takes a list of cases and returns it with what was seen. Returns the cases."""
        done = run(self.controls())
        if broken_controls(done):
            return done
        if self.discover:
            named = run(self.naming_cases())
            self.wanted = unique(case.format for case in named if case.seen not in ("peer", "nothing"))
            return done + named + run(self.wanted_cases() + self.group_cases())
        done += run(self.wanted_cases() + self.group_cases())
        if self.full or not all_work(done, self.wanted):
            done += run(self.naming_cases())
        return done

    def _case(self, expected, option, packet, listener, family, variant="", peers=None):
        return Case(expected, option, packet, listener, family, (peers or self.peers)[family], variant)

    def controls(self):
        """Connections that nothing may translate; they come first, for without them the rest proves nothing."""
        taken = [option.kind for option in self.wanted]
        unread = Format([kind for kind in UNREAD_KINDS if kind not in taken][0], 8)
        cases = [self._case("peer", None, "none", "inet", 4), self._case("peer", None, "none", "inet6", 4)]
        if any(option.family == 6 for option in self.wanted):
            cases.append(self._case("peer", None, "none", "inet6", 6))
        cases.append(self._case("peer", unread, "ack", "inet", 4))
        return cases

    def wanted_cases(self):
        """Each wanted format on each packet against each listener it belongs to."""
        return [
            self._case(expected_on(option, packet), option, packet, listener, family)
            for option in self.wanted
            for listener, family in places(option)
            for packet in ("ack", "syn", "data")
        ]

    def naming_cases(self):
        """The other formats, where they are likeliest to be read. Reports leave out those that nothing happened to."""
        return [
            self._case("either", option, packet, listener, family, "naming")
            for option in self.others
            for listener, family in places(option)
            for packet in (("ack", "syn") if option.kind == CDN_KIND else ("ack",))
        ]

    def group_cases(self):
        """What was asked for on request, in the order of GROUPS."""
        cases = []
        for group in GROUPS:
            if group in self.groups:
                cases.extend(getattr(self, "_group_" + group)())
        return cases

    def _group_ipv6(self):
        """Both ways in which the families can differ, and IPv6 formats even where none is wanted. What receivers make of it differs."""
        formats = self.wanted + [option for option in self.others if option.family == 6 and option not in self.wanted]
        return [self._case("peer", None, "none", "inet6", 6, "ipv6")] + [
            self._case("either", option, "ack", listener, family, "ipv6")
            for option in formats
            for listener, family in (("inet", 4), ("inet6", 4), ("inet6", 6))
            if option not in self.wanted or (listener, family) not in places(option)
        ]

    def _group_mptcp(self):
        """A listener made with IPPROTO_MPTCP, as Go 1.24 makes them, and a peer that speaks plain TCP."""
        return [
            self._case("client", option, "ack", listener, family, "mptcp")
            for option in self.wanted
            for listener, family in places(option)
        ]

    def _group_defer_accept(self):
        """TCP_DEFER_ACCEPT ignores the bare ACK: the socket is made of the first data, so the option must be there."""
        return [
            self._case("client", option, "data", listener, family, "defer_accept")
            for option in self.wanted
            for listener, family in places(option)
        ]

    def _group_syn_cookies(self):
        """Nothing is kept of the SYN, so an option on the ACK works and one on the SYN is lost."""
        return [
            self._case(
                "either" if option.kind == CDN_KIND else "client", option, "ack", listener, family, "syn_cookies"
            )
            for option in self.wanted
            for listener, family in places(option)
        ]

    def _group_fastopen(self):
        """The socket is made of the SYN; most receivers see nothing."""
        return [
            self._case("either", option, "syn", listener, family, "fastopen")
            for option in self.wanted
            for listener, family in places(option)
        ]

    def _group_spoof(self):
        """The same option from an address that is not to be believed: once, and with everything that gets past a careless filter."""
        return [
            Case("peer", option, "ack", listener, family, self.strangers[family], "spoof", trick)
            for option in self.wanted
            for listener, family in places(option)[:1]
            for trick in [""] + tricks(option)
        ]


def tricks(option):
    """Names of the forgeries with an option of this format."""
    return [name for name, _area in areas(option.option(CLIENTS[option.family], CLIENT_PORT))]


def expected_on(option, packet):
    """What must come of a wanted format on a packet."""
    return "client" if packet == "ack" and option.kind != CDN_KIND else "either"


def places(option):
    """(listener, family of the packets) where a format has to work; over the other family where load balancers speak that one only."""
    usual = [("inet", 4), ("inet6", 4)] if option.family == 4 else [("inet6", 6)]
    return [place for place in usual if place[1] in option.over] or [("inet6", 10 - option.family)]


def works(cases, option, listener, family):
    """Does a wanted format give the client in this place? True, False, or None where it could not be tested."""
    packets = ("syn", "ack") if option.kind == CDN_KIND else ("ack",)
    found = [
        case
        for case in cases
        if case.format is option
        and not case.variant
        and (case.listener, case.family) == (listener, family)
        and case.packet in packets
    ]
    tested = [case for case in found if not case.untestable]
    if not tested:
        return None
    return any(case.seen == "client" for case in tested)


def all_work(cases, wanted):
    """Does every wanted format work wherever it could be tested?"""
    return all(
        works(cases, option, listener, family) is not False for option in wanted for listener, family in places(option)
    )


def translated(cases):
    """Names of the formats that gave the client in accept() and getpeername(), in the order they were asked."""
    names = []
    for case in cases:
        if case.seen == "client" and case.kind not in names:
            names.append(case.kind)
    return names


def verdict(cases, wanted, claims):
    """(verdict, reason). `claims` are the words for what says it translates on this host, such as "module toa is loaded"."""
    broken = broken_controls(cases)
    if broken:
        return UNPROVABLE, broken
    tested = [
        (option, listener, family, works(cases, option, listener, family))
        for option in wanted
        for listener, family in places(option)
    ]
    tested = [entry for entry in tested if entry[3] is not None]
    if wanted and not tested:
        return UNPROVABLE, "nothing that was asked for can be tested here: %s" % "; ".join(untested(cases))
    good = [entry for entry in tested if entry[3]]
    if good:
        return _some_work(cases, good, [entry for entry in tested if not entry[3]])
    return _none_works(cases, wanted, claims)


def broken_controls(cases):
    """Why the controls make the proof worthless, or None."""
    for case in cases:
        if case.expected != "peer" or case.variant or case.ok is not False:
            continue
        if case.seen == "nothing":
            return "a connection that should have been plain did not come about (%s): %s" % (case.name, case.problem)
        if case.format is None:
            return (
                "a connection without any option shows %s and %s instead of %s: something else rewrites addresses on this host"
                % (case.accept, case.getpeername, case.shown(case.peer, case.peer_port))
            )
        return "an option of kind %s, which nobody uses, was taken for a client's address (%s)" % (
            case.kind,
            case.accept,
        )
    return None


def _some_work(cases, good, bad):
    names = ", ".join(unique(option.name for option, _listener, _family, _works in good))
    if bad:
        return PARTIAL, "%s translates, but not everywhere: %s" % (
            names,
            "; ".join(_failure(cases, *entry[:3]) for entry in bad),
        )
    odd = [case for case in cases if case.ok is False]
    if odd:
        return PARTIAL, "%s translates, but: %s" % (names, "; ".join(_story(case) for case in odd))
    reason = "%s gives the client's address in accept() and getpeername()" % names
    left = untested(cases)
    return TRANSLATING, "%s; not tested: %s" % (reason, "; ".join(left)) if left else reason


def _none_works(cases, wanted, claims):
    names = ", ".join(option.name for option in wanted) or "every format in use"
    ours = [case for case in cases if case.format in wanted]
    half = [case for case in ours if case.seen in ("accept_only", "getpeername_only") or case.client_by_getsockopt]
    if half:
        return PARTIAL, "; ".join(_story(case) for case in half)
    elsewhere = [case.name for case in ours if case.seen == "client"]
    if elsewhere:
        return PARTIAL, "%s is not read from the packet that completes the handshake, only here: %s" % (
            names,
            "; ".join(elsewhere),
        )
    others = translated(cases)
    if others:
        return WRONG_KIND, "this host reads %s; %s is wanted" % (", ".join(others), names)
    if claims:
        return INERT, "%s, and yet no connection shows its client (tried: %s)" % ("; ".join(claims), names)
    return ABSENT, "nothing on this host claims to translate, and nothing does (tried: %s)" % names


def _failure(cases, option, listener, family):
    stories = [
        _story(case)
        for case in cases
        if case.format is option
        and (case.listener, case.family) == (listener, family)
        and case.packet == "ack"
        and not case.variant
    ]
    return "; ".join(stories)


def _story(case):
    """What one case showed, in words."""
    seen = case.seen
    if seen == "nothing":
        return "%s: %s" % (case.name, case.problem)
    if seen == "accept_only":
        return "%s: accept() has the client, getpeername() %s" % (case.name, case.getpeername)
    if seen == "getpeername_only":
        return "%s: getpeername() has the client, accept() %s" % (case.name, case.accept)
    if seen == "client":
        return "%s: taken for the client although %s is not to be believed" % (case.name, case.peer)
    if case.client_by_getsockopt:
        return "%s: only getsockopt(1348) has the client" % case.name
    return "%s: shows %s" % (
        case.name,
        case.accept if seen == "peer" else "%s and %s" % (case.accept, case.getpeername),
    )


def untested(cases):
    """Reasons why some cases could not be run, each once."""
    return unique(
        "%s (%s)" % (case.untestable, " ".join(word for word in (case.listener, case.variant) if word))
        for case in cases
        if case.untestable
    )


def unique(items):
    """Items in order, each once, as a list."""
    found = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def capabilities(cases):
    """What was seen to work, as `capabilities` of a plan names it. `ipv6`: an IPv6 client came through, which only shows where it was asked.

    getsockopt(1348) works when it has the client wherever accept() and getpeername() have.
    """
    named = [case for case in cases if case.seen == "client" and not case.variant]
    return {
        "getpeername": any(case.seen in ("client", "getpeername_only") for case in cases),
        "getsockopt_1348": all(case.client_by_getsockopt for case in named)
        if named
        else any(case.client_by_getsockopt for case in cases),
        "ipv6": any(case.seen == "client" and case.format.family == 6 for case in cases),
    }


def matrix(cases, which="all"):
    """The rows: all, failed or none. Formats nobody asked for are in it only where something happened to them."""
    if which == "none":
        return []
    shown = [case for case in cases if case.variant != "naming" or case.seen != "peer"]
    return [case.row() for case in shown if which == "all" or not case.ok]


def summary(cases):
    """The matrix in a few numbers and the names of what went wrong."""
    return {
        "cases": len(cases),
        "ok": len([case for case in cases if case.ok]),
        "failed": [case.name for case in cases if case.ok is False],
        "untestable": untested(cases),
    }
