# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections without a pause: by turns a load balancer's, and a stranger's with a forged option."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import time

from ansible_collections.realip.toa.plugins.module_utils.testbench.cases import PEERS, STRANGERS, Case
from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import Bench
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import in_child
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import parse_format

_PORTS = 20000  # before client ports begin again


def main(args):
    """args: `stop`, a file that ends it; `seconds`, at most; `begun`, a file that is made after the first of each. Returns `genuine` and `strangers`,
    how many connections of each; `wrong`, what was shown in place of what should have been, and when that connection began."""
    return dict(in_child(lambda: _work(args), args["seconds"] + 20), changed=False)


def _work(args):
    bench, option = Bench(), parse_format("200/8")
    first = bench.client_port
    counted, wrong = {"client": 0, "peer": 0}, []
    end = time.time() + args["seconds"]
    while time.time() < end and not os.path.exists(args["stop"]):
        for expected, address in (("client", PEERS[4]), ("peer", STRANGERS[4])):
            case = Case(expected, option, "ack", "inet", 4, address)
            began = time.time()
            bench.run([case], end)
            counted[expected] += 1
            if case.seen != expected:
                wrong.append([expected, case.seen, case.accept, case.getpeername, case.problem, began])
        if args.get("begun") and counted["peer"] == 1:
            open(args["begun"], "w").close()
        if bench.client_port > first + _PORTS:
            bench.client_port = first
    return {"genuine": counted["client"], "strangers": counted["peer"], "wrong": wrong}
