# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other side of tests/adversary: plays handshakes as they are described to it, and says what the application saw of each.

A shot: {"peer", "family", "listener", "variant", "options": {"syn", "ack", "data", "later": hex}, "wrap": {packet: name}}. `later` is data that comes
when accept() is done. What a filter let through is read from raw sockets, which get whole TCP segments behind the firewall.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import json
import socket
import time

from ansible_collections.realip.toa.plugins.module_utils.option_filter.state import load_here
from ansible_collections.realip.toa.plugins.module_utils.option_filter.wrapping import behind_headers, fragments
from ansible_collections.realip.toa.plugins.module_utils.testbench.cases import Case
from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import (
    FIRST_SEQUENCE,
    LOCAL,
    PAYLOAD,
    TOA_SOCKOPT,
    Bench,
    NoAnswer,
    as_text,
    ask,
)
from ansible_collections.realip.toa.plugins.module_utils.testbench.forgeries import readable
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import in_child, wait_readable
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import (
    ACK,
    FAMILIES,
    MSS,
    PSH,
    RST,
    SYN,
    Flow,
    read_sockaddr,
)

# Seconds. The kernel has dealt with a packet when the TUN device has taken it, so that what has no answer by then has none; a plain handshake
# is waited for, because a busy machine is slow.
AT_ONCE, PATIENT = 0.004, 1.0
PORTS = (20001, 60000)


def main(args):
    """args: `shots`, a list; without it, lists come and are answered through `pipes`, two FIFOs,
    a line of JSON each. `filter`: folder of an option
    filter that is loaded into the namespace; `kinds`: those that it strips. Returns `seen`, a list for each shot."""
    if args.get("shots") is not None:
        return {"changed": False, "seen": in_child(lambda: Player(args).play(args["shots"]), 240)}
    player = Player(args)
    questions, answers = open(args["pipes"][0]), open(args["pipes"][1], "w")
    for line in iter(questions.readline, ""):
        answers.write(json.dumps(player.play(json.loads(line))) + "\n")
        answers.flush()
    return {"changed": False}


class Player:
    def __init__(self, args):
        self.bench = Bench()
        self.kinds = args.get("kinds") or []
        self.raw = {}
        if args.get("filter"):
            load_here(args["filter"])
            for family in FAMILIES:
                self.raw[family] = socket.socket(FAMILIES[family], socket.SOCK_RAW, socket.IPPROTO_TCP)
                self.raw[family].setblocking(False)
        self.port = PORTS[0]
        self.variant = ""

    def play(self, shots):
        return [self._shoot(shot) for shot in shots]

    def _shoot(self, shot):
        if shot["variant"] != self.variant:
            self.bench._change(self.variant, shot["variant"])
            self.variant = shot["variant"]
        self.port = self.port + 1 if self.port < PORTS[1] else PORTS[0]
        listener = self.bench._listener(
            Case("either", None, "none", shot["listener"], shot["family"], shot["peer"], shot["variant"])
        )
        flow = Flow(shot["family"], shot["peer"], self.port, LOCAL[shot["family"]], listener.port)
        seen = {"port": self.port, "told": [], "passed": [], "lost": ""}
        self._drain(shot["family"], None)
        sent = [FIRST_SEQUENCE, 0]
        try:
            connection = self._shake_hands(shot, flow, listener, sent, seen)
        except NoAnswer as problem:
            seen["lost"] = "%s" % (problem,)
            connection = None
        if connection is not None:
            try:
                self._ask(connection, seen)
                if "later" in shot["options"]:
                    self._data(shot, flow, sent, "later")
                    self._ask(connection, seen)
            finally:
                connection.close()
        self.bench.tun.send(flow.segment(RST | ACK, sent[0], sent[1]))
        self._drain(shot["family"], seen["passed"])
        # What was never accepted must not be taken for the next connection.
        while wait_readable(listener.socket.fileno(), 0):
            try:
                listener.wide.accept()[0].close()
            except socket.error:
                break
        return seen

    def _shake_hands(self, shot, flow, listener, sent, seen):
        fast, plain = shot["variant"] == "fastopen", not shot.get("odd")
        early = PAYLOAD if fast else b""
        options = self._options(shot, "syn")
        mss = MSS if len(options) + len(MSS) <= 40 else b""
        syn = flow.segment(SYN, sent[0], options=options + mss, payload=early)
        if plain:
            answer = self.bench._persist(syn, flow)
        else:
            self._send(shot, "syn", syn)
            answer = self.bench._answer(flow, SYN | ACK, time.time() + AT_ONCE)
        if not answer:
            raise NoAnswer("no answer to the SYN")
        sent[0], sent[1] = answer[2], answer[1] + 1
        self._send(shot, "ack", flow.segment(ACK, sent[0], sent[1], options=self._options(shot, "ack")))
        if "data" in shot["options"] or shot["variant"] == "defer_accept":
            self._data(shot, flow, sent, "data")
        if not wait_readable(listener.socket.fileno(), time.time() + (PATIENT if plain else AT_ONCE)):
            raise NoAnswer("nothing to accept")
        connection, address = listener.wide.accept()
        seen["told"].append(as_text(address))
        return connection

    def _data(self, shot, flow, sent, name):
        packet = flow.segment(PSH | ACK, sent[0], sent[1], options=self._options(shot, name), payload=PAYLOAD)
        sent[0] += len(PAYLOAD)
        self._send(shot, name, packet)
        self.bench._answer(flow, ACK, time.time() + AT_ONCE, sent[0])

    def _ask(self, connection, seen):
        raw = ask(connection.getsockopt, socket.IPPROTO_IP, TOA_SOCKOPT, 128)
        seen["told"].append(as_text(ask(connection.getpeername)))
        seen["told"].append(read_sockaddr(raw) if raw else None)

    def _send(self, shot, name, packet):
        wrap = (shot.get("wrap") or {}).get(name)
        packets = [packet]
        if wrap == "fragments":
            packets = fragments(packet)
        elif wrap and shot["family"] == 6:
            packets = dict(behind_headers(packet))[wrap]
        for part in packets:
            self.bench.tun.send(part)

    def _options(self, shot, name):
        return binascii.unhexlify(shot["options"].get(name, "").encode("ascii"))

    def _drain(self, family, passed):
        """Read what came to TCP; into `passed`, kinds that could be read in it."""
        while family in self.raw:
            try:
                data = self.raw[family].recv(4096)
            except socket.error:
                return
            segment = data[(ord(data[0:1]) & 15) * 4 :] if family == 4 else data
            if passed is not None and segment[0:2] == _port(self.port):
                passed.extend(readable(segment[20 : (ord(segment[12:13]) >> 4) * 4], self.kinds))


def _port(number):
    return binascii.unhexlify(("%04x" % number).encode("ascii"))
