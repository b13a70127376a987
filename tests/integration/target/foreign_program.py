# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An eBPF program of somebody else's on a cgroup hook: it allows everything, changes nothing, and goes with its cgroup."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import ctypes
import os
import struct

from ansible_collections.realip.toa.plugins.module_utils.bpf.syscalls import HOOKS, bpf

PROG_LOAD, PROG_ATTACH, ALLOW_MULTI = 5, 8, 2
CGROUP_SOCK_ADDR, SOCK_OPS = 18, 13
ALLOW = struct.pack("=BBhi", 0xB7, 0, 0, 1) + struct.pack("=BBhi", 0x95, 0, 0, 0)  # r0 = 1; exit


def main(args):
    """args: `cgroup`, a directory of cgroup v2; `name` of the program; `hook`, one of the getpeername hooks."""
    attach(args["cgroup"], args["name"].encode("ascii"), args["hook"])
    return {"changed": True}


def attach(cgroup, name, hook):
    """Load a program called `name` and attach it."""
    program = _load(name, hook)
    directory = os.open(str(cgroup), os.O_RDONLY)
    try:
        bpf(PROG_ATTACH, struct.pack("=IIII", directory, program, HOOKS[hook], ALLOW_MULTI))
    finally:
        os.close(directory)
        os.close(program)


def _load(name, hook):
    instructions = ctypes.create_string_buffer(ALLOW, len(ALLOW))
    licence = ctypes.create_string_buffer(b"GPL")
    kind = SOCK_OPS if hook == "sock_ops" else CGROUP_SOCK_ADDR
    attributes = struct.pack(
        "=IIQQIIQII16sII",
        kind,
        2,
        ctypes.addressof(instructions),
        ctypes.addressof(licence),
        0,
        0,
        0,
        0,
        0,
        name,
        0,
        HOOKS[hook],
    )
    return bpf(PROG_LOAD, attributes)[0]
