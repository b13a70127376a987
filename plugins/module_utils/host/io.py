# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every piece of target code needs of the host: errors, what files say, commands. Files are written by host/writing.py.

Runs on the managed host under Python 2.6 to 3.14 with the standard library only (docs/contracts.md).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os
import stat

from ansible_collections.realip.toa.plugins.module_utils.host.pipes import Talk

# subprocess and tempfile are imported where they are used: they cost a third of the start of a call (11 of 34 ms of
# CPU measured), and a look at a healthy host needs neither.

# Where everything of ours on a host lives; removed as a whole by the `remove` role.
STATE_DIR = "/var/lib/realip-toa"

# Where SELinux shows itself: since Linux 3.0, and before.
SELINUX_FOLDERS = ("/sys/fs/selinux", "/selinux")

# Commands are found here and nowhere else, whatever PATH a sudo rule or a login left behind.
COMMAND_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


# unicode on Python 2. The formatter drops the prefix of such a literal, so target code has none.
TEXT = type(b"".decode("ascii"))


class TargetError(Exception):
    """A host refused something. `code` is stable, `message` is for a human, `remedy` says what to do."""

    def __init__(self, code, message, remedy=None, **data):
        Exception.__init__(self, message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.data = data


def to_text(data):
    """bytes or text -> text; bytes that are not UTF-8 survive as U+FFFD, never as an exception."""
    if isinstance(data, bytes):
        return data.decode("utf-8", "replace")
    return data


_AT_ONCE = 1 << 20
# Bytes that a command may say, and complain.
_MOST_SAID = (4 << 20, 1 << 20)


def open_to_read(path):
    """An open file, for reading bytes; IOError or OSError where there is none. A pipe, a socket or a device has nothing in it for us.

    Somebody may have put a pipe where a file should be: to open that one as usual would wait for ever.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        found = os.fstat(descriptor)
        is_null = stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 3)
        if not stat.S_ISREG(found.st_mode) and not is_null:
            raise OSError(errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL, "no regular file", path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path, limit=1 << 20):
    """The first `limit` bytes of a file, or None where it cannot be read."""
    try:
        handle = open_to_read(path)
    except (IOError, OSError, ValueError, TypeError):  # the last two: a NUL in the path, on Python 3 and 2
        return None
    parts = []
    try:
        # Python takes memory for all that it is asked for, before it knows how much there is.
        while limit > 0:
            asked = min(limit, _AT_ONCE)
            parts.append(handle.read(asked))
            limit = limit - asked if len(parts[-1]) == asked else 0
        return b"".join(parts)
    except (IOError, OSError):
        return None
    finally:
        handle.close()


def read_text(path, limit=1 << 20):
    """The first `limit` bytes of a file as text, or None where it cannot be read."""
    data = read_bytes(path, limit)
    return None if data is None else to_text(data)


def read_line(path):
    """The first line of a file without its newline, or None."""
    text = read_text(path, 4096)
    if text is None:
        return None
    return text.split("\n", 1)[0].strip()


def list_dir(path):
    """Sorted names in a directory; empty where it is missing or unreadable."""
    try:
        return sorted(to_text(name) for name in os.listdir(path))
    except OSError:
        return []


def which(name):
    """Absolute path of a command on COMMAND_PATH, or None."""
    for folder in COMMAND_PATH.split(":"):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def start(argv, **more):
    """Start a child that holds none of our open files; `more` as subprocess.Popen takes it. Raises IOError or OSError."""
    import subprocess

    class Child(subprocess.Popen):
        """By a name of its own: ansible-test would have AnsibleModule.run_command in its place, which hosts do not have."""

    return Child(argv, close_fds=True, **more)


def run(argv, timeout=120, stdin=None, env=None):
    """Run a command without a shell; returns (rc, stdout, stderr) as (int, text, text).

    `timeout` is in seconds; past it the whole process group is killed and rc is 124, as timeout(1) has it.
    A command that cannot be started gives rc 127. A child which leaves a daemon behind (a package's postinst, say) cannot
    make us wait for its pipe to close.
    """
    import subprocess

    environment = {"PATH": COMMAND_PATH, "LC_ALL": "C", "LANG": "C", "HOME": os.environ.get("HOME", "/root")}
    environment.update(env or {})
    pipe = subprocess.PIPE
    null = open(os.devnull, "rb")
    try:
        given = null if stdin is None else pipe
        child = start(argv, stdin=given, stdout=pipe, stderr=pipe, env=environment, preexec_fn=os.setsid)
    except (IOError, OSError) as problem:
        return 127, "", "%s: %s" % (argv[0], problem)
    finally:
        null.close()
    data = stdin if isinstance(stdin, bytes) else (stdin or "").encode("utf-8")
    rc, out, err = Talk(child, data, _MOST_SAID, start).until_it_ends(timeout)
    return rc, to_text(out), to_text(err)
