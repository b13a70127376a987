# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Crafted connections that no probe makes: any bytes in place of an option, any packet for any kind of listener."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import time

from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import Bench
from ansible_collections.realip.toa.plugins.module_utils.host.io import run
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import in_child
from ansible_collections.realip.toa.plugins.module_utils.testbench.cases import PEERS, Case


class Bytes:
    """What stands in for a format: these bytes, whatever they say."""

    family, has_port = 4, True

    def __init__(self, text):
        self.name = text
        self.kind = 0

    def option(self, unused_address, unused_port):
        return binascii.unhexlify(self.name.encode("ascii"))


def main(args):
    """args: `cases`, each a list of option (hex), packet, listener, family, variant, peer ("" for the usual one); `between`: a command that is
    run when the listeners are there. Returns `rows`: of each case accept, getpeername, getsockopt_1348, the peer's port, what went wrong."""
    return {"rows": in_child(lambda: _work(args), 120), "changed": False}


def _work(args):
    cases = [
        Case("either", Bytes(option), packet, listener, family, peer or PEERS[family], variant)
        for option, packet, listener, family, variant, peer in args["cases"]
    ]
    bench = Bench()
    if args.get("between"):
        for case in cases:
            bench._listener(case)
        code, out, err = run(args["between"])
        assert code == 0, out + err
    bench.run(cases, time.time() + 100)
    return [
        [case.accept, case.getpeername, case.getsockopt_1348, case.peer_port, case.problem or case.untestable]
        for case in cases
    ]
