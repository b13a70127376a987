# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's kernel can have of the eBPF backend, what it has, and what of others is in the way."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.bpf.in_force import in_force
from ansible_collections.realip.toa.plugins.module_utils.bpf.syscalls import (
    GETPEERNAME_HOOKS,
    HOOKS,
    OUR_PREFIX,
    BpfError,
    programs_on,
)
from ansible_collections.realip.toa.plugins.module_utils.common.kernels import EBPF_KERNEL, OWN_CGROUP2
from ansible_collections.realip.toa.plugins.module_utils.host.io import COMMAND_PATH, list_dir
from ansible_collections.realip.toa.plugins.module_utils.host.marks import EBPF
from ansible_collections.realip.toa.plugins.module_utils.host.selinux import confinement
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under

NO_EBPF = {"possible": False, "reason": "", "cgroup2": None, "attached": [], "foreign": [], "alone": []}
_MOST_CGROUPS = 64


def look_at_ebpf(look):
    facts = dict(NO_EBPF, cgroup2=cgroup2(look), bpftool=_command(look, "bpftool"), attached=[], foreign=[], alone=[])
    numbers = re.match(r"(\d+)\.(\d+)", look.release)
    if numbers is None or (int(numbers.group(1)), int(numbers.group(2))) < EBPF_KERNEL:
        facts["reason"] = "kernel %s is older than %d.%d" % ((look.release,) + EBPF_KERNEL)
    elif facts["cgroup2"] is None:
        facts["reason"] = "this kernel has no cgroup v2"
    elif not [mount for mount in look.mounts if mount[2] == "bpf"] and not os.path.isdir(look.path("/sys/fs/bpf")):
        facts["reason"] = "there is no place for the BPF file system (/sys/fs/bpf)"
    else:
        facts["reason"] = _programs(look, facts)
    facts["possible"] = not facts["reason"]
    return facts


def cgroup2(look):
    """The mount of the cgroup v2 hierarchy: systemd's own where there is one, else the first, else where the loader makes one."""
    points = [mount[1] for mount in look.mounts if mount[2] == "cgroup2"]
    for usual in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if usual in points:
            return usual
    if not points and "\tcgroup2\n" in look.text("/proc/filesystems"):
        return OWN_CGROUP2
    return points[0] if points else None


def _programs(look, facts):
    """Sort what sits on the hooks into ours and others'; returns why the kernel could not be asked, or ""."""
    if look.root != "/":
        return ""
    top = facts["cgroup2"]
    if top == OWN_CGROUP2 and top not in [mount[1] for mount in look.mounts]:
        return ""  # nobody can have attached anything there
    try:
        programs = programs_on(top, sorted(HOOKS))
        facts["alone"] = [
            program for program in programs if program["alone"] and not program["name"].startswith(OUR_PREFIX)
        ]
    except (BpfError, OSError) as problem:
        return "the kernel cannot be asked for eBPF programs: %s%s" % (problem, confinement())
    for name in _child_cgroups(look, top):
        try:
            programs.extend(programs_on(under(top, "/" + name), GETPEERNAME_HOOKS))
        except (BpfError, OSError):
            continue  # A cgroup that went away while we looked.
    for program in programs:
        if program["name"].startswith(OUR_PREFIX):
            facts["attached"].append(program)
        elif program["hook"] in GETPEERNAME_HOOKS:
            facts["foreign"].append(program)
    if facts["attached"]:
        facts.update(look.guarded("ebpf_maps", lambda: _in_force(look, top), {}))
    return ""


def _in_force(look, top):
    """What our programs do, on the cgroup that they were attached to."""
    recorded = look.state.get(EBPF)
    cgroup = recorded.get("cgroup") if isinstance(recorded, dict) else None
    return in_force(
        [program for program in programs_on(cgroup or top, sorted(HOOKS)) if program["name"].startswith(OUR_PREFIX)]
    )


def _command(look, name):
    """Path of a command, or ""."""
    return ([folder + "/" + name for folder in COMMAND_PATH.split(":") if look.exists(folder + "/" + name)] + [""])[0]


def _child_cgroups(look, top):
    """First level of the tree, where somebody would attach for a part of a host; files of a cgroup are `controller.file`."""
    names = [name for name in list_dir(top) if "." not in name or name.endswith((".slice", ".scope", ".service"))]
    return [name for name in names if os.path.isdir(under(top, "/" + name))][:_MOST_CGROUPS]
