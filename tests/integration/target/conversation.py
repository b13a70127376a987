# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Crafted connections with options on any of their packets, and what the application is told at each moment."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import socket
import struct
import time

from ansible_collections.realip.toa.plugins.module_utils.testbench.cases import PEERS, Case
from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import (
    FIRST_SEQUENCE,
    LOCAL,
    STEP,
    SYSCTLS,
    Bench,
    as_text,
    ask,
)
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import in_child, wait_readable
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import (
    ACK,
    MSS,
    PSH,
    RST,
    SYN,
    Flow,
    read_sockaddr,
)

DATA = b"realip"


def main(args):
    """args: `cases`, each a dict, all of it optional: syn, ack (hex, or "lost"), before, after (lists of hex: options of data packets before and
    after accept()), spoken (what the server says before the data of `after`, which acknowledges it), listener, family, variant, peer.

    Returns `rows`: {peer, accept, names (getpeername at accept and after each data packet), option, nat64 (getsockopt 1348 and 4096
    at the end), short (4096 into too little room)}."""
    return {"rows": in_child(lambda: _work(args), 180), "changed": False}


def _work(args):
    bench, rows, variant = Bench(), [], ""
    for given in args["cases"]:
        family = given.get("family", 4)
        case = Case(
            "either",
            None,
            "ack",
            given.get("listener", "inet"),
            family,
            given.get("peer") or PEERS[family],
            given.get("variant", ""),
        )
        if (case.variant in SYSCTLS or variant in SYSCTLS) and case.variant != variant:
            bench._change(variant, case.variant)
        variant = case.variant
        rows.append(_Conversation(bench, case, given).run())
    return rows


class _Conversation:
    def __init__(self, bench, case, given):
        self.bench, self.case, self.given = bench, case, given
        self.listener = bench._listener(case)
        self.port = bench.client_port
        bench.client_port += 1
        self.flow = Flow(case.family, case.peer, self.port, LOCAL[case.family], self.listener.port)
        self.sent = self.acked = 0

    def option(self, name):
        return binascii.unhexlify(self.given.get(name, "").encode("ascii"))

    def run(self):
        early = DATA if self.case.variant == "fastopen" else b""
        syn = self.flow.segment(SYN, FIRST_SEQUENCE, options=self.option("syn") + MSS, payload=early)
        answer = self.bench._persist(syn, self.flow)
        self.sent, self.acked = answer[2], answer[1] + 1
        if self.given.get("ack") != "lost":
            self.bench.tun.send(self.flow.segment(ACK, self.sent, self.acked, options=self.option("ack")))
        for option in self.given.get("before", []):
            self.data(option)
        if not wait_readable(self.listener.socket.fileno(), time.time() + STEP):
            return {"problem": "nothing to accept"}
        connection, address = self.listener.wide.accept()
        try:
            return self.told(connection, address)
        finally:
            connection.close()
            self.bench.tun.send(self.flow.segment(RST | ACK, self.sent, self.acked))

    def told(self, connection, address):
        row = {"peer": "%s:%d" % (self.case.peer, self.port), "accept": as_text(address)}
        row["names"] = [as_text(ask(connection.getpeername))]
        if self.given.get("spoken"):
            real = socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)
            real.sendall(self.given["spoken"].encode("ascii"))
            real.close()
            self.acked += len(self.given["spoken"])
        for option in self.given.get("after", []):
            self.data(option)
            row["names"].append(as_text(ask(connection.getpeername)))
        raw = ask(connection.getsockopt, socket.IPPROTO_IP, 1348, 128)
        row["option"] = read_sockaddr(raw) if raw else None
        raw = ask(connection.getsockopt, socket.IPPROTO_IP, 4096, 128)
        row["nat64"] = raw and [
            len(raw),
            socket.inet_ntop(socket.AF_INET6, raw[:16]),
            struct.unpack("!H", raw[16:18])[0],
        ]
        short = ask(connection.getsockopt, socket.IPPROTO_IP, 4096, 19)
        row["short"] = short and len(short)
        return row

    def data(self, option):
        """One more packet with data, and the server's word that it has it. "+" before the option: the packet that comes after the next one."""
        ahead = len(DATA) if option.startswith("+") else 0
        options = binascii.unhexlify(option.lstrip("+").encode("ascii"))
        self.bench.tun.send(self.flow.segment(PSH | ACK, self.sent + ahead, self.acked, options=options, payload=DATA))
        if not ahead:
            self.sent += len(DATA)
        self.bench._answer(self.flow, ACK, time.time() + STEP, None if ahead else self.sent)
