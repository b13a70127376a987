# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The eBPF backend on a host: its programs, its files, its record."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible_collections.realip.toa.plugins.module_utils.host.running import in_image
from ansible_collections.realip.toa.plugins.module_utils.bpf.asking import asked
from ansible_collections.realip.toa.plugins.module_utils.bpf.host_checks import REMEDIES
from ansible_collections.realip.toa.plugins.module_utils.bpf.in_force import RESTORED, in_force
from ansible_collections.realip.toa.plugins.module_utils.bpf.loader import FILL, LOADER, OBJECT, SCRIPT_TEXT, SETTINGS
from ansible_collections.realip.toa.plugins.module_utils.bpf.maps import PINS
from ansible_collections.realip.toa.plugins.module_utils.bpf.settings import settings_text
from ansible_collections.realip.toa.plugins.module_utils.bpf.syscalls import HOOKS, OUR_PREFIX, programs_on
from ansible_collections.realip.toa.plugins.module_utils.bpf.units import (
    SERVICE,
    TIMER,
    TIMER_LINK,
    TIMER_UNIT,
    UNIT,
    UNIT_LINK,
    WATCH_UNIT,
)
from ansible_collections.realip.toa.plugins.module_utils.common.kernels import OWN_CGROUP2
from ansible_collections.realip.toa.plugins.module_utils.host.file_image import file_image
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, read_text, run
from ansible_collections.realip.toa.plugins.module_utils.host.writing import remove_file
from ansible_collections.realip.toa.plugins.module_utils.host.managed_files import Managed
from ansible_collections.realip.toa.plugins.module_utils.host.marks import EBPF
from ansible_collections.realip.toa.plugins.module_utils.packaging.bpftool import remove
from ansible_collections.realip.toa.plugins.module_utils.startup.init import init_system
from ansible_collections.realip.toa.plugins.module_utils.startup.own_scripts import places_of, without_line


class Backend(Managed):
    """The backend on this host, as it is."""

    SECTION = "ebpf"
    OWN = (LOADER, OBJECT, SETTINGS, FILL, UNIT, UNIT_LINK, WATCH_UNIT, TIMER_UNIT, TIMER_LINK)
    WATCHES = (TIMER,)

    def __init__(self, args):
        Managed.__init__(self, init_system())
        self.generation = ""
        self.given = args.get("cgroup") or ""
        # In an image there is none yet; the loader takes that of the day.
        self.top = "" if in_image() else cgroup2()
        self.cgroup = self.facts.get("cgroup") or self.top
        self.recover(args["check"] or args["state"] == "status")
        # Attaching goes where the operator says, everything else where the programs are.
        recorded = self.facts.get("cgroup") if args["state"] != "attached" else ""
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

    def programs(self, ours=True, hooks=None, cgroup=""):
        """Our programs on a cgroup's hooks, or other people's."""
        cgroup = cgroup or self.cgroup
        if not cgroup or not os.path.isdir(cgroup):
            return []
        found = programs_on(cgroup, hooks or sorted(HOOKS))
        return [program for program in found if program["name"].startswith(OUR_PREFIX) == ours]

    def trusted(self):
        """Whom the record says that the programs trust."""
        return list(self.facts.get("trusted_sources") or [])

    def packages(self):
        """What came for the backend."""
        return list(self.facts.get("packages") or [])

    # -- what differs from others that leave something (host/managed_files.py) -----------------------------------------------

    def works(self):
        return asked(lambda: in_force(self.programs(cgroup=self.facts.get("cgroup") or "")))["complete"]

    def is_loaded(self):
        return bool(asked(self.programs) or os.path.isdir(PINS))

    def rest(self, facts, keeps):
        if keeps and keeps.get("cgroup") == facts.get("cgroup"):
            return  # the loader puts the new programs in the place of the old ones, and back
        self.cgroup = facts.get("cgroup") or self.cgroup
        if self.is_loaded():
            settings = settings_text("", self.cgroup, 1, 0)
            self.put(
                {
                    LOADER: file_image(SCRIPT_TEXT.encode("ascii"), 0o755),
                    SETTINGS: file_image(settings.encode("ascii"), 0o644),
                }
            )
            load("detach")
        if not keeps and self.init == "systemd" and os.path.exists(UNIT):
            self.systemctl("stop", SERVICE)
        # A note of the loader's own; the folder goes only when it is empty.
        remove_file(RESTORED)

    def resume(self, facts, instead_of):
        load("attach")

    def returned(self, facts, instead_of, names):
        brought = [name for name in instead_of.get("packages") or [] if name not in (facts.get("packages") or [])]
        if brought:
            remove(brought)

    def without_ours(self, name):
        return None if name in self.OWN else without_line(self.originals.now(name), LOADER)


BTF = "/sys/kernel/btf/vmlinux"


def load(verb):
    """Run the loader; what it says becomes a TargetError. In an image the first boot does."""
    if in_image():
        return
    code, out, err = run(["/bin/sh", LOADER, verb], timeout=120)
    if code != 0:
        words = [line for line in (err or out).split("\n") if line.strip()] or ["load_failed: exit status %d" % code]
        name, _colon, text = words[-1].partition(": ")
        if name not in REMEDIES:
            name, text = "load_failed", words[-1]
        if name == "load_failed" and "[confidentiality]" in (read_text("/sys/kernel/security/lockdown", 256) or ""):
            # Kernels of today do not mind programs that read no kernel memory (measured on 6.1); one that does means this.
            name, text = "lockdown", "the kernel is locked down (confidentiality); " + text
        elif name == "load_failed" and not os.path.exists(BTF):
            # A function of ours takes the context of its program, which the kernel knows by its own types alone (measured on 6.1).
            name, text = "no_btf", "the kernel has no BTF (%s); %s" % (BTF, text)
        raise TargetError(name, "the eBPF programs: %s" % text.strip()[:2000], REMEDIES[name])


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
