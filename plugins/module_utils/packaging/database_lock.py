# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The locks of the package databases: held, or waited for, so that two package tools are never at work at once."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import fcntl
import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, read_text
from ansible_collections.realip.toa.plugins.module_utils.host.lock import wait_for

# Seconds. A kernel's postinst makes an initramfs, which takes minutes on a slow machine.
TOOL_TIMEOUT = 1800

# A program that is at work on packages leaves its pid here, and is waited for although rpm's own lock is free in between.
PID_FILES = ("var/run/yum.pid", "var/lib/dnf/rpmdb_lock.pid", "run/zypp.pid")
PACKAGE_TOOLS = re.compile(r"yum|dnf|zypp|packagekit", re.I)


def tail(text, lines=6):
    """The last lines of what a tool said, which is where it says why."""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


class Locks:
    """Holds the frontend lock of the package database, and sees that the inner lock, which dpkg itself takes, is free.

    A file that is not there is not made: dpkg before 1.19.1 knows no frontend lock.
    """

    def __init__(self, paths, time_limit):
        self.paths = paths
        self.time_limit = time_limit
        self.handles = []

    def __enter__(self):
        wait_for(self._take, self.time_limit, self._refusal)
        return self

    def _refusal(self, holder):
        return TargetError(
            "package_lock_held",
            "the package database is locked by %s, and still was after %d seconds" % (holder, self.time_limit),
            "wait until that has ended (or end it), then run again",
        )

    def __exit__(self, *unused):
        self._let_go()
        return False

    def _take(self):
        """None when all is ours, else who has it. The inner lock is let go again at once: dpkg needs it."""
        for path in self.paths:
            try:
                handle = open(path, "r+b")
            except (IOError, OSError) as problem:
                if problem.errno == errno.ENOENT:
                    continue
                raise
            self.handles.append(handle)
            try:
                fcntl.lockf(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (IOError, OSError):
                self._let_go()
                return _holder(path)
        if self.handles and self.handles[-1].name == self.paths[-1]:
            self.handles.pop().close()
        return None

    def _let_go(self):
        while self.handles:
            self.handles.pop().close()


def _holder(path):
    """Who locks a file, from /proc/locks: "apt-get (pid 812)"."""
    inode = os.stat(path).st_ino
    for line in (read_text("/proc/locks") or "").splitlines():
        words = line.split()
        if len(words) >= 6 and words[5].endswith(":%d" % inode) and words[4].isdigit():
            command = (read_text("/proc/%s/comm" % words[4]) or "a process").strip()
            return "%s (pid %s)" % (command, words[4])
    return "another process"


class RpmLocks(Locks):
    """Waits until yum, dnf and rpm are done. Nothing is held afterwards: rpm takes its lock itself, and waits for it."""

    def __init__(self, root, path, time_limit):
        Locks.__init__(self, [path], time_limit)
        self.root = root

    def _take(self):
        for name in PID_FILES:
            pid = (read_text(os.path.join(self.root, name), 64) or "").strip()
            tool = PACKAGE_TOOLS.search(read_text("/proc/%s/cmdline" % pid, 4096) or "") if pid.isdigit() else None
            if tool:
                return "%s (pid %s)" % (tool.group(0), pid)
        return Locks._take(self)
