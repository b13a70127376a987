# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can this host have the eBPF backend? A TargetError says why not, and what to do."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import sys

from ansible_collections.realip.toa.plugins.module_utils.host.running import in_image, kernel
from ansible_collections.realip.toa.plugins.module_utils.bpf.asking import asked
from ansible_collections.realip.toa.plugins.module_utils.bpf.maps import MOST_NETWORKS
from ansible_collections.realip.toa.plugins.module_utils.bpf.syscalls import GETPEERNAME_HOOKS
from ansible_collections.realip.toa.plugins.module_utils.common.kernels import EBPF_KERNEL, OWN_CGROUP2
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TargetError,
    read_line,
    read_text,
)

_CGROUP = r"/[A-Za-z0-9_./@:-]*\Z"

REMEDIES = {
    "bpftool_missing": "install bpftool, or put bpftool into toa_install",
    "no_cgroup2": "boot a kernel with cgroup v2 (CONFIG_CGROUPS, CONFIG_CGROUP_BPF)",
    "pins_not_ours": "find out who made it, and remove it on the host",
    "no_bpffs": "mount it: mount -t bpf bpf /sys/fs/bpf",
    "conflict_ebpf_getpeername": "remove the other program (Cilium: its socket load balancer), or set toa_accept: [conflicts]",
    "load_failed": "see the kernel's words; a kernel without BPF_SYSCALL, CGROUP_BPF or the BPF JIT cannot do it",
    "no_btf": "boot the distribution's own kernel, or one with CONFIG_DEBUG_INFO_BTF; or choose another backend",
    "lockdown": "boot with lockdown=integrity, or choose another backend",
    "attach_refused": "another program holds the hook alone: see `bpftool cgroup show` on the host, or attach ours to a slice (cgroup)",
    "maps_refused": "see the words of bpftool; the list of trusted sources may have %d networks" % MOST_NETWORKS,
}


def check_host(host):
    """TargetError where this host cannot have the backend."""
    release = kernel()
    numbers = re.match(r"(\d+)\.(\d+)", release)
    if not numbers or (int(numbers.group(1)), int(numbers.group(2))) < EBPF_KERNEL:
        raise TargetError(
            "kernel_too_old",
            "kernel %s is older than %d.%d, the first that can do it" % ((release,) + EBPF_KERNEL),
            "update the distribution's kernel, or choose another backend",
        )
    if sys.byteorder != "little":
        raise TargetError(
            "arch_not_supported",
            "the object is for little-endian hosts; this one (%s) is not" % os.uname()[4],
            "choose another backend",
        )
    if "\tbpf\n" not in (read_text("/proc/filesystems", 65536) or ""):
        raise TargetError(
            "no_bpffs", "this kernel has no BPF file system (CONFIG_BPF_SYSCALL)", "boot the distribution's own kernel"
        )
    _check_cgroup(host)


def _check_cgroup(host):
    if not re.match(_CGROUP, host.given or "/"):
        raise TargetError(
            "bad_option",
            "cgroup %r: expected a path of letters, digits and _ . / @ : -" % host.given,
            "leave it out for the whole host",
        )
    if not host.cgroup and not in_image():
        raise TargetError(
            "no_cgroup2", "no cgroup v2 is mounted, and eBPF programs attach to one", REMEDIES["no_cgroup2"]
        )
    passing = re.search(r"(.*?)/[^/]+\.(?:service|scope)(?:/|\Z)", host.given)
    if passing:
        raise TargetError(
            "bad_option",
            "cgroup %s is made anew at every start of its unit, and what is attached to it then is gone" % host.given,
            "name the slice that it is in, %s; what counts is the cgroup of the process that made the listening socket, which with "
            "socket activation is systemd's own: then leave the cgroup out" % (passing.group(1) or host.top),
        )
    if in_image() or (host.cgroup == OWN_CGROUP2 and not os.path.isdir(OWN_CGROUP2)):
        return  # the loader looks, or mounts it
    if read_line(host.cgroup + "/cgroup.controllers") is None:
        raise TargetError(
            "no_cgroup2",
            "%s is no cgroup of version 2" % host.cgroup,
            "name a folder below the cgroup2 mount (%s)" % (host.top or "there is none"),
        )


def check_conflicts(host, args):
    """TargetError where somebody else's programs sit on the getpeername hooks."""
    others = asked(lambda: host.programs(False, GETPEERNAME_HOOKS))
    if others:
        told = ", ".join(
            "%s: %s (id %d)" % (program["hook"], program["name"] or "without a name", program["id"])
            for program in others
        )
        if not args.get("accept_conflicts"):
            raise TargetError(
                "conflict_ebpf_getpeername",
                "another eBPF program sits on the getpeername hooks: %s" % told,
                REMEDIES["conflict_ebpf_getpeername"],
            )
        host.notes.append("accepted: %s" % told)
