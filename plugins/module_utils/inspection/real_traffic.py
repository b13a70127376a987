# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real connections on this host (monitoring/traffic.py): where the counters and the note of the proofs are."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import time

from ansible_collections.realip.toa.plugins.module_utils.bpf.in_force import counters_now
from ansible_collections.realip.toa.plugins.module_utils.bpf.syscalls import BpfError
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, read_line
from ansible_collections.realip.toa.plugins.module_utils.host.writing import write_own
from ansible_collections.realip.toa.plugins.module_utils.host.lock import HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import STATS_FILES, parse_counters, stats
from ansible_collections.realip.toa.plugins.module_utils.monitoring.traffic import (
    EBPF,
    after_proof,
    note_path,
    read_note,
    traffic_of,
)


class ProofLock(HostLock):
    """One proof at a time is counted; another one waits for it for some seconds."""

    TIME_LIMIT = 15


def all_counters():
    """Counters of every TOA module of this host and of the eBPF programs, named as in the facts."""
    found = {}
    for name in STATS_FILES:
        found.update(parse_counters(stats(name)))
    try:
        found.update((EBPF + name, value) for name, value in counters_now().items())
    except (BpfError, IOError, OSError):
        pass  # no eBPF here
    return found


def uptime_of(path="/proc/uptime"):
    return float((read_line(path) or "0").split()[0])


def look(counters, boot_id, root=""):
    """`traffic` of the facts of a host; None where nothing counts."""
    uptime = uptime_of(root + "/proc/uptime")
    return traffic_of(counters, read_note(note_path(root)), boot_id, uptime, time.time()) if uptime else None


class Counted(object):
    """Around a proof: what it moves is noted as its own. Whatever goes wrong with that is no matter of the proof."""

    def __init__(self, path=None):
        self.path = path or note_path()
        self.lock = None
        self.before = {}

    def __enter__(self):
        try:
            self.lock = ProofLock(self.path + ".lock").__enter__()
            self.before = all_counters()
        except (IOError, OSError, TargetError):
            self._let_go()
        return self

    def __exit__(self, *unused):
        try:
            if self.lock is not None and self.before:
                boot_id = read_line("/proc/sys/kernel/random/boot_id") or ""
                note = after_proof(self.before, all_counters(), read_note(self.path), boot_id, uptime_of())
                write_own(self.path, json.dumps(note, sort_keys=True) + "\n", 0o600)
        except (IOError, OSError, TargetError):
            pass
        self._let_go()
        return False

    def _let_go(self):
        if self.lock is not None:
            self.lock.__exit__()
            self.lock = None
