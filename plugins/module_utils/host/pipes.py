# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a child is given to read, and what it says, through pipes.

Not through files: SELinux gives a program that it confines (restorecon, nft, iptables) /dev/null in place of a file of ours, without a word, so
that it reads nothing, says nothing and ends well.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import fcntl
import os
import select
import signal
import time

TIMED_OUT = 124
_LONGEST_PAUSE = 0.1
_AT_ONCE = 65536
# Of what the child has said there is no more than a pipe holds when it has ended; what comes after that, others say.
_LAST_LOOKS = 32


class Talk:
    """With a child whose stdin (or None), stdout and stderr are pipes; `most` bytes of each of the last two are kept.

    `start` starts another child, as host/io.py has it.
    """

    def __init__(self, child, given, most, start):
        self.child = child
        self.start = start
        self.given = given
        self.pipes = [child.stdout, child.stderr]
        self.open = [pipe.fileno() for pipe in self.pipes]
        self.said = dict((number, []) for number in self.open)
        self.left = dict(zip(self.open, most))
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                _set_flags(pipe, os.O_NONBLOCK, 0)

    def until_it_ends(self, timeout):
        """(rc, stdout, stderr) as (int, bytes, bytes); past `timeout` seconds its whole process group is killed and rc is 124, as timeout(1) has it."""
        out, err = [self.said[pipe.fileno()] for pipe in self.pipes]
        try:
            rc = self._rc(time.time() + timeout)
        except BaseException:  # the time of the whole call is over: nobody will wait for the child any more
            kill_group(self.child)
            raise
        finally:
            self._hang_up()
        return rc, b"".join(out), b"".join(err)

    def _rc(self, deadline):
        pause = 0.002
        while time.time() <= deadline:
            rc = self.child.poll()
            if rc is not None:
                looks = 0
                while self.open and looks < _LAST_LOOKS and self._exchange(0):
                    looks += 1
                return rc
            pause = 0.002 if self._exchange(pause) else min(pause * 2, _LONGEST_PAUSE)
        kill_group(self.child)
        return TIMED_OUT

    def _exchange(self, patience):
        """Read and write what can be; whether there was anything."""
        writes = [self.child.stdin.fileno()] if self.child.stdin else []
        if not self.open and not writes:
            time.sleep(patience)
            return False
        try:
            readable, writable, _errors = select.select(self.open, writes, [], patience)
        except select.error as problem:
            if problem.args[0] != errno.EINTR:
                raise
            return True
        for number in readable:
            self._read(number)
        if writable:
            self._write()
        return bool(readable or writable)

    def _read(self, number):
        try:
            data = os.read(number, _AT_ONCE)
        except OSError as problem:
            if problem.errno in (errno.EAGAIN, errno.EINTR):
                return
            raise
        if not data:
            self.open.remove(number)
        elif self.left[number] > 0:
            self.said[number].append(data[: self.left[number]])
            self.left[number] -= len(data)

    def _write(self):
        """The next of what it is to read; a child that has read enough is no failure."""
        try:
            self.given = self.given[os.write(self.child.stdin.fileno(), self.given[:_AT_ONCE]) :]
        except OSError as problem:
            if problem.errno in (errno.EAGAIN, errno.EINTR):
                return
            if problem.errno != errno.EPIPE:
                raise
            self.given = b""
        if not self.given:
            self._close_input()

    def _close_input(self):
        try:
            self.child.stdin.close()
        finally:
            self.child.stdin = None

    def _hang_up(self):
        """A daemon that the child has left behind (a package's, say) may go on talking: nobody waits for it, and nobody stops its mouth."""
        if self.child.stdin:
            self._close_input()
        for pipe in self.pipes:
            if pipe.fileno() in self.open:
                self._listen_on(pipe)
            pipe.close()

    def _listen_on(self, pipe):
        _set_flags(pipe, 0, os.O_NONBLOCK)
        null = open(os.devnull, "r+b")
        try:
            self.start(["cat"], stdin=pipe, stdout=null, stderr=null, preexec_fn=os.setsid, cwd="/")
        except (IOError, OSError):
            pass
        finally:
            null.close()


def _set_flags(pipe, come, go):
    flags = fcntl.fcntl(pipe.fileno(), fcntl.F_GETFL)
    fcntl.fcntl(pipe.fileno(), fcntl.F_SETFL, (flags | come) & ~go)


def kill_group(child):
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except OSError:
        pass
    child.wait()
