# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A read-only look at a host: the raw material of `ansible_facts.toa` (table "Facts" of docs/contracts.md).

Files are read, no command is run. What cannot be read is null or empty, with everything else intact; a section that fails on
something nobody thought of is named in `unread`. `os` and `kernel` leave here as raw text (`os_files`, `uname`), because telling
distributions and releases apart is the controller's work.

`args["root"]` is the directory that holds the file system to look at: "/" on a host, a made-up tree in tests.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import sys

from ansible_collections.realip.toa.plugins.module_utils.host.running import in_image, uname
from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import look as look_at_boot
from ansible_collections.realip.toa.plugins.module_utils.building.headers import look as look_at_build
from ansible_collections.realip.toa.plugins.module_utils.common.kernels import HELPER_MODULES
from ansible_collections.realip.toa.plugins.module_utils.host.io import read_text
from ansible_collections.realip.toa.plugins.module_utils.host.marks import FILTER_SCRIPT, OPTION_FILTER
from ansible_collections.realip.toa.plugins.module_utils.host.state import STATE_FILE, told
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under
from ansible_collections.realip.toa.plugins.module_utils.inspection.container import look_at_container
from ansible_collections.realip.toa.plugins.module_utils.inspection.ebpf import NO_EBPF, look_at_ebpf
from ansible_collections.realip.toa.plugins.module_utils.inspection.hardware import look_at_hardware, oopses
from ansible_collections.realip.toa.plugins.module_utils.inspection.kernels import (
    look_at_kernels,
    look_at_loaded,
    look_at_modules,
    sum_of_counters,
)
from ansible_collections.realip.toa.plugins.module_utils.inspection.look_ahead import look_ahead
from ansible_collections.realip.toa.plugins.module_utils.inspection.packages import (
    look_at_held,
    look_at_package_manager,
)
from ansible_collections.realip.toa.plugins.module_utils.inspection.real_traffic import look as look_at_traffic
from ansible_collections.realip.toa.plugins.module_utils.inspection.security import look_at_security
from ansible_collections.realip.toa.plugins.module_utils.inspection.services import (
    forwards,
    look_at_firewall,
    look_at_service,
)
from ansible_collections.realip.toa.plugins.module_utils.inspection.unseen import unseen_interfaces
from ansible_collections.realip.toa.plugins.module_utils.monitoring.drift import drift_of, proof_of
from ansible_collections.realip.toa.plugins.module_utils.monitoring.files import FOLDER, SEEN, seen_drift
from ansible_collections.realip.toa.plugins.module_utils.option_filter.state import filter_of
from ansible_collections.realip.toa.plugins.module_utils.startup.boot_places import find_places
from ansible_collections.realip.toa.plugins.module_utils.startup.init import init_system

OS_FILES = (
    "/etc/os-release",
    "/usr/lib/os-release",
    "/etc/redhat-release",
    "/etc/centos-release",
    "/etc/debian_version",
    "/etc/lsb-release",
    "/etc/alinux-release",
    "/etc/system-release",
)
OS_FILE_LIMIT = 4096  # bytes


def main(args):
    return Host(args.get("root") or "/", args.get("uname") or uname()).facts()


class Host:
    """One look. Sections that several others need are read once and kept."""

    def __init__(self, root="/", names=None):
        self.root = root
        self.uname = names or uname()
        self.release = self.uname[2]
        self.unread = []
        self.files = {}
        self.init = self.guarded("init", lambda: init_system(root), "other")
        self.os_files = self.guarded("os_files", self._read_os_files, {})
        self.loaded = self.guarded("loaded", lambda: look_at_loaded(self), {})
        self.mounts = self.guarded("mounts", self._mounts, [])
        self.kernels = self.guarded("kernels", lambda: look_at_kernels(self), [])
        self.modules = self.guarded("modules", lambda: look_at_modules(self), [])
        self.state = self.guarded("state", lambda: told(self.path(STATE_FILE)), {})
        self.places = self.guarded("persistence", lambda: find_places(self.root, self.release, self.init), [])

    def facts(self):
        facts = self._sections()
        facts["traffic"] = self.guarded("traffic", lambda: self._traffic(facts), None)
        facts["ahead"] = self.guarded("ahead", lambda: look_ahead(self, facts), [])
        facts["drift"] = self.guarded("drift", lambda: self._drift(facts), [])
        return facts

    def _sections(self):
        ebpf = self.guarded("ebpf", lambda: look_at_ebpf(self), dict(NO_EBPF, reason="could not be found out"))
        return {
            "changed": False,
            "image": in_image(),
            "os_files": self.os_files,
            "uname": {
                "sysname": self.uname[0],
                "release": self.release,
                "version": self.uname[3],
                "machine": self.uname[4],
            },
            "package_manager": self.guarded("package_manager", lambda: look_at_package_manager(self), "none"),
            "python": {"executable": sys.executable or "", "version": list(sys.version_info[:3])},
            "init": self.init,
            "boot": self.guarded("boot", lambda: dict(look_at_boot(self.root), oopses=oopses(self.root)), {}),
            "hardware": self.guarded("hardware", lambda: look_at_hardware(self.root), {}),
            "kernels": self.kernels,
            "modules": self.modules,
            "counters": self.guarded("counters", lambda: sum_of_counters(self, ebpf), {}),
            "ebpf": ebpf,
            "persistence": self.places,
            "service": self.guarded("service", lambda: look_at_service(self), None),
            "security": self.guarded(
                "security", lambda: look_at_security(self), {"secure_boot": None, "lockdown": "", "sig_enforce": None}
            ),
            "build": self.guarded("build", lambda: look_at_build(self.release, self.root), {}),
            "container": self.guarded("container", lambda: look_at_container(self), ""),
            "conflicts": self.guarded("conflicts", lambda: self._conflicts(ebpf), []),
            "firewall": {
                "backend": self.guarded("firewall", lambda: look_at_firewall(self), "none"),
                "option_filter": self.guarded("option_filter", self._option_filter, None),
                "forwards": self.guarded("firewall", lambda: forwards(self), False),
                "filter_partial": self.guarded("filter_partial", lambda: unseen_interfaces(self), []),
            },
            "held": self.guarded("held", lambda: look_at_held(self), []),
            "state": self.state,
            "unread": self.unread,
        }

    def guarded(self, name, section, fallback):
        """One odd file must not cost the operator the rest of the facts."""
        try:
            return section()
        except Exception as problem:
            self.unread.append({"section": name, "problem": ("%s: %s" % (type(problem).__name__, problem))[:200]})
            return fallback

    def path(self, path):
        return under(self.root, path)

    def text(self, path, limit=65536):
        return read_text(self.path(path), limit) or ""

    def exists(self, path):
        return os.path.exists(self.path(path))

    # -- what it is ---------------------------------------------------------------------------------------------------------

    def _read_os_files(self):
        found = {}
        for path in OS_FILES:
            text = read_text(self.path(path), OS_FILE_LIMIT)
            if text is not None:
                found[path] = text
        return found

    def size(self, path):
        try:
            return os.path.getsize(self.path(path))
        except OSError:
            return 0

    def _mounts(self):
        """(device, mount point, file system type, options) of /proc/mounts."""
        return [
            tuple(line.split(" ")[:4])
            for line in self.text("/proc/mounts", 1 << 20).split("\n")
            if line.count(" ") >= 3
        ]

    def _conflicts(self, ebpf):
        conflicts = []
        loaded = [name for name in sorted(self.loaded) if name not in HELPER_MODULES]
        if len(loaded) > 1:
            conflicts.append({"code": "two_toa_modules", "detail": "%s are loaded at once" % " and ".join(loaded)})
        if ebpf["foreign"]:
            programs = [
                "%s: %s (id %d)" % (one["hook"], one["name"] or "without a name", one["id"]) for one in ebpf["foreign"]
            ]
            conflicts.append({"code": "conflict_ebpf_getpeername", "detail": ", ".join(sorted(set(programs)))})
        for sign in ("/run/cilium", "/var/run/cilium", "/sys/fs/bpf/cilium"):
            if self.exists(sign):
                conflicts.append({"code": "cilium_present", "detail": sign})
                break
        return conflicts

    # -- the rest -------------------------------------------------------------------------------------------------------------

    def _option_filter(self):
        """The option filter that we have put here, or None."""
        return filter_of(self.state.get(OPTION_FILTER), self.places, FILTER_SCRIPT if self.root == "/" else "")

    def _traffic(self, facts):
        """Real connections, where anything here counts them."""
        return look_at_traffic(facts["counters"], facts["boot"].get("boot_id") or "", self.root.rstrip("/"))

    def _drift(self, facts):
        """How the host has moved away from what was proved; costs nothing where nothing was."""
        if not proof_of(self.state):
            return []
        booted = re.search(r"(?m)^btime ([0-9]{1,12})$", self.text("/proc/stat", 1 << 20))
        images = [kernel["image"] for kernel in facts["kernels"] if kernel["release"] == self.release]
        installed = [os.stat(self.path(image)).st_mtime for image in images if self.exists(image)]
        seen = seen_drift(self.path("%s/%s" % (FOLDER, SEEN)))
        return drift_of(facts, int(booted.group(1)) if booted else None, installed[0] if installed else None, seen)
