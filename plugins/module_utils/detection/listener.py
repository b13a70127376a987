# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket that listens, and how much of the traffic it takes: at most a hundredth of one processor, at most 5,000 packets a second."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import ctypes
import errno
import os
import select
import socket
import struct
import time

from ansible_collections.realip.toa.plugins.module_utils.detection.segment import read
from ansible_collections.realip.toa.plugins.module_utils.detection.socket_filter import SNAP, attach, chosen, program
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, read_text

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS = 263, 6
# Bytes that may wait for us in the kernel: some hundred packets, each counted with all that belongs to it.
BUFFER = 1 << 20
# Seconds between two looks at what was spent, and the least that is spent before the budget counts: the start of a call costs more.
TICK, START = 0.1, 0.15
CPU_SHARE = 0.01
PACKETS_A_SECOND = 5000
MOST_SHARE = 65536
# No interpreter reads faster than this, so a burst cannot hold a tick for longer.
AT_ONCE = PACKETS_A_SECOND // 10


class Listener:
    """Segments of connections that come to this host, as (segment, whether plain ones of its connection are seen too)."""

    def __init__(self, tracker, clock=time.time):
        self.tracker = tracker
        self.clock = clock
        self.share = self.plain_share = 1
        self.widest = 1
        self.packets = self.dropped = 0
        self.sock = _socket(program(1, 1))

    def close(self):
        """Stop listening."""
        self.sock.close()

    def listen(self, seconds, enough):
        """Listen for `seconds`, or until enough() is true; returns (seconds, "time" or "enough")."""
        began = last = self.clock()
        spent = cpu()
        while True:
            now = self.clock()
            if now - began >= seconds:
                return now - began, "time"
            select.select([self.sock], [], [], min(TICK, max(0.0, began + seconds - now)))
            plain, wanted = self._take()
            lost = self._lost()
            if lost or plain + wanted >= AT_ONCE:
                self._narrow(plain, wanted)
            over = cpu() - spent - START - CPU_SHARE * (self.clock() - began)
            if over > 0:
                self._rest(over / CPU_SHARE, began + seconds)
            now = self.clock()
            if now - last >= 1.0:
                last = now
                if enough():
                    return now - began, "enough"
            if now < last:  # somebody has set the clock back
                began, last = now - (last - began), now

    def _take(self):
        """Read what waits; returns (plain, other) numbers of packets."""
        plain = wanted = 0
        while plain + wanted < AT_ONCE:
            try:
                packet = self.sock.recv(SNAP)
            except socket.error as problem:
                if problem.errno in (errno.EAGAIN, errno.EINTR, errno.ENETDOWN):
                    break
                raise
            segment = read(packet)
            if segment is None:
                wanted += 1
                continue
            answer = segment.flags & 0x12 == 0x12
            port = segment.target_port if answer else segment.source_port
            if segment.options[:4] in (b"", b"\x01\x01\x08\x0a") and len(segment.options) in (0, 12):
                plain += 1
            else:
                wanted += 1
            self.tracker.take(segment, chosen(port, self.plain_share))
        self.packets += plain + wanted
        return plain, wanted

    def _lost(self):
        """Packets for which there was no room since the last look."""
        unused_packets, drops = struct.unpack("II", self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self.dropped += drops
        return drops

    def _narrow(self, plain, wanted):
        """Look at a half, then a quarter of the connections: of plain segments first, as long as they are what takes the time."""
        if plain >= wanted and self.plain_share < MOST_SHARE:
            self.plain_share *= 4
        elif self.share < MOST_SHARE:
            self.share *= 4
        self.plain_share = min(MOST_SHARE, max(self.plain_share, self.share))
        self.share = min(self.share, MOST_SHARE)
        attach(self.sock, program(self.share, self.plain_share))

    def _rest(self, seconds, end):
        """Do nothing until the budget is kept again; what came meanwhile is of connections seen in part, so it goes."""
        until = min(self.clock() + seconds, end)
        self._narrow(1, 1 if self.plain_share > 16 * self.share else 0)
        while self.clock() < until:
            time.sleep(min(0.2, max(0.0, until - self.clock())))
        # What waits is older than our pause.
        self._lost()


def cpu():
    """Seconds of processor that this process has used."""
    times = os.times()
    return times[0] + times[1]


def _socket(instructions):
    """An AF_PACKET socket that has its filter before it hears anything."""
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    except (socket.error, AttributeError):
        problem = __import__("sys").exc_info()[1]
        raise TargetError(
            "cannot_listen",
            "this host's packets cannot be listened to: %s" % (problem,),
            "run as root with CAP_NET_RAW, and not inside a container",
        )
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    attach(sock, instructions)
    # Python's bind() wants the name of one interface; 0 is all of them (struct sockaddr_ll, packet(7)).
    address = struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(ETH_P_ALL), 0, 0, 0, 0, b"")
    library = ctypes.CDLL(None, use_errno=True)
    if library.bind(sock.fileno(), address, len(address)) != 0:
        number = ctypes.get_errno()
        raise TargetError("cannot_listen", "this host's packets cannot be listened to: %s" % os.strerror(number), None)
    return sock


def local_addresses(root="/"):
    """Packed addresses of this host, in every table of routes: what /proc/net/fib_trie calls LOCAL, and /proc/net/if_inet6."""
    found = set()
    address = None
    for line in (read_text(os.path.join(root, "proc/net/fib_trie"), 1 << 24) or "").splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == "|--":
            address = words[1]
        elif len(words) >= 3 and words[:3] == ["/32", "host", "LOCAL"] and address:
            found.add(socket.inet_aton(address))
    for line in (read_text(os.path.join(root, "proc/net/if_inet6"), 1 << 20) or "").splitlines():
        words = line.split()
        if words and len(words[0]) == 32:
            found.add(struct.pack("!16B", *[int(words[0][place : place + 2], 16) for place in range(0, 32, 2)]))
    return found
