# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stranger who never stops: sends the same forged option to this host, again and again, and says how often it came through to TCP."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import struct

from ansible_collections.realip.toa.plugins.module_utils.option_filter.networks import STRANGERS
from ansible_collections.realip.toa.plugins.module_utils.option_filter.trial import Wire
from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import LOCAL
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import MSS, SYN, Flow, as_packed

OPTION = struct.pack("!BBH", 200, 8, 4242) + as_packed("203.0.113.7")


def main(args):
    """args: `until`, a file that ends it when it is there; `begun`, one that is made when it begins. Returns `sent`, `through` (with the option), `lost`."""
    wire = Wire()
    counts = {"sent": 0, "through": 0, "lost": 0}
    open(args["begun"], "w").close()
    while not os.path.exists(args["until"]):
        for family in wire.families:
            counts["sent"] += 1
            port = 1024 + counts["sent"] % 60000
            flow = Flow(family, STRANGERS[family][0], port, LOCAL[family], 80)
            came = wire.pass_on(family, [flow.segment(SYN, 1000, options=OPTION + MSS)], port)
            counts["lost"] += came is None
            counts["through"] += came is not None and OPTION in came
    return dict(counts, changed=False)
