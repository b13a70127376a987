# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that yum or dnf bring from the repositories that a host has; they are known by their plain names."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.packaging.repository import Repository, came, name_of
from ansible_collections.realip.toa.plugins.module_utils.packaging.rpm import TOOL_TIMEOUT, Rpm
from ansible_collections.realip.toa.plugins.module_utils.packaging.rpm_words import (
    FAILED_SCRIPT,
    NEEDED,
    complaints,
    listed,
)


def _full(inventory):
    return set("%s-%s.%s" % (entry["name"], entry["version"], entry["arch"]) for entry in inventory.values())


class RpmRepository(Rpm):
    """Packages that yum or dnf bring from the repositories that the host has; they are known by their plain names."""

    DIAGNOSES = Rpm.DIAGNOSES + (
        (
            "Unable to find a match|No match for argument|No package .* available",
            "package_unavailable",
            "enable a repository that has it (yum repolist shows those that are), then run again",
        ),
        (
            "Failed to download metadata|[Cc]annot (find|retrieve|download|prepare)|There are no enabled repos",
            "repository_unreachable",
            "see that this host reaches its repositories (yum repolist), then run again",
        ),
    )

    def identity(self, name, _filename):
        return name

    def key(self, name, _version, _arch):
        return name

    def rehearse(self, _names):
        """dnf and yum resolve what is needed before they change anything; only that one of them is there must be known."""
        self._host()

    def install(self, wanted):
        """Install packages with what they need; returns (rc, what it said)."""
        host = self._host()
        known = self.inventory()
        self.brought = dict((name, []) for name in wanted if name not in known)
        rc, out, err = host.work(host.tool.install, wanted)
        self.along = [one for one in came(_full(known), _full(self.inventory()), False) if name_of(one) not in wanted]
        said = out + "\n" + err
        failed = [
            name for name in FAILED_SCRIPT.findall(said) if [key for key in self.brought if name.startswith(key + "-")]
        ]
        return rc or (1 if failed else 0), complaints(said)

    def remove(self, names):
        """Remove packages, and what came along with them; returns (rc, what it said). What others need is refused."""
        rc, out, err = self._rpm(["-e", "--test"] + list(names))
        needed = NEEDED.findall(out + "\n" + err)
        if rc != 0 and needed:
            raise TargetError(
                "package_needed",
                "%s cannot go: %s" % (", ".join(names), listed(["%s needs it" % who for _what, who in needed])),
                "remove what needs it first, then run again",
            )
        return Rpm.remove(self, names)

    def _take_away(self, names):
        """Them, and what came along with them as far as nobody needs it by now. dnf would take more: what it calls unneeded may be in use."""
        host = self._host()
        rc, out, err = host.work(host.tool.remove, names)
        there = self.inventory()
        if not [name for name in names if name in there]:
            self._take_along(set(self.along) & _full(there))
        return rc, out, err

    def _take_along(self, going):
        """All of them but those that somebody else needs, and what these need in turn."""
        while going:
            rc, said, complaint = self._rpm(["-e", "--test"] + sorted(going))
            if rc == 0:
                self._rpm(["-e"] + sorted(going), TOOL_TIMEOUT)
                return
            found = NEEDED.findall(said + "\n" + complaint)
            needed = set(one for one in going for what, _who in found if what.startswith(name_of(one)))
            # What is needed may be a file or a word that it provides: then it cannot be told whose.
            going = going - needed if needed else set()

    def _host(self):
        """The tool that has repositories."""
        host = Repository(self.root, ("dnf", "yum"))
        if not host.name:
            raise TargetError(
                "package_tool_missing",
                "this host has neither dnf nor yum",
                "install one of them, or install the package by hand",
            )
        return host
