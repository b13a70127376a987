# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of root alone: nobody else can have put anything into it, and nobody else can put it aside.

What lies in such a folder is run, or trusted, as root. So a local user who makes it first, or who may write to a folder above it, is root.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os
import stat

from ansible_collections.realip.toa.plugins.module_utils.host.io import STATE_DIR, TargetError

# Where builds go that nobody has given another place.
BUILDS = STATE_DIR + "/build"
# A flag of statvfs(3), which Python has no name for.
_NOEXEC = 8
_MOST_LINKS = 40


def own_folder(path):
    """Make `path` with mode 0700, or see that it is ours alone; every folder above it is looked at. TargetError where it is not safe."""
    parts = [part for part in path.split("/") if part]
    if not path.startswith("/") or "." in parts or ".." in parts:
        raise TargetError("bad_option", "work: %s is no absolute path" % path, "name a folder by its whole path")
    place = "/"
    above = _look(place)
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        _refuse_open(place, above, parts[number:])
        place = os.path.join(place, part)
        if not _there(place):
            if above.st_mode & 0o022:
                raise _unsafe(path, "%s does not exist, and others may write to the folder that it would be in" % place)
            os.mkdir(place, 0o700 if last else 0o755)
            # Whatever the umask is.
            os.chmod(place, 0o700 if last else 0o755)
        above = _look(place)
    if above.st_mode & 0o077:
        raise _unsafe(path, "others may enter it (mode %04o)" % stat.S_IMODE(above.st_mode))
    return path


def check_folder(path):
    """As own_folder(), for one that is only read; one that is not there is no problem."""
    if _there(path):
        own_folder(path)
    return path


def runs_programs(path):
    """Whether the kernel runs what lies in a folder, there or yet to be made: not on a file system that is mounted noexec."""
    while not os.path.isdir(path) and path not in ("", "/"):
        path = os.path.dirname(path)
    try:
        return not os.statvfs(path or "/").f_flag & _NOEXEC
    except OSError:
        return True


def _refuse_open(place, found, below):
    """In a folder like /tmp nobody can move what is root's, but everybody can make what is not there yet."""
    if found.st_mode & 0o002 and not found.st_mode & stat.S_ISVTX or found.st_mode & 0o020 and found.st_gid != 0:
        raise _unsafe(os.path.join(place, *below), "others may write to %s" % place)


def _there(path):
    try:
        os.lstat(path)
        return True
    except OSError as problem:
        if problem.errno != errno.ENOENT:
            raise
        return False


def _look(path):
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise _unsafe(path, "it is no folder but %s" % ("a link" if stat.S_ISLNK(found.st_mode) else "something else"))
    if found.st_uid not in (0, os.geteuid()):
        raise _unsafe(path, "it belongs to user %d" % found.st_uid)
    return found


def _unsafe(path, why):
    return TargetError(
        "unsafe_folder",
        "%s is no safe place for what root runs: %s" % (path, why),
        "remove it, or name a folder (work, toa_kernel.work) that belongs to root and lies in folders to which nobody else may write",
    )


def who_else(path):
    """Who but root, or whoever runs this, can change what lies at `path`: in words, or "" for nobody. Links on the way there are looked at too."""
    place, links = "/", 0
    parts = [part for part in path.split("/") if part]
    while True:
        try:
            found = os.lstat(place)
        except OSError as problem:
            return "%s: %s" % (place, problem.strerror)
        if found.st_uid not in (0, os.geteuid()):
            return "%s belongs to user %d" % (place, found.st_uid)
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > _MOST_LINKS:
                return "%s is a link too many" % place
            target = os.readlink(place)
            parts = [part for part in target.split("/") if part] + parts
            place = "/" if target.startswith("/") else os.path.dirname(place)
        elif found.st_mode & 0o002 and not (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX and parts):
            return "others may write to %s" % place
        elif found.st_mode & 0o020 and found.st_gid != 0:
            return "group %d may write to %s" % (found.st_gid, place)
        if not parts:
            return ""
        part, parts = parts[0], parts[1:]
        if part == "..":
            place = os.path.dirname(place)
        elif part != ".":
            place = os.path.join(place, part)
