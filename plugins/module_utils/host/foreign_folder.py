# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that may belong to somebody else, and into which root writes all the same: that of the node exporter's metrics.

Whoever owns a folder can put links into it, and put the folder itself aside, at any moment. So it is opened step by step, and what is done in it
is done by its descriptor, never by its path. Links are followed where only root can have made them.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import errno
import os
import stat

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.writing import kind_of

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | os.O_NOFOLLOW | os.O_NONBLOCK
_MOST_LINKS = 40


class ForeignFolder:
    """A folder, open. TargetError `unsafe_folder` where the way to it leads over a link that somebody else can have made.

    `make`: what is missing of it is made, with mode 0755. IOError or OSError where it is not there.
    """

    def __init__(self, path, make=False):
        self.path = path
        self.made = []
        self.descriptor = os.open("/", _FOLDER)
        try:
            self._walk([part for part in path.split("/") if part], make)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
        return False

    def close(self):
        os.close(self.descriptor)

    def _walk(self, parts, make):
        links = 0
        while parts:
            part, parts = parts[0], parts[1:]
            place = self.place(part)
            target = self._link(part)
            if target is not None:
                links += 1
                if links > _MOST_LINKS or not self._is_roots():
                    raise self._unsafe(part, "is a link that somebody else than root may have made")
                parts = [step for step in target.split("/") if step] + parts
                if target.startswith("/"):
                    self._enter("/")
                continue
            if make and not os.path.lexists(place):
                os.mkdir(place, 0o755)
                self.made.append(part)
                self._enter(place, part)
                os.fchmod(self.descriptor, 0o755)  # whatever the umask is # nosec B103
            else:
                self._enter(place, part)

    def _enter(self, place, part=""):
        try:
            descriptor = os.open(place, _FOLDER)
        except (IOError, OSError) as problem:
            if problem.errno in (errno.ELOOP, errno.ENOTDIR):
                raise self._unsafe(part, "is no folder")
            problem.filename = self.path
            raise problem
        os.close(self.descriptor)
        self.descriptor = descriptor

    def _link(self, name):
        """Where a link in this folder leads, or None for what is none."""
        try:
            return os.readlink(self.place(name))
        except OSError as problem:
            if problem.errno not in (errno.EINVAL, errno.ENOENT):
                raise
            return None

    def _is_roots(self):
        """Can nobody but root, or whoever runs this, have put something into the folder that is open?"""
        found = os.fstat(self.descriptor)
        open_to_group = found.st_mode & 0o020 and found.st_gid != 0
        return found.st_uid in (0, os.geteuid()) and not found.st_mode & 0o002 and not open_to_group

    def _unsafe(self, part, why):
        return TargetError(
            "unsafe_folder",
            "%s: %r on the way there %s" % (self.path, part, why),
            "name the folder by its own path, or have root make it anew",
        )

    def place(self, name):
        """The path of a name in this folder that leads there whatever becomes of the folder's own path."""
        return "/proc/self/fd/%d/%s" % (self.descriptor, name)

    def refuse_what_is_no_file(self, name):
        """TargetError where there is something under a name that is no regular file."""
        try:
            found = os.lstat(self.place(name))
        except OSError as problem:
            if problem.errno != errno.ENOENT:
                raise
            return
        if not stat.S_ISREG(found.st_mode):
            raise TargetError(
                "not_a_file",
                "%s/%s is no regular file but %s, and is left alone" % (self.path, name, kind_of(found.st_mode)),
                "find out who made it, and remove it on the host",
            )

    def write(self, name, text, mode):
        """Replace a file of root's own in one step; what it was before is neither written to nor followed."""
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        self.refuse_what_is_no_file(name)
        temporary = ".realip-toa-" + binascii.hexlify(os.urandom(8)).decode("ascii")
        handle = os.open(self.place(temporary), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            try:
                while data:
                    data = data[os.write(handle, data) :]
                os.fchmod(handle, mode)
                os.fsync(handle)
            finally:
                os.close(handle)
            os.rename(self.place(temporary), self.place(name))
        except BaseException as problem:
            self.remove(temporary)
            if isinstance(problem, EnvironmentError):
                problem.filename = "%s/%s" % (self.path, name)
            raise
        os.fsync(self.descriptor)

    def remove(self, name):
        """Remove what bears a name here, a link itself and not what it leads to; True where there was something."""
        try:
            os.unlink(self.place(name))
            return True
        except OSError as problem:
            if problem.errno != errno.ENOENT:
                raise
            return False
