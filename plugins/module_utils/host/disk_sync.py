# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a boot loader will read is in its place on the disk, and not in a journal only.

GRUB reads ext4 and XFS without replaying their journals. fsync() makes a change last, but may leave it in the journal for a while: after
a power cut Linux would see the new grub.cfg and GRUB still the old one, or none. On ext4 (and everything else but XFS) syncfs() writes
it in place; XFS does that only when the filesystem is frozen (ioctl FIFREEZE, linux/fs.h), which lasts for some milliseconds.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import fcntl
import os
import signal

from ansible_collections.realip.toa.plugins.module_utils.host.io import run

FIFREEZE = 0xC0045877
FITHAW = 0xC0045878

NOT_OURS = b"n"
_FREEZE = ("xfs",)


def settle(places):
    """Write in place whatever was changed on the filesystems of these files or folders: (path, filesystem type) pairs.

    A filesystem that does not exist or cannot be opened has nothing of ours on it.
    """
    done = set()
    for path, filesystem in places:
        try:
            handle = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        try:
            device = os.fstat(handle).st_dev
            if device not in done:
                done.add(device)
                _sync(handle)
                if filesystem in _FREEZE:
                    _freeze_and_thaw(handle)
        finally:
            os.close(handle)


def _sync(handle):
    """Write a whole filesystem to its disk: syncfs(2), or sync(1) where a C library (before 2.14) or a Python lacks it."""
    try:
        import ctypes

        if ctypes.CDLL(None).syncfs(handle) == 0:
            return
    except (ImportError, AttributeError, OSError):
        pass
    run(["sync"], timeout=300)


def _freeze_and_thaw(handle):
    """Freeze a filesystem and let it go on at once. A second process thaws it, so that nothing that happens to this one leaves it frozen."""
    ends = os.pipe()
    child = os.fork()
    if child == 0:
        _thaw_when_told(handle, ends)
    os.close(ends[0])
    frozen = False
    try:
        frozen = _ioctl(handle, FIFREEZE)
        if not frozen:
            os.write(ends[1], NOT_OURS)
    finally:
        os.close(ends[1])
        os.waitpid(child, 0)
        if frozen:  # in case that it was the second process that was killed
            _ioctl(handle, FITHAW)


def _thaw_when_told(handle, ends):
    """The second process: thaws at the other's end, unless it was told that somebody else (a backup, say) holds the filesystem frozen."""
    try:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        os.setsid()
        os.close(ends[1])
        if os.read(ends[0], 1) != NOT_OURS:
            _ioctl(handle, FITHAW)
    finally:
        os._exit(0)


def _ioctl(handle, request):
    """True where the filesystem did it; False where it cannot, may not, or is in that state already."""
    try:
        fcntl.ioctl(handle, request, 0)
    except (IOError, OSError):
        return False
    return True
