# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until a real connection has come translated since the last rollout's proof."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import time

from ansible_collections.realip.toa.plugins.module_utils.host.io import read_line
from ansible_collections.realip.toa.plugins.module_utils.host.state import load
from ansible_collections.realip.toa.plugins.module_utils.inspection.real_traffic import all_counters, look
from ansible_collections.realip.toa.plugins.module_utils.monitoring.drift import proof_of, seconds_of

PAUSE = 0.5


def main(args):
    """{"seen": bool, None where nothing here counts connections, "traffic"}. `args["seconds"]`: how long after the proof one has to be there."""
    now = time.time()
    proof = proof_of(load())
    proved = seconds_of(proof["time"]) if proof else int(now)
    # A clock that was put back would have us wait for ever.
    until = min(proved, now) + args["seconds"]
    boot_id = read_line("/proc/sys/kernel/random/boot_id") or ""
    while True:
        traffic = look(all_counters(), boot_id)
        if traffic is None:
            return {"changed": False, "seen": None, "traffic": None}
        # Within the second of the proof it may have been before it.
        seen = bool(traffic["last"]) and seconds_of(traffic["last"]) > proved
        if seen or time.time() >= until:
            return {"changed": False, "seen": seen, "traffic": traffic}
        time.sleep(PAUSE)
