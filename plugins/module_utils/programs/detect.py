# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the load balancer really sends: listens for a while, changes nothing (docs/contracts.md, "Detection").

Sources of the facts about taps, GRO, VLANs and bonds: Linux net/core/dev.c and net/packet/af_packet.c; field guide 11.7.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.detection.connections import Tracker
from ansible_collections.realip.toa.plugins.module_utils.detection.listener import Listener, cpu, local_addresses
from ansible_collections.realip.toa.plugins.module_utils.host.io import read_text

# Seconds without anything new after which enough was seen, where there were options enough.
QUIET = 3


def main(args):
    """args: `seconds` to listen at most, `enough` connections with an option to end early (0: never)."""
    tracker = Tracker(local_addresses())
    udp = udp_datagrams()
    listener = Listener(tracker)
    try:
        used = cpu()
        seconds, ended = listener.listen(args["seconds"], Enough(tracker, args["enough"]))
        used = cpu() - used
    finally:
        listener.close()
    tracker.settle()
    found = {
        "seconds": round(seconds, 1),
        "ended": ended,
        "packets": listener.packets,
        "dropped": listener.dropped,
        "share": listener.share,
        "plain_share": listener.plain_share,
        "cpu_ms": int(used * 1000),
        "udp_datagrams": max(0, udp_datagrams() - udp),
        "rows": tracker.table(),
        "proxy_protocol": tracker.proxy_protocols(),
    }
    found.update(tracker.counts)
    return {"changed": False, "detect": found}


class Enough:
    """Whether so many connections with an option were seen, and no new kind of row for some seconds."""

    def __init__(self, tracker, wanted):
        self.tracker = tracker
        self.wanted = wanted
        self.known = 0
        self.quiet = 0

    def __call__(self):
        if not self.wanted:
            return False
        different = len(self.tracker.different)
        self.quiet = self.quiet + 1 if different == self.known else 0
        self.known = different
        return self.tracker.proved >= self.wanted and self.quiet >= QUIET


def udp_datagrams():
    """UDP datagrams that programs of this host have got since it started, /proc/net/snmp and snmp6."""
    number = 0
    lines = [line.split() for line in (read_text("/proc/net/snmp") or "").splitlines() if line.startswith("Udp:")]
    if len(lines) == 2:
        number += int(dict(zip(lines[0], lines[1])).get("InDatagrams", 0))
    for line in (read_text("/proc/net/snmp6") or "").splitlines():
        words = line.split()
        if words[:1] == ["Udp6InDatagrams"]:
            number += int(words[1])
    return number
