# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which eBPF programs sit on a cgroup's hooks, asked of the kernel by bpf(2) itself; no bpftool needed.

Layouts and numbers: include/uapi/linux/bpf.h of Linux 5.10, which later kernels only append to.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os
import struct

# Attach types by the names that bpftool and the reports use.
HOOKS = {"sock_ops": 3, "getsockopt": 21, "getpeername4": 29, "getpeername6": 30}
GETPEERNAME_HOOKS = ("getpeername4", "getpeername6")

# Our own programs are known by this prefix of the name the kernel keeps (at most 15 characters).
OUR_PREFIX = "realip_"

MAP_LOOKUP_ELEM, MAP_GET_NEXT_KEY = 1, 4
OBJ_GET = 7
PROG_GET_FD_BY_ID = 13
OBJ_GET_INFO_BY_FD = 15
PROG_QUERY = 16

_SYSCALLS = {
    "x86_64": 321,
    "aarch64": 280,
    "riscv64": 280,
    "loongarch64": 280,
    "ppc64le": 361,
    "ppc64": 361,
    "s390x": 351,
    "i386": 357,
    "i686": 357,
    "armv7l": 386,
}
_MOST_PROGRAMS = 64  # BPF_CGROUP_MAX_PROGS
_ALLOW_MULTI = 2  # BPF_F_ALLOW_MULTI
_INFO_SIZE = 80  # struct bpf_prog_info up to and with `name`
_ID_AT, _NAME_AT = 4, 64
_LIBRARY = []  # the C library, once it was asked for: ctypes makes a class for each that it opens, and a look asks a dozen times


class BpfError(Exception):
    """bpf(2) refused; `errno` is its number, 0 where the system call could not be made at all."""

    def __init__(self, message, errno=0):
        Exception.__init__(self, message)
        self.errno = errno


def bpf(command, attributes):
    """One bpf(2) call. `attributes` is the packed union bpf_attr (bytes); returns (result, attributes as the kernel left them)."""
    # Only imported where a kernel is new enough to be asked: it costs an old Python more than all of the rest.
    try:
        import ctypes
    except ImportError as problem:
        raise BpfError("this Python has no ctypes (%s)" % problem)
    number = _SYSCALLS.get(os.uname()[4])
    if number is None:
        raise BpfError("the number of bpf(2) on %s is not known" % os.uname()[4])
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    if not _LIBRARY:
        _LIBRARY.append(ctypes.CDLL(None, use_errno=True))
    library = _LIBRARY[0]
    result = library.syscall(ctypes.c_long(number), ctypes.c_long(command), buffer, ctypes.c_ulong(len(attributes)))
    if result < 0:
        problem = ctypes.get_errno()
        raise BpfError("bpf(2) command %d: %s" % (command, os.strerror(problem)), problem)
    return result, buffer.raw


def attached_ids(cgroup, attach_type):
    """(ids of the programs attached to one hook of one cgroup (a path) in the order in which they run, may others join them)."""
    import ctypes

    ids = ctypes.create_string_buffer(4 * _MOST_PROGRAMS)
    descriptor = os.open(cgroup, os.O_RDONLY)
    try:
        # target_fd, attach_type, query_flags, attach_flags, prog_ids, prog_cnt
        attributes = struct.pack("=IIIIQII", descriptor, attach_type, 0, 0, ctypes.addressof(ids), _MOST_PROGRAMS, 0)
        unused, answer = bpf(PROG_QUERY, attributes)
    finally:
        os.close(descriptor)
    count = min(struct.unpack_from("=I", answer, 24)[0], _MOST_PROGRAMS)
    shared = struct.unpack_from("=I", answer, 12)[0] & _ALLOW_MULTI
    return list(struct.unpack_from("=%dI" % count, ids.raw, 0)), bool(shared)


def program_name(identity):
    """The name the kernel keeps of a program; "" for one without, or one that is gone by now."""
    try:
        descriptor = bpf(PROG_GET_FD_BY_ID, struct.pack("=III", identity, 0, 0))[0]
    except BpfError as problem:
        if problem.errno == errno.ENOENT:  # unloaded since it was listed
            return ""
        raise
    try:
        return program_info(descriptor)["name"]
    finally:
        os.close(descriptor)


def program_info(descriptor):
    """{"id", "name"} of a program, by a descriptor of it."""
    import ctypes

    info = ctypes.create_string_buffer(_INFO_SIZE)
    bpf(OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", descriptor, _INFO_SIZE, ctypes.addressof(info)))
    name = info.raw[_NAME_AT:_INFO_SIZE].split(b"\0", 1)[0].decode("ascii", "replace")
    return {"id": struct.unpack_from("=I", info.raw, _ID_AT)[0], "name": name}


def pinned(path):
    """A descriptor of what is pinned at a path; BpfError where nothing is."""
    import ctypes

    name = ctypes.create_string_buffer(path.encode("ascii"))
    return bpf(OBJ_GET, struct.pack("=QII", ctypes.addressof(name), 0, 0))[0]


def lookup_in_map(descriptor, key, size):
    """The value (bytes) of a key in a map; `size` is that of a value, for a per-CPU map of all its values."""
    import ctypes

    given = ctypes.create_string_buffer(key, len(key))
    value = ctypes.create_string_buffer(size)
    bpf(MAP_LOOKUP_ELEM, struct.pack("=IIQQQ", descriptor, 0, ctypes.addressof(given), ctypes.addressof(value), 0))
    return value.raw


def next_key_of_map(descriptor, key, size):
    """The key (bytes of length `size`) after a key, the first one after None; None after the last."""
    import ctypes

    given = ctypes.create_string_buffer(key, size) if key is not None else None
    found = ctypes.create_string_buffer(size)
    address = ctypes.addressof(given) if given is not None else 0
    try:
        bpf(MAP_GET_NEXT_KEY, struct.pack("=IIQQQ", descriptor, 0, address, ctypes.addressof(found), 0))
    except BpfError as problem:
        if problem.errno == errno.ENOENT:
            return None
        raise
    return found.raw


def programs_on(cgroup, hooks):
    """Programs on some hooks of a cgroup: a list of {"hook", "id", "name", "cgroup", "alone" (the kernel lets no other join)}.

    Raises BpfError where the kernel refuses, OSError where the cgroup cannot be opened.
    """
    found = []
    for hook in hooks:
        ids, shared = attached_ids(cgroup, HOOKS[hook])
        for identity in ids:
            program = {"hook": hook, "id": identity, "name": program_name(identity), "cgroup": cgroup}
            found.append(dict(program, alone=not shared))
    return found
