# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ends of a crafted connection: the load balancer as packets on a TUN device, the server as ordinary sockets.

Only for use in a child made by netns.in_child(): the first Bench moves the process into a network namespace of its own.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import socket
import time

from ansible_collections.realip.toa.plugins.module_utils.testbench.cases import PEERS
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import (
    Refused,
    Tun,
    set_namespaced_sysctl,
    unshare_network,
    wait_readable,
    why,
)
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import (
    ACK,
    FAMILIES,
    PSH,
    RST,
    SYN,
    Flow,
    endpoint,
    of_a_syn,
    read_sockaddr,
)

LOCAL = {4: "192.0.2.1", 6: "2001:db8:0:1::1"}
NETMASK, PREFIX6 = "255.255.255.0", 64
FIRST_SERVER_PORT = 8080

# Far below 63881: that port in an option of kind 253 or 254 reads as the magic of an experimental Fast Open option.
FIRST_CLIENT_PORT = 20001

FIRST_SEQUENCE = 1000
PAYLOAD = b"realip"

IPPROTO_MPTCP = 262
IPV6_V6ONLY = getattr(socket, "IPV6_V6ONLY", 26)
TCP_DEFER_ACCEPT, TCP_FASTOPEN = 9, 23
TOA_SOCKOPT = 1348

# What a variant needs of the namespace: sysctl, value, and the first kernel in which that sysctl belongs to a namespace.
SYSCTLS = {
    "syn_cookies": ("ipv4/tcp_syncookies", 2, [4, 6]),  # 2: always, not only under pressure
    "fastopen": ("ipv4/tcp_fastopen", 0x203, [4, 15]),  # client, server, and no cookie wanted
}
RESET = {"syn_cookies": 1, "fastopen": 1}

# Variants that take a listener of their own kind.
LISTENERS = ("mptcp", "defer_accept", "fastopen")
# A listener on the port of an option filter; both families share the port, so that one for IPv6 takes IPv6 alone.
FILTERED = "filtered"

# The longest wait for one step of one connection, in seconds; a step takes microseconds where nothing is wrong.
STEP = 1.0

# The first wait for an answer to a SYN, in seconds; it doubles.
SYN_AGAIN = 0.004


class NoAnswer(Exception):
    """A connection did not come about; the text says at which step."""


class Bench:
    """A namespace with a TUN device, and the listeners in it. Raises Refused where the host has no such thing.

    `apart`: in a new namespace; tests have one already, with servers in it. `filtered_port`: where strangers try, for an option filter of some ports.
    `read_port`: where everything is tried, for eBPF programs that read some ports only; there is then one listener at a time.
    """

    def __init__(self, apart=True, filtered_port=0, read_port=0):
        if apart:
            unshare_network()
        self.tun = Tun()
        self.tun.set_up(LOCAL[4], NETMASK)
        self.tun.route_everything(PEERS[4])
        self.no_ipv6 = None
        try:
            self.tun.set_up6(LOCAL[6], PREFIX6)
        except Refused as problem:
            self.no_ipv6 = "%s" % (problem,)
        self.listeners = {}
        self.filtered_port = filtered_port
        self.read_port = read_port
        self.client_port = FIRST_CLIENT_PORT

    def run(self, cases, deadline):
        """Run cases one after the other; returns them. Refused where `deadline` (of time.time()) comes first."""
        variant = ""
        for case in cases:
            if time.time() > deadline:
                raise Refused("the probe ran out of time at the case %s" % case.name)
            try:
                if case.variant != variant:
                    self._change(variant, case.variant)
                    variant = case.variant
                self._try(case)
            except Refused as problem:
                case.untestable = "%s" % (problem,)
            except NoAnswer as problem:
                case.problem = "%s" % (problem,)
        return cases

    def _change(self, old, new):
        """Set what a variant wants of the namespace's sysctls, and take back what the one before it wanted."""
        release = os.uname()[2]
        if old in SYSCTLS:
            set_namespaced_sysctl(SYSCTLS[old][0], RESET[old], SYSCTLS[old][2], release)
        if new in SYSCTLS:
            set_namespaced_sysctl(SYSCTLS[new][0], SYSCTLS[new][1], SYSCTLS[new][2], release)

    def _try(self, case):
        if case.family == 6 and self.no_ipv6:
            raise Refused(self.no_ipv6)
        listener = self._listener(case)
        case.peer_port = self.client_port
        self.client_port += 1
        option = case.options()
        carried = dict((packet, option if packet == case.packet else b"") for packet in ("syn", "ack", "data"))
        flow = Flow(case.family, case.peer, case.peer_port, LOCAL[case.family], listener.port)
        # TCP_DEFER_ACCEPT lets nothing through before there is data.
        with_data = case.packet == "data" or case.variant == "defer_accept"
        sent, acked = self._shake_hands(flow, carried, case.variant == "fastopen", with_data)
        try:
            listener.take(case)
        finally:
            # The peer leaves without a trace; what the server still has to say goes nowhere.
            self.tun.send(flow.segment(RST | ACK, sent, acked))

    def _shake_hands(self, flow, carried, fast_open, with_data):
        """Play the client up to an established connection; returns its next sequence number and what it has acknowledged."""
        sent = FIRST_SEQUENCE
        early = PAYLOAD if fast_open else b""
        answer = self._persist(flow.segment(SYN, sent, options=of_a_syn(carried["syn"]), payload=early), flow)
        # The server acknowledges the SYN, and with Fast Open its data.
        sent, acked = answer[2], answer[1] + 1
        self.tun.send(flow.segment(ACK, sent, acked, options=carried["ack"]))
        if with_data:
            self.tun.send(flow.segment(PSH | ACK, sent, acked, options=carried["data"], payload=PAYLOAD))
            sent += len(PAYLOAD)
            # An acknowledgement says that the data has been through the whole receive path.
            self._answer(flow, ACK, time.time() + STEP, sent)
        return sent, acked

    def _persist(self, syn, flow):
        """Send a SYN until it is answered, as TCP does: an IPv6 address that was just set is not in use before the kernel's worker has run."""
        pause, end = SYN_AGAIN, time.time() + STEP
        while time.time() < end:
            self.tun.send(syn)
            answer = self._answer(flow, SYN | ACK, min(time.time() + pause, end))
            if answer:
                return answer
            pause *= 2
        raise NoAnswer("no answer to the SYN")

    def _answer(self, flow, flags, deadline, acknowledged=None):
        """(flags, seq, ack) of the server's next packet with just these flags, or None where the deadline came first."""
        while True:
            packet = self.tun.receive(deadline)
            if packet is None:
                return None
            found = flow.answered_by(packet)
            if found and found[0] & RST:
                raise NoAnswer("the connection was refused")
            if found and found[0] & (SYN | ACK) == flags and acknowledged in (None, found[2]):
                return found

    def _listener(self, case):
        filtered = case.variant == "spoof" and self.filtered_port
        key = (case.listener, FILTERED if filtered else case.variant if case.variant in LISTENERS else "")
        if key not in self.listeners:
            port = self.filtered_port if filtered else FIRST_SERVER_PORT + len(self.listeners)
            if self.read_port:
                for listener in self.listeners.values():
                    listener.close()
                self.listeners.clear()
            self.listeners[key] = Listener(key[0], self.read_port or port, key[1])
        return self.listeners[key]


class Listener:
    """A listening socket: `listener` is inet, or inet6 for one that takes IPv4 as well."""

    def __init__(self, listener, port, variant):
        self.port = port
        family = 6 if listener == "inet6" else 4
        protocol = IPPROTO_MPTCP if variant == "mptcp" else 0
        try:
            self.socket = socket.socket(FAMILIES[family], socket.SOCK_STREAM, protocol)
        except socket.error as problem:
            what = "IPv6" if family == 6 and not protocol else "Multipath TCP"
            raise Refused("this kernel has no %s: %s" % (what, why(problem)))
        if family == 6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, IPV6_V6ONLY, int(variant == FILTERED))
        if variant in ("defer_accept", "fastopen"):
            self._set(TCP_DEFER_ACCEPT if variant == "defer_accept" else TCP_FASTOPEN, variant)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("::" if family == 6 else "0.0.0.0", port))  # nosec B104 # in a network namespace of its own
        self.socket.listen(64)
        # Python sizes its address buffers by the family it believes a socket to have. A receiver may answer with an AF_INET6 address on
        # an AF_INET socket, which would be cut off; believed to be AF_UNIX, any address fits, and is still read by its own family.
        self.wide = socket.fromfd(self.socket.fileno(), socket.AF_UNIX, socket.SOCK_STREAM)

    def close(self):
        self.wide.close()
        self.socket.close()

    def _set(self, option, name):
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, option, 5)
        except socket.error as problem:
            raise Refused("this kernel has no %s: %s" % (name, why(problem)))

    def take(self, case):
        """Accept the connection and write what the three calls say into the case. Raises NoAnswer."""
        if not wait_readable(self.socket.fileno(), time.time() + STEP):
            raise NoAnswer("the handshake was done, but accept() had nothing")
        try:
            connection, address = self.wide.accept()
        except socket.error as problem:
            raise NoAnswer("accept() failed: %s" % why(problem))
        try:
            case.accept = as_text(address)
            case.getpeername = as_text(ask(connection.getpeername))
            raw = ask(connection.getsockopt, socket.IPPROTO_IP, TOA_SOCKOPT, 128)
            case.getsockopt_1348 = read_sockaddr(raw) if raw else None
        finally:
            connection.close()


def ask(call, *arguments):
    """A socket call, or None where the kernel refuses it."""
    try:
        return call(*arguments)
    except socket.error:
        return None


def as_text(address):
    """Python's socket address as endpoint() writes it; anything that is not an IP address as it is."""
    if isinstance(address, tuple) and len(address) in (2, 4) and not isinstance(address[0], int):
        return endpoint(address[0].split("%")[0], address[1])
    return None if address is None else repr(address)
