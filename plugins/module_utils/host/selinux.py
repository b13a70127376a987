# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SELinux on a host: whether it decides, who we are to it, and what it has refused of late, in words.

A rollout runs in the domain of its login, a boot in that of the init: what works in the one may be refused in the other.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    SELINUX_FOLDERS,
    read_line,
    run,
    which,
)

_DENIAL = re.compile(
    r"avc: +denied +\{ ([^}]*) \} for .*?\bcomm=\"?([^\" ]+)\"?.*?\bscontext=\S+?:\S+?:(\w+)\S* tcontext=\S+?:\S+?:(\w+)\S* tclass=(\w+)"
)
_NAME = re.compile(r"\b(?:path|name)=\"?([^\" ]+)\"?")
# Where denials are written: the audit daemon's log, the journal where there is none, the kernel's ring where there is neither.
_LOGS = (
    ["ausearch", "-m", "avc", "-ts", "recent", "--format", "raw"],
    ["journalctl", "-q", "--no-pager", "-o", "cat", "--since", "-3min", "_TRANSPORT=audit", "+", "_TRANSPORT=kernel"],
    ["dmesg"],
)
_MOST_DENIALS = 3
_FREE_DOMAINS = ("unconfined_t", "kernel_t", "init_t", "initrc_t", "unconfined_service_t")


def mode(root=""):
    """ "enforcing", "permissive", or "" on a host without SELinux."""
    for folder in SELINUX_FOLDERS:
        enforced = read_line(root.rstrip("/") + folder + "/enforce")
        if enforced is not None:
            return "enforcing" if enforced == "1" else "permissive"
    return ""


def domain(root=""):
    """The type that this process runs as, as in "unconfined_t"; "" where none is told."""
    words = (read_line(root.rstrip("/") + "/proc/self/attr/current") or "").rstrip("\0").split(":")
    return words[2] if len(words) > 2 else ""


def is_confined(root=""):
    """Whether SELinux decides what this process may do: an administrator of role sysadm_r, say."""
    return mode(root) == "enforcing" and domain(root) not in _FREE_DOMAINS + ("",)


def confinement():
    """What to add to a refusal where SELinux confines the administrator: programs that a boot attached are init's, whom he may not ask."""
    if not is_confined():
        return ""
    return (
        "; SELinux confines this login to domain %s: let sudo change to an unconfined one (ROLE=unconfined_r TYPE=unconfined_t in sudoers, or "
        "ansible_become_flags: -H -S -n -r unconfined_r -t unconfined_t)" % domain()
    )


def denials(words):
    """What SELinux has refused in the last minutes to anything that one of these words names, as text; "" where that is nothing."""
    if not mode():
        return ""
    for argv in _LOGS:
        if not which(argv[0]):
            continue
        found = told(run(argv, timeout=20)[1], words)
        if found:
            return "; ".join(found[-_MOST_DENIALS:])
    return ""


def told(log, words):
    """Denials of a log that one of these words names, each in a sentence, each once."""
    found = []
    for line in log.split("\n"):
        match = _DENIAL.search(line)
        if not match or not [word for word in words if word in line]:
            continue
        rights, command, source, target, kind = match.groups()
        name = _NAME.search(line)
        sentence = "SELinux does not let domain %s (%s) %s the %s %slabelled %s" % (
            source,
            command,
            " and ".join(rights.split()),
            kind,
            name.group(1) + " " if name else "",
            target,
        )
        if sentence not in found:
            found.append(sentence)
    return found
