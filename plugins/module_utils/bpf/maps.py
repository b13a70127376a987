# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the maps of the eBPF backend hold, out of bytes; bpf/settings.py has the way there. Pure.

The layouts are those of ebpf/toa.bpf.c, whose programs run on little-endian hosts only. Maps are written by bpftool, which the loader runs
at boot and for the module toa_ebpf alike (bpf/loader.py). Settings are never changed in place: other ones are another generation, with
programs and maps of its own, which is complete before it is attached.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import socket
import struct

from ansible_collections.realip.toa.plugins.module_utils.common.option_formats import LAYOUTS, PACKETS, PLACES

# Pins: PINS/GENERATION/PROGRAM and PINS/GENERATION/maps/MAP. bpffs allows no dots in names.
PINS = "/sys/fs/bpf/realip-toa"
CONFIG, TRUSTED, PORTS = "realip_config", "realip_trusted", "realip_ports"
COUNTERS, KINDS = "realip_events", "realip_kinds"
# What a new generation takes over from the one before: open connections keep their clients, and counters go on.
SHARED = ("realip_clients", COUNTERS, KINDS, "realip_own")

# Program -> the hook it belongs to, in the order in which they are attached: what shows addresses before what finds them.
PROGRAMS = (
    ("realip_peer4", "getpeername4"),
    ("realip_peer6", "getpeername6"),
    ("realip_getopt", "getsockopt"),
    ("realip_sockops", "sock_ops"),
)
OPTIONAL = "realip_getopt"
NEEDED = set(name for name, hook in PROGRAMS if name != OPTIONAL)

# In the order of `enum counter`.
COUNTER_NAMES = (
    "translated",
    "no_option",
    "untrusted",
    "malformed",
    "impossible",
    "ambiguous",
    "misplaced",
    "full",
    "other_port",
    "translated_on_syn",
    "translated_on_ack",
    "translated_on_data",
    "from_trusted",
)

MOST_NETWORKS = 4096
MOST_PORTS = 1024
CONFIG_FORMAT = "<6Q256Q"
CONFIG_SIZE = struct.calcsize(CONFIG_FORMAT)
NETWORK_SIZE = 24


def read_config(value):
    """The settings in a struct settings, without those that are in maps of their own; all empty before the loader was there."""
    words = struct.unpack_from(CONFIG_FORMAT, value)
    active, packets, place, nat64 = words[0], words[1], words[2], words[5]
    formats = []
    for kind in range(256):
        formats.extend("%d/%d" % (kind, length) for length in sorted(LAYOUTS) if words[6 + kind] >> length & 1)
    return {
        "option_kinds": formats if active else [],
        "packets": [packet for number, packet in enumerate(PACKETS) if active and packets >> number & 1],
        "place": PLACES[place] if active and place < len(PLACES) else "unknown",
        "getsockopt_nat64": bool(active and nat64),
    }


def checks_of(value):
    """(are sources checked, are ports checked) in a struct settings."""
    words = struct.unpack_from(CONFIG_FORMAT, value)
    return bool(words[3]), bool(words[4])


def read_network(key):
    """The text of a struct network."""
    prefix, number = struct.unpack_from("<II", key)
    if number == 4:
        return "%s/%d" % (socket.inet_ntop(socket.AF_INET, key[8:12]), prefix - 32)
    return "%s/%d" % (socket.inet_ntop(socket.AF_INET6, key[8:24]), prefix - 32)


def maps_of(generation):
    """The folder with a generation's maps."""
    return "%s/%s/maps" % (PINS, generation)
