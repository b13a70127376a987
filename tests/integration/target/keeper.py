# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One crafted connection that stays open, and says who its peer is whenever it is asked."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import socket

from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import LOCAL, Bench, Listener
from ansible_collections.realip.toa.plugins.module_utils.testbench.cases import PEERS
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import Flow


def main(args):
    """args: `option` (hex), `descriptor` of a socket on which each byte asks, until it is closed."""
    bench = Bench()
    listener = Listener("inet", 8080, "")
    flow = Flow(4, PEERS[4], 30000, LOCAL[4], 8080)
    bench._shake_hands(
        flow, {"syn": b"", "ack": binascii.unhexlify(args["option"].encode("ascii")), "data": b""}, False, False
    )
    listener.socket.setblocking(True)
    connection = listener.socket.accept()[0]
    asked = socket.fromfd(args["descriptor"], socket.AF_UNIX, socket.SOCK_STREAM)
    while asked.recv(1):
        asked.sendall((connection.getpeername()[0] + "\n").encode("ascii"))
    return {"changed": False}
