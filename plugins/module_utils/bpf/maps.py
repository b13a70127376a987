# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the maps of the eBPF backend hold, to bytes and back. Pure.

The layouts are those of ebpf/toa.bpf.c, whose programs run on little-endian hosts only. Maps are written by bpftool, which the loader runs
at boot and for the module toa_ebpf alike (bpf/loader.py). Settings are never changed in place: other ones are another generation, with
programs and maps of its own, which is complete before it is attached.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import hashlib
import socket
import struct

from ansible_collections.realip.toa.plugins.module_utils.common.option_formats import LAYOUTS, PACKETS, PLACES
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import parse_format

# Pins: PINS/GENERATION/PROGRAM and PINS/GENERATION/maps/MAP. bpffs allows no dots in names.
PINS = "/sys/fs/bpf/realip-toa"
CONFIG, TRUSTED, PORTS, COUNTERS = "realip_config", "realip_trusted", "realip_ports", "realip_counters"
# What a new generation takes over from the one before: open connections keep their clients, and counters go on.
SHARED = ("realip_clients", COUNTERS, "realip_own")

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
)

MOST_NETWORKS = 4096
MOST_PORTS = 1024
CONFIG_FORMAT = "<6Q256Q"
CONFIG_SIZE = struct.calcsize(CONFIG_FORMAT)
NETWORK_SIZE = 24


def settings_of(args):
    """The settings out of a module's arguments, each in one order; ValueError for what cannot be."""
    sources = sorted(set(read_network(network_key(text)) for text in args.get("trusted_sources") or []))
    ports = sorted(set(int(port) for port in args.get("ports") or []))
    packets = args.get("packets") or ["ack"]
    strange = [packet for packet in packets if packet not in PACKETS]
    if strange:
        raise ValueError("packets: %r is none of %s" % (strange[0], ", ".join(PACKETS)))
    if (args.get("place") or "unknown") not in PLACES:
        raise ValueError("place: %r is none of %s" % (args["place"], ", ".join(PLACES)))
    if [port for port in ports if not 0 < port < 65536]:
        raise ValueError("ports: TCP ports go from 1 to 65535")
    if len(sources) > MOST_NETWORKS:
        raise ValueError("trusted_sources: %d networks; at most %d fit" % (len(sources), MOST_NETWORKS))
    if len(ports) > MOST_PORTS:
        raise ValueError("ports: %d ports; at most %d fit" % (len(ports), MOST_PORTS))
    settings = read_config(
        config_value(
            {
                "option_kinds": args["option_kinds"],
                "packets": packets,
                "place": args.get("place") or "unknown",
                "getsockopt_nat64": bool(args.get("getsockopt_nat64")),
            }
        )
    )
    settings.update(trusted_sources=sources, ports=ports)
    return settings


def config_value(settings):
    """struct settings."""
    lengths = [0] * 256
    for text in settings["option_kinds"]:
        option = parse_format(text)
        lengths[option.kind] |= 1 << option.length
    words = [
        1,
        sum(1 << place for place, packet in enumerate(PACKETS) if packet in settings["packets"]),
        PLACES.index(settings["place"]),
        1 if settings.get("trusted_sources") else 0,
        1 if settings.get("ports") else 0,
        1 if settings["getsockopt_nat64"] else 0,
    ]
    return struct.pack(CONFIG_FORMAT, *(words + lengths))


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


def network_key(text):
    """struct network for "10.0.0.0/8" or "2001:db8::/32"; ValueError for anything else."""
    address, _slash, length = text.partition("/")
    for family, number, bits in ((socket.AF_INET, 4, 32), (socket.AF_INET6, 6, 128)):
        try:
            packed = socket.inet_pton(family, address)
        except (socket.error, TypeError, ValueError):  # the last two: a NUL in it
            continue
        if length.isdigit() and int(length) <= bits:
            return struct.pack("<II16s", 32 + int(length), number, packed)
    raise ValueError("%r is not a network as in 10.0.0.0/8" % (text,))


def read_network(key):
    """The text of a struct network."""
    prefix, number = struct.unpack_from("<II", key)
    if number == 4:
        return "%s/%d" % (socket.inet_ntop(socket.AF_INET, key[8:12]), prefix - 32)
    return "%s/%d" % (socket.inet_ntop(socket.AF_INET6, key[8:24]), prefix - 32)


def hex_words(data):
    """Bytes as bpftool takes them after `hex`."""
    text = binascii.hexlify(data).decode("ascii")
    return " ".join(text[place : place + 2] for place in range(0, len(text), 2))


def fill_text(settings, folder):
    """Lines for `bpftool batch` that fill the maps pinned in a folder. The config comes last, so that nothing counts before all of it is there."""
    entries = [(TRUSTED, network_key(text)) for text in settings["trusted_sources"]]
    entries += [(PORTS, struct.pack("<I", port)) for port in settings["ports"]]
    lines = [
        "map update pinned %s/%s key hex %s value hex 01 00 00 00" % (folder, name, hex_words(key))
        for name, key in entries
    ]
    config = hex_words(config_value(settings))
    lines.append("map update pinned %s/%s key hex 00 00 00 00 value hex %s" % (folder, CONFIG, config))
    return "\n".join(lines) + "\n"


def generation_of(digest, settings):
    """The name of a generation: these programs (digest of their object) with these settings; `again` in them makes it another one."""
    text = fill_text(settings, "again" if settings.get("again") else "")
    return "%s-%s" % (digest, hashlib.sha256(text.encode("ascii")).hexdigest()[:12])


def maps_of(generation):
    """The folder with a generation's maps."""
    return "%s/%s/maps" % (PINS, generation)
