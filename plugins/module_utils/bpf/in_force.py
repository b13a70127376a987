# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the eBPF backend does on this host, read from the running kernel. Nothing here changes anything."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import struct

from ansible_collections.realip.toa.plugins.module_utils.bpf.maps import (
    CONFIG,
    CONFIG_SIZE,
    COUNTER_NAMES,
    COUNTERS,
    KINDS,
    MOST_NETWORKS,
    MOST_PORTS,
    NEEDED,
    NETWORK_SIZE,
    OPTIONAL,
    PINS,
    PORTS,
    TRUSTED,
    checks_of,
    maps_of,
    read_config,
    read_network,
)
from ansible_collections.realip.toa.plugins.module_utils.bpf.syscalls import (
    lookup_in_map,
    next_key_of_map,
    pinned,
    program_info,
)
from ansible_collections.realip.toa.plugins.module_utils.host.io import STATE_DIR, list_dir, read_line

# How often they were attached again: count, uptime at the last time, seconds until the next.
RESTORED = STATE_DIR + "/ebpf/restored"
_GENERATION = r"[0-9a-f]{12}-[0-9a-f]{12}\Z"

# What a host says on which nothing of ours is loaded.
NOTHING = dict(
    read_config(b"\0" * CONFIG_SIZE),
    complete=False,
    object="",
    generation="",
    trusted_sources=[],
    ports=[],
    getsockopt=False,
    counters={},
)


def in_force(attached):
    """What the backend does on this host: the settings (bpf/maps.py), and "complete", "object", "generation", "getsockopt", "counters".

    `attached`: our programs on the hooks, as syscalls.programs_on() gives them. `complete`: all that are needed are attached. `object`: the
    digest of the object that they came from, "" where they do not come from one. `trusted_sources` is empty where every source counts,
    `ports` where every port does. Raises BpfError or OSError where the kernel refuses.
    """
    names = set(program["name"] for program in attached)
    found = dict(NOTHING, complete=names >= NEEDED, getsockopt=OPTIONAL in names)
    generation = generation_with(set(program["id"] for program in attached))
    if generation:
        folder = maps_of(generation)
        value = _value(folder, CONFIG, struct.pack("<I", 0), CONFIG_SIZE)
        check_source, check_port = checks_of(value)
        found.update(read_config(value), object=generation.split("-")[0], generation=generation)
        found["trusted_sources"] = networks(folder) if check_source else []
        found["ports"] = ports(folder) if check_port else []
        found["counters"] = counters(folder, found["option_kinds"])
    return found


def generation_with(ids):
    """The generation that programs with these ids come from, "" where they do not come from one."""
    for name in list_dir(PINS):
        if ids and re.match(_GENERATION, name) and ids <= set(programs_in(PINS + "/" + name).values()):
            return name
    return ""


def programs_in(folder):
    """{name: id} of the programs pinned in a folder."""
    programs = {}
    for pin in list_dir(folder):
        if pin == "maps":
            continue
        descriptor = pinned(folder + "/" + pin)
        try:
            info = program_info(descriptor)
        finally:
            os.close(descriptor)
        programs[info["name"]] = info["id"]
    return programs


def networks(folder):
    """The list of trusted networks, sorted, whether it counts or not."""
    return sorted(read_network(key) for key in _keys(folder, TRUSTED, NETWORK_SIZE, MOST_NETWORKS))


def ports(folder):
    """The list of ports, sorted, whether it counts or not."""
    return sorted(struct.unpack("<I", key)[0] for key in _keys(folder, PORTS, 4, MOST_PORTS))


def counters_now():
    """The same without knowing what is attached: of whichever generation is pinned, {} where none is. BpfError or OSError where the kernel refuses."""
    for name in list_dir(PINS):
        if re.match(_GENERATION, name):
            folder = maps_of(name)
            return counters(
                folder, read_config(_value(folder, CONFIG, struct.pack("<I", 0), CONFIG_SIZE))["option_kinds"]
            )
    return {}


def counters(folder, formats):
    """{name: int}, summed over the CPUs; `kind_200` counts what was translated out of options of kind 200, for each kind of `formats`."""
    totals = _sums(folder, COUNTERS, enumerate(COUNTER_NAMES))
    kinds = sorted(set(int(name.split("/")[0]) for name in formats))
    totals.update(_sums(folder, KINDS, [(kind, "kind_%d" % kind) for kind in kinds]))
    # By the loader, where somebody had taken the programs from their hooks.
    said = (read_line(RESTORED) or "").split()
    totals["restored"] = int(said[0]) if said and said[0].isdigit() else 0
    return totals


def _sums(folder, name, places):
    cpus = possible_cpus()
    return dict(
        (word, sum(struct.unpack("<%dQ" % cpus, _value(folder, name, struct.pack("<I", place), 8 * cpus))))
        for place, word in places
    )


def possible_cpus():
    """How many values a per-CPU map gives for a key: CPUs that could ever be there, holes included."""
    handle = open("/sys/devices/system/cpu/possible")
    try:
        return 1 + max(int(number) for number in re.findall("[0-9]+", handle.read()))
    finally:
        handle.close()


def _keys(folder, name, size, most):
    found = []
    descriptor = pinned(folder + "/" + name)
    try:
        key = next_key_of_map(descriptor, None, size)
        while key is not None and len(found) <= most:
            found.append(key)
            key = next_key_of_map(descriptor, key, size)
    finally:
        os.close(descriptor)
    return found


def _value(folder, name, key, size):
    descriptor = pinned(folder + "/" + name)
    try:
        return lookup_in_map(descriptor, key, size)
    finally:
        os.close(descriptor)
