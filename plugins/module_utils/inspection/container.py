# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is itself inside a container."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import read_line

# The kernel's own namespaces have fixed inode numbers since 3.8 (include/linux/proc_ns.h).
_INITIAL_PID_NAMESPACE = "pid:[4026531836]"
_INITIAL_CGROUP_NAMESPACE = "cgroup:[4026531835]"
_CONTAINER_CGROUPS = (
    ("/docker", "docker"),
    ("kubepods", "kubernetes"),
    ("libpod", "podman"),
    ("/lxc", "lxc"),
    ("containerd", "containerd"),
    ("machine.slice/machine-", "systemd-nspawn"),
)


def look_at_container(look):
    """Name of the container technology that this host is itself inside of, or "".

    A host that has the kernel's first process namespace is no container unless something that only a container's own init is
    told says so: an image's leftovers (/.dockerenv on a machine made out of an image) are no sign.
    """
    if os.path.isdir(look.path("/proc/vz")) and not os.path.isdir(look.path("/proc/bc")):
        return "openvz"
    named = read_line(look.path("/run/systemd/container")) or _init_variable(look, "container")
    if named:
        return re.sub(r"[^A-Za-z0-9._-]", "", named)[:40]
    if _in_first_namespaces(look):
        return ""
    groups = look.text("/proc/1/cgroup") + look.text("/proc/self/cgroup")
    for sign, name in _CONTAINER_CGROUPS:
        if sign in groups:
            return name
    if look.exists("/.dockerenv"):
        return "docker"
    if look.exists("/run/.containerenv"):
        return "podman"
    return "other" if _namespace(look, "pid") not in ("", _INITIAL_PID_NAMESPACE) else ""


def _init_variable(look, name):
    for pair in look.text("/proc/1/environ").split("\0"):
        if pair.startswith(name + "="):
            return pair[len(name) + 1 :]
    return ""


def _in_first_namespaces(look):
    """Seen from the first process namespace, kthreadd is process 2. `--pid=host` shares that one, but not the cgroup namespace."""
    pid = _namespace(look, "pid")
    first = pid == _INITIAL_PID_NAMESPACE if pid else "(kthreadd)" in look.text("/proc/2/stat")
    return first and _namespace(look, "cgroup") in ("", _INITIAL_CGROUP_NAMESPACE)


def _namespace(look, kind):
    try:
        return os.readlink(look.path("/proc/self/ns/" + kind))
    except OSError:
        return ""
