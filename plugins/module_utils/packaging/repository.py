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

from ansible_collections.realip.toa.plugins.module_utils.host.io import run, which
from ansible_collections.realip.toa.plugins.module_utils.packaging.database_lock import TOOL_TIMEOUT, Locks
from ansible_collections.realip.toa.plugins.module_utils.packaging.dpkg import QUIET, Dpkg
from ansible_collections.realip.toa.plugins.module_utils.packaging.rpm_words import NEEDED

# Seconds for which another package tool is waited for.
TIME_LIMIT = 120


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
_APT = ["-y", "-o", "DPkg::Lock::Timeout=%d" % TIME_LIMIT]
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
        return came(before, self.installed(), self.name == "apt-get"), said

    def remove(self, packages):
        """Remove what nobody else needs; returns (those that would not go, those that somebody needs, what the package manager said)."""
        going, needed = self.removable(packages)
        said = ""
        if going:
            _rc, out, err = self.work(self.tool.remove, going)
            said = complaint(err or out)
        return sorted(self.installed() & set(going)), needed, said

    def removable(self, packages):
        """(installed packages that nobody else needs, those that somebody does), by rehearsal: package tools take along what depends on a package."""
        there = self.installed() & set(packages)
        going = set(there)
        while going and self._hurts(going, going):
            needed = set(name for name in going if self._hurts([name], going))
            # Somebody needs any of several, it does not matter which.
            going -= needed or set(going)
        return sorted(going), sorted(there - going)

    def _hurts(self, names, ours):
        """Whether the removal of `names` takes anything with it that is not `ours`, or is refused."""
        if self.name == "apt-get":
            rc, out, _err = run([self.name, "-s"] + self.tool.remove + sorted(names), timeout=120, env=QUIET)
            gone = set(re.findall(r"(?m)^(?:Purg|Remv) (\S+)", out))
            return rc != 0 or bool(gone - set(ours))
        rc, out, err = run(["rpm", "-e", "--test"] + sorted(names), timeout=120)
        who = set(re.sub(r"^\(installed\) ", "", name).strip() for _what, name in NEEDED.findall(out + "\n" + err))
        return bool(who - set(ours)) or (rc != 0 and not who)

    def work(self, words, packages):
        """One run of the package tool, when no other is at work; returns (rc, out, err)."""
        if self.name == "apt-get":
            # Held for a moment only: apt takes it itself, and where it is too old to wait, nobody else has it by then.
            with Locks([os.path.join(self.root, name) for name in Dpkg.LOCKS], TIME_LIMIT):
                pass
        root = [] if self.root == "/" or not self.tool.root else [self.tool.root + self.root]
        return run([self.name] + self.tool.first + root + list(words) + list(packages), timeout=TOOL_TIMEOUT, env=QUIET)


def came(before, after, one_of_a_name):
    """What is there that was not: a newer version in the place of an older one was there before, and is not ours to take away."""
    fresh = after - before
    if not one_of_a_name:
        replaced = set(name_of(one) for one in before - after)
        fresh = set(one for one in fresh if name_of(one) not in replaced)
    return sorted(fresh)


def name_of(identity):
    """The name in NAME-VERSION-RELEASE.ARCH."""
    return identity.rsplit("-", 2)[0]


def complaint(text):
    """What a package manager says, without what it says each time."""
    lines = [
        line.strip()
        for line in text.splitlines()
        if re.match(r"(?i)\s*(E:|error|no (match|package)|nothing provides|unable|.*not found)", line)
    ]
    return "; ".join(lines[:4] or [line.strip() for line in text.splitlines() if line.strip()][-2:])[:600]
