# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The eBPF backend on a host, as it is: its programs, its files, its record."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible_collections.realip.toa.plugins.module_utils.bpf.in_force import in_force
from ansible_collections.realip.toa.plugins.module_utils.bpf.syscalls import HOOKS, OUR_PREFIX, BpfError, programs_on
from ansible_collections.realip.toa.plugins.module_utils.common.kernels import OWN_CGROUP2
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, read_text
from ansible_collections.realip.toa.plugins.module_utils.host.managed_files import Originals, digest_of, tell_daemons
from ansible_collections.realip.toa.plugins.module_utils.host.marks import EBPF
from ansible_collections.realip.toa.plugins.module_utils.host.selinux import confinement
from ansible_collections.realip.toa.plugins.module_utils.host.state import save_section, section
from ansible_collections.realip.toa.plugins.module_utils.startup.init import init_system
from ansible_collections.realip.toa.plugins.module_utils.startup.own_scripts import places_of


class Backend:
    """The backend on this host, as it is."""

    def __init__(self, args):
        self.record = section("ebpf")
        self.originals = Originals(self.record)
        self.packages = list(self.record.get("packages") or [])
        self.trusted = list(self.record.get("trusted_sources") or [])
        # For the proof, which must ask where the programs read.
        self.reads = dict((key, self.record.get(key) or []) for key in ("ports", "packets"))
        self.init = init_system()
        self.notes = []
        self.generation = ""
        self.given = args.get("cgroup") or ""
        self.top = cgroup2()
        # Attaching goes where the operator says, everything else where the programs are.
        recorded = self.record.get("cgroup") if args["state"] != "attached" else ""
        self.cgroup = self.given or recorded or self.top

    def now(self):
        """How it is, in the words of `before` and `after`, and the counters."""
        found = asked(lambda: in_force(self.programs()))
        counters, self.generation = found.pop("counters"), found.pop("generation")
        attached = found.pop("complete")
        place = [place["path"] for place in places_of(EBPF, self.init)]
        state = {"attached": attached, "cgroup": self.cgroup if attached else "", "at_boot": place[0] if place else ""}
        state.update(found)
        return state, counters

    def programs(self, ours=True, hooks=None):
        """Our programs on the cgroup's hooks, or other people's."""
        if not self.cgroup or not os.path.isdir(self.cgroup):
            return []
        found = programs_on(self.cgroup, hooks or sorted(HOOKS))
        return [program for program in found if program["name"].startswith(OUR_PREFIX) == ours]

    def save(self):
        record = self.originals.record()
        if record:
            record.update(cgroup=self.cgroup, packages=self.packages, trusted_sources=self.trusted, **self.reads)
        save_section("ebpf", record)

    def put(self, wanted):
        """Record first, then change; only what differs."""
        changes = self.differing(wanted)
        for name, image in sorted(changes.items()):
            self.originals.keep(name, image)
        self.save()
        for name, image in sorted(changes.items()):
            self.originals.change(name, image)
        tell_daemons(changes)
        return changes

    def differing(self, wanted):
        return dict(
            (name, image) for name, image in wanted.items() if digest_of(self.originals.now(name)) != digest_of(image)
        )


def asked(question):
    """A question to the kernel; its refusal becomes a TargetError."""
    try:
        return question()
    except (BpfError, OSError, ImportError) as refusal:
        raise TargetError(
            "ebpf_impossible",
            "the kernel cannot be asked for eBPF programs: %s%s" % (refusal, confinement()),
            "run as root, with a Python that has ctypes, on a kernel with BPF_SYSCALL and CGROUP_BPF",
        )


def cgroup2():
    """The mount of the cgroup v2 hierarchy, the usual one before others, or where the loader makes one; "" where the kernel has none."""
    points = [
        line.split(" ")[1]
        for line in (read_text("/proc/mounts") or "").split("\n")
        if line.split(" ")[2:3] == ["cgroup2"]
    ]
    if not points and "\tcgroup2\n" in (read_text("/proc/filesystems", 65536) or ""):
        return OWN_CGROUP2
    return "/sys/fs/cgroup" if "/sys/fs/cgroup" in points else points[0] if points else ""
