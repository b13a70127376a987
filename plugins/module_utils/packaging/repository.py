# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's own repositories, through whichever of apt, dnf, yum and zypper it has: the one place from which packages come and go by name.

Whoever is at work on packages is waited for. What a package no longer needs stays: whether it came with ours is not known.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import read_text, run, which
from ansible_collections.realip.toa.plugins.module_utils.packaging.database_lock import TOOL_TIMEOUT, Locks
from ansible_collections.realip.toa.plugins.module_utils.packaging.dpkg import QUIET, Dpkg

# Seconds for which another package tool is waited for.
PATIENCE = 120


class Tool:
    """A package tool: the words that install, that remove, that bring the lists up to date, that give it another root, and that come first."""

    def __init__(self, name, install, remove, refresh=None, root=None, first=()):
        self.name = name
        self.first = list(first)
        self.install = install
        self.remove = remove
        self.refresh = refresh
        self.root = root


# apt knows the option for the lock from 1.9.11 on, and older ones do not mind it; dnf and yum wait by themselves.
_APT = ["-y", "-o", "DPkg::Lock::Timeout=%d" % PATIENCE]
TOOLS = (
    Tool(
        "apt-get",
        ["install", "--no-install-recommends"] + _APT,
        ["purge", "-o", "APT::Get::AutomaticRemove=false"] + _APT,
        ["update", "-qq"],
    ),
    Tool("dnf", ["install"], ["remove", "--noautoremove"], root="--installroot=", first=["-y"]),
    Tool("yum", ["install"], ["remove"], root="--installroot=", first=["-y"]),
    Tool("zypper", ["install", "--no-recommends"], ["remove"], first=["--non-interactive"]),
)


class Repository:
    """What this host's repositories have. `name` is "" where there is no tool that we know."""

    def __init__(self, root="/", names=None):
        found = [tool for tool in TOOLS if (names is None or tool.name in names) and which(tool.name)]
        self.root = root
        self.tool = found[0] if found else None
        self.name = self.tool.name if found else ""

    # -- looking -------------------------------------------------------------------------------------------------------

    def offers(self, package):
        """True or False: whether the repositories have a package; None where they were never read, or cannot be asked quickly."""
        if self.name == "apt-get":
            rc, out, _err = run(["apt-cache", "show", "--no-all-versions", package], timeout=30)
            if rc == 0 and out.strip():
                return True
            _rc, known, _err = run(["apt-cache", "pkgnames", "linux-headers-"], timeout=30)
            return False if known.strip() else None
        if self.name == "dnf":
            rc, out, _err = run(["dnf", "-q", "-C", "repoquery", package], timeout=60)
            return (package in out or None) if rc == 0 else None
        return None

    def installed(self):
        """Names of the installed packages; NAME-VERSION-RELEASE.ARCH where several of a name can be."""
        if self.name == "apt-get":
            _rc, out, _err = run(["dpkg-query", "-W", "-f", "${Package}\t${Status}\n"])
            return set(line.split("\t")[0] for line in out.splitlines() if line.endswith("\tinstall ok installed"))
        _rc, out, _err = run(["rpm", "-qa"])
        return set(out.split())

    # -- changing ------------------------------------------------------------------------------------------------------

    def install(self, packages):
        """Install packages; returns (names of everything that came, "" or what the package manager said when it refused)."""
        if not self.name:
            return [], "this host has no package manager that we know"
        before = self.installed()
        said = ""
        for refresh in (False, True):
            if refresh and not self.tool.refresh:
                break
            if refresh:
                run([self.name] + self.tool.refresh, timeout=600, env=QUIET)
            rc, out, err = self.work(self.tool.install, packages)
            if rc == 0:
                said = ""
                break
            said = complaint(err or out) or "%s ended with %d" % (self.name, rc)
        return sorted(self.installed() - before), said

    def remove(self, packages):
        """Remove packages; returns (those that are still there, what the package manager said)."""
        there = sorted(self.installed() & set(packages))
        said = ""
        if there:
            _rc, out, err = self.work(self.tool.remove, there)
            said = complaint(err or out)
        return sorted(self.installed() & set(there)), said

    def work(self, words, packages):
        """One run of the package tool, when no other is at work; returns (rc, out, err)."""
        if self.name == "apt-get":
            # Held for a moment only: apt takes it itself, and where it is too old to wait, nobody else has it by then.
            with Locks([os.path.join(self.root, name) for name in Dpkg.LOCKS], PATIENCE):
                pass
        root = [] if self.root == "/" or not self.tool.root else [self.tool.root + self.root]
        return run([self.name] + self.tool.first + root + list(words) + list(packages), timeout=TOOL_TIMEOUT, env=QUIET)


def complaint(text):
    """What a package manager says, without what it says each time."""
    lines = [
        line.strip()
        for line in text.splitlines()
        if re.match(r"(?i)\s*(E:|error|no (match|package)|nothing provides|unable|.*not found)", line)
    ]
    return "; ".join(lines[:4] or [line.strip() for line in text.splitlines() if line.strip()][-2:])[:600]


def ubuntu():
    """(major, minor) of an Ubuntu, None on everything else."""
    told = read_text("/etc/os-release", 4096) or ""
    version = re.search(r'(?m)^VERSION_ID="?(\d+)\.(\d+)', told)
    if re.search(r'(?m)^ID="?ubuntu"?\s*$', told) and version:
        return int(version.group(1)), int(version.group(2))
    return None
