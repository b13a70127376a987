# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the maps of the eBPF backend hold, to bytes and back, and how to read them from the running kernel.

The layouts are those of ebpf/toa.bpf.c, whose programs run on little-endian hosts only. Nothing here changes anything: maps are
written by bpftool, which the loader runs at boot and for the module toa_ebpf alike (bpf/loader.py).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import os
import re
import socket
import struct

from ansible_collections.realip.toa.plugins.module_utils.bpf.syscalls import (
    lookup_in_map,
    next_key_of_map,
    pinned,
    program_info,
)
from ansible_collections.realip.toa.plugins.module_utils.host.io import list_dir
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import parse_format

# Pins: maps-SCHEMA/NAME, and a folder of programs named after the object's digest. bpffs allows no dots in names.
PINS = "/sys/fs/bpf/realip-toa"
SCHEMA = 2
MAPS = "%s/maps-%d" % (PINS, SCHEMA)
CONFIG, TRUSTED, COUNTERS = "realip_config", "realip_trusted", "realip_counters"

# Program -> the hook it belongs to, in the order in which they are attached: what shows addresses before what finds them.
PROGRAMS = (
    ("realip_peer4", "getpeername4"),
    ("realip_peer6", "getpeername6"),
    ("realip_getopt", "getsockopt"),
    ("realip_sockops", "sock_ops"),
)
OPTIONAL = "realip_getopt"
NEEDED = set(name for name, hook in PROGRAMS if name != OPTIONAL)

# Bits of settings.layouts[kind], by the length of the option.
LAYOUT_BITS = {8: 1, 20: 2, 7: 4, 19: 8}
COUNTER_NAMES = ("translated", "no_option", "untrusted", "malformed", "impossible")

MOST_NETWORKS = 4096  # of one list; the map has room for two
_CONFIG_SIZE = 8 + 8 + 256
_NETWORK_SIZE = 24
_DIGEST = r"[0-9a-f]{12}\Z"


# -- to bytes and back -------------------------------------------------------------------------------------------------


def config_value(option_kinds, check_source):
    """struct settings for a list of formats as in ["200/8"]."""
    layouts = [0] * 256
    for text in option_kinds:
        option = parse_format(text)
        layouts[option.kind] |= LAYOUT_BITS[option.length]
    return struct.pack("<QQ256B", 1, 1 if check_source else 0, *layouts)


def read_config(value):
    """(formats, check_source) of a struct settings; no formats where the programs are not active."""
    active, check_source = struct.unpack_from("<QQ", value)
    layouts = struct.unpack_from("<256B", value, 16)
    formats = []
    for kind in range(256):
        formats.extend(
            "%d/%d" % (kind, length) for length in (8, 20, 7, 19) if active and layouts[kind] & LAYOUT_BITS[length]
        )
    return formats, bool(check_source)


def in_order(option_kinds):
    """Formats in the order in which read_config() gives them, each once."""
    return read_config(config_value(option_kinds, False))[0]


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


def fill_text(option_kinds, networks):
    """Lines for `bpftool batch` that fill the maps. The settings come last, so that no list counts before it is complete."""
    lines = [
        "map update pinned %s/%s key hex %s value hex 01 00 00 00" % (MAPS, TRUSTED, hex_words(network_key(text)))
        for text in networks
    ]
    config = hex_words(config_value(option_kinds, bool(networks)))
    lines.append("map update pinned %s/%s key hex 00 00 00 00 value hex %s" % (MAPS, CONFIG, config))
    return "\n".join(lines) + "\n"


def drop_text(networks):
    """Lines for `bpftool batch` that take networks out of the list."""
    return "".join(
        "map delete pinned %s/%s key hex %s\n" % (MAPS, TRUSTED, hex_words(network_key(text))) for text in networks
    )


# -- from the running kernel -------------------------------------------------------------------------------------------


def in_force(attached):
    """What the backend does on this host: {"complete", "object", "option_kinds", "trusted_sources", "getsockopt", "counters"}.

    `attached`: our programs on the hooks, as bpf_query.programs_on() gives them. `complete`: all that are needed are attached. `object`: the
    digest of the object that they came from, "" where they do not come from one. `trusted_sources` is empty where every source counts.
    Raises BpfError or OSError where the kernel refuses.
    """
    names = set(program["name"] for program in attached)
    ids = set(program["id"] for program in attached)
    found = {
        "complete": names >= NEEDED,
        "object": "",
        "option_kinds": [],
        "trusted_sources": [],
        "getsockopt": OPTIONAL in names,
        "counters": {},
    }
    for folder in list_dir(PINS):
        if ids and re.match(_DIGEST, folder) and ids <= set(programs_in(PINS + "/" + folder).values()):
            found["object"] = folder
    if os.path.isdir(MAPS):
        found["option_kinds"], check_source = read_config(_value(CONFIG, struct.pack("<I", 0), _CONFIG_SIZE))
        found["trusted_sources"] = networks() if check_source else []
        found["counters"] = counters()
    return found


def programs_in(folder):
    """{name: id} of the programs pinned in a folder."""
    programs = {}
    for pin in list_dir(folder):
        descriptor = pinned(folder + "/" + pin)
        try:
            info = program_info(descriptor)
        finally:
            os.close(descriptor)
        programs[info["name"]] = info["id"]
    return programs


def networks():
    """The list of trusted networks, sorted, whether it counts or not."""
    found = []
    descriptor = pinned(MAPS + "/" + TRUSTED)
    try:
        key = next_key_of_map(descriptor, None, _NETWORK_SIZE)
        while key is not None and len(found) <= 2 * MOST_NETWORKS:
            found.append(read_network(key))
            key = next_key_of_map(descriptor, key, _NETWORK_SIZE)
    finally:
        os.close(descriptor)
    return sorted(found)


def counters():
    """{name: int}, summed over the CPUs."""
    cpus = possible_cpus()
    totals = {}
    for place, name in enumerate(COUNTER_NAMES):
        totals[name] = sum(struct.unpack("<%dQ" % cpus, _value(COUNTERS, struct.pack("<I", place), 8 * cpus)))
    return totals


def possible_cpus():
    """How many values a per-CPU map gives for a key: CPUs that could ever be there, holes included."""
    handle = open("/sys/devices/system/cpu/possible")
    try:
        return 1 + max(int(number) for number in re.findall("[0-9]+", handle.read()))
    finally:
        handle.close()


def _value(name, key, size):
    descriptor = pinned(MAPS + "/" + name)
    try:
        return lookup_in_map(descriptor, key, size)
    finally:
        os.close(descriptor)
