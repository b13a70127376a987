# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The distribution's bpftool: found, judged, and installed from the host's own repositories where that is allowed."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import glob
import re

from ansible_collections.realip.toa.plugins.module_utils.host.running import kernel
from ansible_collections.realip.toa.plugins.module_utils.common.kernels import EBPF_KERNEL, KERNELS_BPFTOOL
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TargetError,
    read_text,
    run,
    which,
)
from ansible_collections.realip.toa.plugins.module_utils.packaging.repository import Repository, name_of


def problem():
    """(code, message) of what is wrong with this host's bpftool, or None. The first that runs counts, as in the loader."""
    found = which("bpftool")
    paths = ([found] if found else []) + [path for pattern in KERNELS_BPFTOOL for path in sorted(glob.glob(pattern))]
    problems = [_problem_of(path) for path in paths]
    runs = [one for one in problems if one is None or one[0] != "bpftool_missing"]
    return (runs + problems + [("bpftool_missing", "there is no bpftool on this host")])[0]


def _problem_of(path):
    code, out, err = run([path, "version"], timeout=30)
    found = re.search(r"v(\d+)\.(\d+)", out)
    if code != 0 or not found:
        # Ubuntu's is a script that looks for the one of the running kernel.
        return "bpftool_missing", "%s does not run: %s" % (
            path,
            " ".join((err or out).split())[:300] or "exit status %d" % code,
        )
    if (int(found.group(1)), int(found.group(2))) < EBPF_KERNEL:
        return "bpftool_too_old", "%s is of version %s.%s, which does not know the getpeername hooks" % (
            path,
            found.group(1),
            found.group(2),
        )
    return None


def require():
    """Nothing where bpftool can be used; else TargetError with what to do."""
    found = problem()
    if found:
        raise TargetError(
            found[0], found[1], "install bpftool (%s), or put bpftool into toa_install" % " ".join(packages())
        )


def install():
    """Install bpftool; returns the names of the packages that were not there before. TargetError where it is not to be had."""
    host, names = _repository(), packages()
    came, said = host.install(names)
    left = problem()
    if left:
        host.remove(came)
        raise TargetError(
            left[0],
            "bpftool could not be installed (%s %s): %s" % (host.name, " ".join(names), said or left[1]),
            "give the host a repository that has it, or install it by hand",
        )
    return came


def missing():
    """The packages that install() would bring, but for what they need."""
    host = _repository()
    there = host.installed()
    return [name for name in packages() if not [one for one in there if _is(host, one, [name])]]


def remove(names):
    """Remove packages that install() has brought, but for those that somebody else needs by now; TargetError where the package manager refuses."""
    host = _repository()
    left, _needed, said = host.remove([one for one in host.installed() if _is(host, one, names)])
    if left:
        raise TargetError(
            "bpftool_kept",
            "%s could not be removed: %s" % (" ".join(left), said),
            "remove it by hand; the programs are detached already",
        )


def packages():
    """The packages that bring bpftool here. On Ubuntu before 24.10 it comes with the tools of each kernel."""
    version = _ubuntu()
    if version and version < (24, 10):
        return ["linux-tools-common", "linux-tools-" + kernel()]
    return ["bpftool"]


def _is(host, installed, names):
    """Is this one of those packages? rpm's have more to their names once they are there."""
    return installed in names or (host.name != "apt-get" and name_of(installed) in names)


def _repository():
    host = Repository()
    if not host.name:
        raise TargetError(
            "bpftool_missing", "there is no bpftool, and no package manager that we know", "install bpftool by hand"
        )
    return host


def _ubuntu():
    """(major, minor) of an Ubuntu, None on everything else."""
    told = read_text("/etc/os-release", 4096) or ""
    version = re.search(r'(?m)^VERSION_ID="?(\d+)\.(\d+)', told)
    if re.search(r'(?m)^ID="?ubuntu"?\s*$', told) and version:
        return int(version.group(1)), int(version.group(2))
    return None
