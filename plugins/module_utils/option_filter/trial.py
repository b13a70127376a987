# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option filter's rules, tried by this host's own tools and kernel in a network namespace before the host sees them.

Crafted packets come out of a TUN device; what passes the rules is read from raw sockets, which get whole TCP segments behind the
firewall on every kernel. So it is seen, and not inferred, that a stranger's option is gone, that everything else of his packet is there,
and that a load balancer's option passes. It matters: TCPOPTSTRIP of Linux 2.6.32 asks tcp_hdrlen(skb) for the length of the header, which is
not set yet before routing, so that it may strip too little or write into data, by what the sender's address happens to be.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import shutil
import socket
import struct
import tempfile
import time

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.option_filter.networks import STRANGERS, inside, is_in
from ansible_collections.realip.toa.plugins.module_utils.option_filter.rules import rules_of, script_text
from ansible_collections.realip.toa.plugins.module_utils.option_filter.state import load_here
from ansible_collections.realip.toa.plugins.module_utils.option_filter.wrapping import behind_headers, fragments
from ansible_collections.realip.toa.plugins.module_utils.testbench.cases import CLIENT_PORT, CLIENTS, PEERS
from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import LOCAL, NETMASK, PREFIX6
from ansible_collections.realip.toa.plugins.module_utils.testbench.forgeries import areas, mixed, readable
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import (
    Refused,
    Tun,
    in_child,
    unshare_network,
    wait_readable,
)
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import (
    ACK,
    FAMILIES,
    MSS,
    PSH,
    SYN,
    Flow,
    as_packed,
    checksum,
)

SOURCE_PORT, SSH_PORT, ANY_PORT = 20001, 22, 8080
SEQUENCE = 1000

# What TCP itself sends: window scale, SACK permitted, timestamps, and Multipath TCP's MP_CAPABLE.
USUAL = (
    MSS
    + struct.pack("!BBB", 3, 3, 7)
    + struct.pack("!BB", 4, 2)
    + struct.pack("!BBII", 8, 10, 1, 0)
    + struct.pack("!BBBB", 30, 4, 1, 1)
)

# Seconds: for a packet to pass, which takes microseconds, and for everything.
PASSING, TIMEOUT = 1.0, 20


def try_out(method, kinds, networks, ports):
    """{"shown": listing of the loaded rules, "checks": [what was seen]}. Nothing of the host is touched.

    TargetError `option_filter_unusable` where the host's tools or kernel do not take the rules, `option_filter_unreliable` where they do and the rules
    do not do what they should. Refused where the host gives us no network of our own to try it in.
    """
    folder = tempfile.mkdtemp(prefix="realip-toa-")
    try:
        write_rules(folder, method, kinds, networks, ports)
        found = in_child(lambda: _tried(folder, method, kinds, networks, ports), TIMEOUT)
    finally:
        shutil.rmtree(folder, True)
    if found.get("problem"):
        raise TargetError(
            found["code"],
            "%s: %s" % (method, found["problem"]),
            "see `ansible-doc realip.toa.toa_option_filter`, option method",
        )
    return found


def write_rules(folder, method, kinds, networks, ports):
    """The script and its rules, as files of a folder."""
    files = dict(rules_of(method, kinds, networks, ports), **{"filter.sh": script_text(method)})
    for name, text in files.items():
        handle = open(os.path.join(folder, name), "w")
        try:
            handle.write(text)
        finally:
            handle.close()


def _tried(folder, method, kinds, networks, ports):
    """In the child."""
    unshare_network()
    wire = Wire()
    try:
        shown = load_here(folder)
    except Refused as problem:
        return {"code": "option_filter_unusable", "problem": "%s" % (problem,)}
    checks = []
    for family in wire.families:
        problem = Trial(wire, family, kinds, networks, ports, checks).run()
        if problem:
            return {"code": "option_filter_unreliable", "problem": problem}
    return {"shown": shown, "checks": checks}


class Wire:
    """A namespace with a TUN device to send from, and a raw socket of each family behind the firewall."""

    def __init__(self):
        self.tun = Tun("toafilter")
        self.tun.set_up(LOCAL[4], NETMASK)
        self.tun.route_everything(PEERS[4])
        self.families = [4]
        try:
            self.tun.set_up6(LOCAL[6], PREFIX6)
            self.families.append(6)
        except Refused:
            pass  # a kernel without IPv6 has no packets to filter there
        self.sockets = dict(
            (family, socket.socket(FAMILIES[family], socket.SOCK_RAW, socket.IPPROTO_TCP)) for family in self.families
        )

    def pass_on(self, family, packets, source_port):
        """Send packets; the first TCP segment from `source_port` that comes through, as bytes, or None."""
        for packet in packets:
            self.tun.send(packet)
        return self._received(family, source_port, time.time() + PASSING)

    def _received(self, family, source_port, deadline):
        while wait_readable(self.sockets[family].fileno(), deadline):
            data = self.sockets[family].recv(4096)
            # Of IPv4 a raw socket gives the whole packet, of IPv6 what is behind the headers.
            segment = data[(ord(data[0:1]) & 15) * 4 :] if family == 4 else data
            if struct.unpack("!H", segment[:2])[0] == source_port:
                return segment
        return None


class Trial:
    """Everything the rules must and must not do, for one family."""

    def __init__(self, wire, family, kinds, networks, ports, checks):
        self.wire = wire
        self.family = family
        self.kinds = kinds
        self.trusted = [text for text in networks if (":" in text) == (family == 6)]
        self.ports = ports
        self.checks = checks
        self.source_port = SOURCE_PORT

    def run(self):
        """What went wrong first, in words, or None."""
        for question in (
            self._stripped,
            self._left_alone,
            self._data_left_alone,
            self._no_smuggling,
            self._no_crowd,
            self._no_hiding,
            self._trusted,
            self._other_port,
        ):
            problem = question()
            if problem:
                return "IPv%d: %s" % (self.family, problem)
            self.checks.append("IPv%d: %s" % (self.family, question.__doc__.partition(".")[0].strip()))
        return None

    # -- questions

    def _stripped(self):
        """every kind of a stranger is stripped, beside what TCP needs, and the checksum is right"""
        for stranger in self._strangers():
            for kind in self.kinds:
                came = self._send(stranger, SYN, MSS + _option(kind))
                if came is None:
                    return "a connection from %s with option %d is lost altogether" % (stranger, kind)
                if came["options"] != MSS + b"\x01" * 8:
                    return "option %d from %s is not stripped: %r came through" % (kind, stranger, came["options"])
                if not came["intact"]:
                    return "the checksum is wrong after option %d of %s was stripped" % (kind, stranger)
        return None

    def _left_alone(self):
        """a stranger's connection without such an option, SSH above all, passes unchanged"""
        for port in sorted(set([SSH_PORT, self._service()])):
            for stranger in self._strangers():
                came = self._send(stranger, SYN, USUAL, port=port)
                if came is None or not came["intact"] or came["options"].rstrip(b"\x01") != USUAL.rstrip(b"\x01"):
                    return "an ordinary connection from %s to port %d does not pass unchanged" % (stranger, port)
        return None

    def _data_left_alone(self):
        """data of a stranger that looks like an option passes unchanged"""
        payload = b"".join(_option(kind) for kind in self.kinds) * 2
        for stranger in self._strangers():
            came = self._send(stranger, PSH | ACK, b"", payload)
            if came is None or came["payload"] != payload or not came["intact"]:
                return "data from %s is changed on its way" % stranger
        return None

    def _no_smuggling(self):
        """an option of a stranger does not come through in fragments"""
        for stranger in self._strangers()[:1]:
            self.source_port += 1
            packet = self._flow(stranger, self._service()).segment(SYN, SEQUENCE, options=_option(self.kinds[0]))
            came = self.wire.pass_on(self.family, fragments(packet) + [self._marker(stranger)], self.source_port)
            if came is not None and _option(self.kinds[0]) in came:
                return "option %d from %s comes through in fragments" % (self.kinds[0], stranger)
        return None

    def _no_crowd(self):
        """an option of a stranger does not come through beside others, of its kind or another, whole or broken"""
        crowd = [(_named(kind, name), area) for kind in self.kinds for name, area in areas(_option(kind))]
        crowd += [("several kinds", mixed([_option(kind) for kind in self.kinds]))]
        for stranger in self._strangers()[:1]:
            for name, area in crowd:
                for flags in (SYN, ACK):
                    found = self._comes_through(stranger, self._segment(stranger, flags, area))
                    if found:
                        return "option %d from %s comes through: %s" % (found[0], stranger, name)
        return None

    def _no_hiding(self):
        """an option of a stranger does not come through behind extension headers"""
        for stranger in self._strangers()[:1] if self.family == 6 else []:
            packet = self._segment(stranger, SYN, _option(self.kinds[0]))
            for name, packets in behind_headers(packet):
                if self._comes_through(stranger, *packets):
                    return "option %d from %s comes through behind %s" % (self.kinds[0], stranger, name)
        return None

    def _trusted(self):
        """an option of a load balancer passes unchanged"""
        for network in self.trusted:
            address = inside(network)
            if address:
                came = self._send(address, ACK, _option(self.kinds[0]))
                if came is None or came["options"] != _option(self.kinds[0]):
                    return "the option of %s, which is to be believed, does not come through" % address
                return None
        return None

    def _other_port(self):
        """ports that are not filtered are left alone"""
        port = [port for port in (ANY_PORT, ANY_PORT + 1, ANY_PORT + 2) if port not in self.ports]
        if self.ports and port and self._strangers():
            came = self._send(self._strangers()[0], SYN, _option(self.kinds[0]), port=port[0])
            if came is None or came["options"] != _option(self.kinds[0]):
                return "port %d, which is not filtered, is not left alone" % port[0]
        return None

    # -- packets

    def _strangers(self):
        """Addresses that are not to be believed; none where everybody is."""
        return [
            text for text in STRANGERS[self.family] if not [network for network in self.trusted if is_in(text, network)]
        ]

    def _service(self):
        return self.ports[0] if self.ports else ANY_PORT

    def _flow(self, source, port):
        return Flow(self.family, source, self.source_port, LOCAL[self.family], port)

    def _segment(self, stranger, flags, area):
        """A packet of a new connection of a stranger's, with these options."""
        self.source_port += 1
        return self._flow(stranger, self._service()).segment(flags, SEQUENCE, options=area)

    def _comes_through(self, stranger, *packets):
        """Kinds that can be read in what came through of packets of the newest connection."""
        came = self.wire.pass_on(self.family, list(packets) + [self._marker(stranger)], self.source_port)
        return readable(came[20 : (ord(came[12:13]) >> 4) * 4], self.kinds) if came else []

    def _marker(self, stranger):
        """A packet that comes through in any case, so that nobody waits for one that was dropped. Its source port is the one awaited."""
        return self._flow(stranger, self._service()).segment(ACK, SEQUENCE)

    def _send(self, source, flags, options, payload=b"", port=None):
        """What came through of one segment: {options, payload, intact (its checksum is right)}, or None."""
        self.source_port += 1
        flow = self._flow(source, port or self._service())
        segment = self.wire.pass_on(
            self.family, [flow.segment(flags, SEQUENCE, options=options, payload=payload)], self.source_port
        )
        if segment is None:
            return None
        header = (ord(segment[12:13]) >> 4) * 4
        return {"options": segment[20:header], "payload": segment[header:], "intact": self._is_intact(source, segment)}

    def _is_intact(self, source, segment):
        ends = as_packed(source) + as_packed(LOCAL[self.family])
        if self.family == 4:
            return checksum(ends + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(segment)) + segment) == 0
        return checksum(ends + struct.pack("!IHBB", len(segment), 0, 0, socket.IPPROTO_TCP) + segment) == 0


def _named(kind, name):
    return "%d, %s" % (kind, name)


def _option(kind):
    """An option of 8 bytes, as most of these are; stripping goes by the kind alone."""
    return struct.pack("!BBH", kind, 8, CLIENT_PORT) + as_packed(CLIENTS[4])
