# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time changes a host: the lock for that, and the waiting for it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import fcntl
import os
import stat
import time

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.own_folder import own_folder

# In a folder of our own: whoever could make or open the file could hold it, and so every run of ours.
LOCK_FILE = "/run/realip-toa/lock"


def wait_for(take, time_limit, refusal):
    """Call `take` until it returns None, which says that what it wants is there; after `time_limit` seconds raises refusal(what it returned)."""
    deadline = time.time() + time_limit
    pause = 0.05
    while True:
        holder = take()
        if holder is None:
            return
        if time.time() >= deadline:
            raise refusal(holder)
        time.sleep(pause)
        pause = min(pause * 2, 1.0)


class HostLock:
    """One controller at a time: held around everything that changes the host.

    The lock belongs to the open file, so a run that dies lets go of it. The next run waits up to TIME_LIMIT seconds for a step of a controller
    that died, such as a package manager's.
    """

    TIME_LIMIT = 90

    def __init__(self, path=LOCK_FILE):
        self.path = path
        top = path[: -len(LOCK_FILE)] if path.endswith(LOCK_FILE) else None
        if top is not None and not os.path.isdir(top + "/run"):  # CentOS 6 has none
            self.path = (top if os.path.isdir(top + "/var/run") else "") + "/var" + LOCK_FILE
        self.handle = None

    def __enter__(self):
        self.handle = self._opened()
        wait_for(self._take, self.TIME_LIMIT, self._refusal)
        self.handle.truncate(0)
        self.handle.write("pid %d since %s UTC\n" % (os.getpid(), time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())))
        self.handle.flush()
        return self

    def _opened(self):
        """The lock's file, which nobody but its owner can open: whoever can open a file can hold its lock, and so every run of ours."""
        above, name = os.path.split(os.path.dirname(self.path))
        own_folder(os.path.join(os.path.realpath(above), name))
        # Not to wait where somebody has put a pipe.
        no_link = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(self.path, no_link, 0o600)
        except OSError as problem:
            if problem.errno != errno.ELOOP:
                raise
            raise self._not_ours("is a link")
        there = os.fstat(descriptor)
        if there.st_uid != os.geteuid() or not stat.S_ISREG(there.st_mode):
            os.close(descriptor)
            raise self._not_ours("is no file of the user that runs this (its owner is %d)" % there.st_uid)
        os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "a+")

    def _not_ours(self, why):
        return TargetError(
            "lock_not_ours",
            "the lock %s %s" % (self.path, why),
            "find out who made it, and remove it on the host",
        )

    def _take(self):
        """None when it is ours, else who has it."""
        try:
            fcntl.flock(self.handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (IOError, OSError):
            self.handle.seek(0)
            return self.handle.read(200).strip() or "unknown"
        return None

    def _refusal(self, holder):
        self.handle.close()
        return TargetError(
            "host_locked",
            "another run of realip.toa is changing this host (%s), and still was after %d seconds"
            % (holder, self.TIME_LIMIT),
            "wait until it has ended, then run again",
        )

    def __exit__(self, *unused):
        # Never unlinked: a run that has just opened it would then lock a file nobody else can see.
        self.handle.truncate(0)
        self.handle.close()
        return False
