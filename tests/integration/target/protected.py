# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis in its protected mode, which answers nobody but the host itself: what it tells whoever claims to be that."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import os
import subprocess
import tempfile
import time

from ansible_collections.realip.toa.plugins.module_utils.option_filter.state import load_here
from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import FIRST_SEQUENCE, LOCAL, Bench
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import in_child
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import ACK, MSS, PSH, RST, SYN, Flow

PORT = 6379
STEP = 5.0


def main(args):
    """args: `cases`, lists of source address and options in hex on the handshake's ACK; `filter`: folder of an option filter, or "".
    Returns `rows`: what Redis says to `CONFIG GET dir`."""
    return {"changed": False, "rows": in_child(lambda: _work(args), 60)}


def _work(args):
    bench = Bench()
    if args.get("filter"):
        load_here(args["filter"])
    folder = tempfile.mkdtemp()
    words = [
        "redis-server",
        "--port",
        str(PORT),
        "--bind",
        "0.0.0.0",
        "--protected-mode",
        "yes",
        "--save",
        "",
        "--dir",
        folder,
    ]
    server = subprocess.Popen(words, stdout=open(os.devnull, "w"), stderr=subprocess.STDOUT)
    try:
        return [_ask(bench, number, source, option) for number, (source, option) in enumerate(args["cases"])]
    finally:
        server.kill()
        server.wait()
        os.rmdir(folder)


def _ask(bench, number, source, option):
    # Until the server listens, the SYN is refused.
    end = time.time() + STEP
    while True:
        flow = Flow(4, source, 20100 + number + int(time.time() * 1000) % 10000 * 4, LOCAL[4], PORT)
        bench.tun.send(flow.segment(SYN, FIRST_SEQUENCE, options=MSS))
        answer = _first(bench, flow, time.time() + 0.2)
        if answer and answer[0] & (SYN | ACK) == SYN | ACK:
            break
        assert time.time() < end, "Redis does not listen"
    sent, acked = answer[2], answer[1] + 1
    bench.tun.send(flow.segment(ACK, sent, acked, options=binascii.unhexlify(option.encode("ascii"))))
    bench.tun.send(flow.segment(PSH | ACK, sent, acked, payload=b"CONFIG GET dir\r\n"))
    end = time.time() + STEP
    while time.time() < end:
        packet = bench.tun.receive(end)
        found = flow.answered_by(packet) if packet else None
        if found:
            start = (ord(packet[0:1]) & 15) * 4
            said = packet[start + (ord(packet[start + 12 : start + 13]) >> 4) * 4 :]
            if said:
                bench.tun.send(flow.segment(RST | ACK, sent + 16, acked))
                return said.decode("latin-1")[:60]
    return ""


def _first(bench, flow, deadline):
    while True:
        packet = bench.tun.receive(deadline)
        if packet is None:
            return None
        found = flow.answered_by(packet)
        if found:
            return found
