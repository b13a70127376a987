# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the eBPF backend: checked, in one order, and as the lines that fill the maps. Pure."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import hashlib
import socket
import struct

from ansible_collections.realip.toa.plugins.module_utils.bpf.maps import (
    CONFIG,
    CONFIG_FORMAT,
    MOST_NETWORKS,
    MOST_PORTS,
    PORTS,
    TRUSTED,
    read_config,
    read_network,
)
from ansible_collections.realip.toa.plugins.module_utils.common.option_formats import PACKETS, PLACES
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import parse_format


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


def settings_text(generation, cgroup, getsockopt, accept_conflicts):
    """The file `settings`, which the loader reads as shell assignments. `cgroup`: a checked path, or "" for the cgroup v2 mount of the day."""
    return "generation=%s\ncgroup=%s\ngetsockopt=%d\naccept_conflicts=%d\n" % (
        generation,
        cgroup,
        getsockopt,
        accept_conflicts,
    )
