# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests through a load balancer, to servers that run in the network namespace that this runs in."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import time

from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import LOCAL, Bench
from ansible_collections.realip.toa.plugins.module_utils.testbench.cases import PEERS
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import ACK, FIN, PSH, RST, Flow

REQUEST = b"GET / HTTP/1.0\r\n\r\n"


def main(args):
    """args: `requests`, each a list of family, port, option (hex). Returns how many of them the server has answered and closed."""
    bench = Bench(apart=False)
    return {
        "answered": len(
            [1 for number, request in enumerate(args["requests"]) if _ask(bench, 30000 + number, *request)]
        ),
        "changed": False,
    }


def _ask(bench, client_port, family, port, option):
    flow = Flow(family, PEERS[family], client_port, LOCAL[family], port)
    carried = {"syn": b"", "ack": binascii.unhexlify(option.encode("ascii")), "data": b""}
    sent, acked = bench._shake_hands(flow, carried, False, False)
    bench.tun.send(flow.segment(PSH | ACK, sent, acked, payload=REQUEST))
    deadline = time.time() + 10
    packet = bench.tun.receive(deadline)
    while packet is not None:
        found = flow.answered_by(packet)
        if found and found[0] & (FIN | RST):
            bench.tun.send(flow.segment(RST | ACK, sent + len(REQUEST), found[1] + 1))
            return True
        packet = bench.tun.receive(deadline)
    return False
