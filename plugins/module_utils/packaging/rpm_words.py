# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rpm, yum and dnf say when they refuse, and what it means."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.packaging.database_lock import tail

# What rpm says when it refuses; these words are the same in 4.8 and 4.19.
OLDER = re.compile(r"package (\S+) \(which is newer than (\S+)\) is already installed")
CLASH = re.compile(r"file (.+) from install of (\S+) conflicts with file from package (\S+)")
CLASH_WITHIN = re.compile(r"file (.+) conflicts between attempted installs of (\S+) and (\S+)")
NEEDED = re.compile(r"^[ \t]+(\S.*) is needed by (\S.*)$", re.M)
EXCLUDED = re.compile(r"^[ \t]+(?!file )(\S.*) (?:conflicts with|is obsoleted by) (\S.*)$", re.M)
ROOM = re.compile(r"needs (\S+)(?: more space)? on the (\S+) filesystem")
FAILED_SCRIPT = re.compile(r"%\w+\((\S+)\) scriptlet failed")
COMPLAINT = re.compile(
    r"(?i)(error|warning|fatal|no (package|match)|cannot|public key)\b|\s+\S.* (needed by|conflicts|installed|filesystem)\b"
)
MOST_COMPLAINTS = 12
SHOWN = 5

# What a tool said -> code, remedy.
DIAGNOSES = (
    (
        "does not verify|GPG check FAILED|is not signed|[Pp]ublic key for .* is not (installed|trusted)",
        "package_unsigned",
        "import the key that signs it (rpm --import) if you trust it",
    ),
    ("No space left on device", "disk_full", "make room there, then run again"),
)


def complaints(text):
    """The lines in which rpm, yum or dnf say what is wrong, or else the last ones."""
    lines = [line.strip() for line in text.splitlines() if COMPLAINT.match(line)]
    return "\n".join(lines[:MOST_COMPLAINTS]) or tail(text)


def refusal(said, files):
    """The TargetError that fits what `rpm -i --test` said of `files`. What the operator could allow comes last."""
    clashes = CLASH.findall(said) + CLASH_WITHIN.findall(said)
    if clashes:
        return TargetError(
            "file_conflict",
            "%s would overwrite files that differ in other packages: %s"
            % (files, listed(["%s (%s)" % (path, owner) for path, _new, owner in clashes])),
            "update or remove those packages, or build this one without these files; rpm --force would only have broken them",
            files=[path for path, _new, _owner in clashes],
        )
    needed = NEEDED.findall(said)
    if needed:
        return TargetError(
            "dependency_missing",
            "%s needs what is not installed: %s" % (files, listed(sorted(set(what for what, _who in needed)))),
            "install that first (yum install), then run again; rpm --nodeps would only have hidden it",
        )
    excluded = EXCLUDED.findall(said)
    if excluded:
        return TargetError(
            "package_conflict",
            "%s cannot be installed beside %s" % (files, listed(sorted(set(what for what, _who in excluded)))),
            "remove one of them, then run again",
        )
    room = ROOM.search(said)
    if room:
        code = "boot_full" if room.group(2) == "/boot" else "disk_full"
        return TargetError(
            code, "%s needs %s more on %s" % (files, room.group(1), room.group(2)), "make room there, then run again"
        )
    older = OLDER.search(said)
    if older:
        return TargetError(
            "downgrade_needs_consent",
            "%s is older than %s, which is installed" % (older.group(2), older.group(1)),
            "set toa_accept: [kernel_downgrade] where that is acceptable (accept_downgrade of toa_package); what is installed stays in any case",
        )
    for pattern, code, remedy in DIAGNOSES:
        if re.search(pattern, said):
            return TargetError(code, "%s cannot be installed: %s" % (files, complaints(said)), remedy)
    return TargetError(
        "install_refused", "rpm refuses %s: %s" % (files, complaints(said)), "resolve that on the host, then run again"
    )


def listed(items):
    return ", ".join(items[:SHOWN]) + (" and %d more" % (len(items) - SHOWN) if len(items) > SHOWN else "")
