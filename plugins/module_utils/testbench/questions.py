# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cases a probe tries, in which order, and what each is expected to show."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.common.probe_groups import GROUPS, LISTENERS
from ansible_collections.realip.toa.plugins.module_utils.testbench.cases import PEERS, STRANGERS, Case, places, tricks
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import CDN_KIND, Format
from ansible_collections.realip.toa.plugins.module_utils.testbench.verdict import all_work, broken_controls, unique

# Candidates for the control "wrong kind": nobody in the field reads them.
UNREAD_KINDS = (111, 112, 113)


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
        self.listeners = LISTENERS  # those that programs of this host have
        self.reads_data = True  # False where eBPF programs are told that the load balancer writes nothing there
        for option in list(wanted) + list(others):
            option.over = families

    def put(self, run):
        """Ask the host, stopping where controls fail; `run` takes a list of cases and returns it with what was seen. Returns the cases."""
        ask = run

        def run(cases):
            return ask([case for case in cases if case.listener in self.listeners])

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
            self._case("client" if self.reads_data else "peer", option, "data", listener, family, "defer_accept")
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
        """The same option from an address that is not to be believed: once, and with everything that gets past a careless filter.

        The worst of them on the other packets too, and over the other family, where a list may be short of an address.
        """
        cases = []
        for option in self.wanted:
            names = [""] + tricks(option)
            listener, family = places(option)[0]
            told = [("ack", listener, family, trick) for trick in names]
            told += [(packet, listener, family, names[1]) for packet in ("syn", "data")]
            told += [("ack", "inet6", 10 - family, trick) for trick in names[:2]]
            cases += [
                Case("peer", option, packet, where, over, self.strangers[over], "spoof", trick)
                for packet, where, over, trick in told
            ]
        return cases


def expected_on(option, packet):
    """What must come of a wanted format on a packet."""
    return "client" if packet == "ack" and option.kind != CDN_KIND else "either"
