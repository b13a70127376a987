# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The distribution's bpftool: found, judged, and installed from the host's own repositories where that is allowed."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, read_text, run, which

# The first that knows the getpeername hooks and is told apart by its number; later ones count on their own (6, 7).
OLDEST = (5, 10)
_PACKAGE_TOOLS = (
    # command, install, remove
    ("apt-get", ["install", "-y", "--no-install-recommends"], ["purge", "-y"]),
    ("dnf", ["install", "-y"], ["remove", "-y"]),
    ("yum", ["install", "-y"], ["remove", "-y"]),
    ("zypper", ["--non-interactive", "install", "--no-recommends"], ["--non-interactive", "remove"]),
)
_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


def problem():
    """(code, message) of what is wrong with this host's bpftool, or None."""
    path = which("bpftool")
    if path is None:
        return "bpftool_missing", "there is no bpftool on this host"
    code, out, err = run([path, "version"], timeout=30)
    found = re.search(r"v(\d+)\.(\d+)", out)
    if code != 0 or not found:
        # Ubuntu's is a script that looks for the one of the running kernel.
        return "bpftool_missing", "%s does not run: %s" % (
            path,
            " ".join((err or out).split())[:300] or "exit status %d" % code,
        )
    if (int(found.group(1)), int(found.group(2))) < OLDEST:
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
            found[0], found[1], "install bpftool (%s), or set toa_install_bpftool: true" % " ".join(packages())
        )


def install():
    """Install bpftool; returns the names of the packages. TargetError where that is not to be had."""
    tool, add, unused = _package_tool()
    names = packages()
    said = ""
    for refresh in (False, True):
        if refresh and os.path.basename(tool) == "apt-get":
            run([tool, "update", "-qq"], timeout=300, env=_QUIET)
        code, out, err = run([tool] + add + names, timeout=600, env=_QUIET)
        if code == 0 and problem() is None:
            return names
        said = " ".join((err or out).split())[-600:]
    left = problem()
    raise TargetError(
        left[0] if left else "bpftool_missing",
        "bpftool could not be installed (%s %s): %s"
        % (os.path.basename(tool), " ".join(names), said or (left or ("", ""))[1]),
        "give the host a repository that has it, or install it by hand",
    )


def remove(names):
    """Remove packages that install() has brought; TargetError where the package manager refuses."""
    tool, unused, take = _package_tool()
    code, out, err = run([tool] + take + names, timeout=300, env=_QUIET)
    if code != 0:
        raise TargetError(
            "bpftool_kept",
            "%s could not be removed: %s" % (" ".join(names), " ".join((err or out).split())[-600:]),
            "remove it by hand; the programs are detached already",
        )


def packages():
    """The packages that bring bpftool here. On Ubuntu before 24.10 it comes with the tools of each kernel."""
    told = read_text("/etc/os-release", 4096) or ""
    version = re.search(r'(?m)^VERSION_ID="?(\d+)\.(\d+)', told)
    if (
        re.search(r'(?m)^ID="?ubuntu"?\s*$', told)
        and version
        and (int(version.group(1)), int(version.group(2))) < (24, 10)
    ):
        return ["linux-tools-common", "linux-tools-" + os.uname()[2]]
    return ["bpftool"]


def _package_tool():
    for name, add, take in _PACKAGE_TOOLS:
        path = which(name)
        if path:
            return path, add, take
    raise TargetError(
        "bpftool_missing", "there is no bpftool, and no package manager that we know", "install bpftool by hand"
    )
