# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every piece of target code needs of the host: files, commands, errors.

Runs on the managed host under Python 2.6 to 3.14 with the standard library only (docs/contracts.md).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os
import stat

from ansible_collections.realip.toa.plugins.module_utils.host.attributes import attributes_of, give_attributes
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


def make_dirs(path, mode=0o755):
    """mkdir -p, with this mode for all that is made, whatever the umask is; returns True where something was made."""
    missing = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path.rstrip("/"))
    for folder in reversed(missing):
        try:
            os.mkdir(folder, mode)
        except OSError as problem:
            if problem.errno != errno.EEXIST or not os.path.isdir(folder):
                raise
        else:
            os.chmod(folder, mode)
    return bool(missing)


def write_atomic(path, text, mode=None):
    """Replace a file that is not ours alone (rc.local, GRUB's) in one step, and make it last through a power cut (fsync of file and folder).

    Without `mode` it keeps the one it had (0644 for a new one); owner, group, ACL, security label and other attributes are kept too. Others may have
    made it a link, which is followed.
    """
    _replace(path, text, mode, True)


def write_own(path, text, mode=None, owner=None):
    """The same for a file that is ours alone: no link is followed, and what somebody else has put there becomes root's, or `owner`'s (uid, gid)."""
    _replace(path, text, mode, False, owner)


def _replace(path, text, mode, shared, owner=None):
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    refuse_what_is_no_file(path, shared)
    if shared:
        path = os.path.realpath(path)
    else:
        refuse_folder(os.path.dirname(path))
    folder = os.path.dirname(path)
    try:
        old = os.lstat(path)
    except OSError:
        old = None
    kept = old if old is not None and (shared or old.st_uid in (0, os.geteuid())) else None
    import tempfile

    handle, temporary = tempfile.mkstemp(prefix=".realip-toa-", dir=folder)
    try:
        try:
            view = data
            while view:
                view = view[os.write(handle, view) :]
            if kept is not None:
                os.fchown(handle, kept.st_uid, kept.st_gid)
                _keep_attributes(path, temporary)
            if owner is not None:
                os.fchown(handle, owner[0], owner[1])
            os.fchmod(handle, mode if mode is not None else kept.st_mode & 0o7777 if kept is not None else 0o644)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, path)
    except EnvironmentError as problem:
        problem.filename = path  # neither write nor Python 2's rename says which
        remove_file(temporary)
        raise problem
    except BaseException:
        remove_file(temporary)
        raise
    restore_labels([path])
    sync_dir(folder)


def restore_labels(paths):
    """Give files the SELinux labels of their places: one that was renamed into its place has the label of that folder's new files.

    A wrong label shows at the next boot: the init does not run an rc.local that has one.
    """
    if paths and [folder for folder in SELINUX_FOLDERS if os.path.exists(folder + "/enforce")] and which("restorecon"):
        run(["restorecon"] + sorted(paths), timeout=60)


def _keep_attributes(path, temporary):
    lost = give_attributes(temporary, attributes_of(path))
    # A label is given anew by the policy where it cannot be carried over (managed_files.tell_daemons).
    lost = [name for name in lost if not name.startswith("security.")]
    if lost:
        raise TargetError(
            "attributes_lost",
            "%s has attributes that a new file there would not have: %s" % (path, ", ".join(lost)),
            "see `getfattr -d -m - %s`; change the file by hand, or do without them" % path,
        )


def refuse_what_is_no_file(path, shared=False):
    """TargetError where a file of ours must not take the place of what is there: a masked unit, a link, a device, a pipe, a folder.

    `shared`: a link to a file is as good as a file, but a file with other names is not, for those would keep the old text.
    """
    try:
        there = os.lstat(path)
    except OSError:
        return
    is_link = stat.S_ISLNK(there.st_mode)
    name = os.path.basename(path)
    is_unit = os.path.dirname(path).endswith("/systemd/system")
    if is_unit and (os.path.realpath(path) == os.devnull or (stat.S_ISREG(there.st_mode) and there.st_size == 0)):
        raise TargetError(
            "unit_masked",
            "%s is masked on this host (%s): somebody does not want this unit to run" % (name, path),
            "run `systemctl unmask %s` if it may run, then run again" % name,
        )
    if is_link and shared:
        try:
            there = os.stat(path)
        except OSError:
            return
    if not stat.S_ISREG(there.st_mode):
        raise not_a_file(path, there.st_mode)
    if shared and there.st_nlink > 1:
        raise TargetError(
            "hard_linked",
            "%s has %d names (hard links); in place of one of them there would be another file"
            % (path, there.st_nlink),
            "find them (find / -xdev -samefile %s), make it a file of its own, then run again" % path,
        )


def refuse_folder(folder):
    """TargetError where a folder with files of ours is a link or somebody else's, who could put others in their place."""
    try:
        found = os.lstat(folder or ".")
    except OSError:
        return
    if not stat.S_ISDIR(found.st_mode):
        why = "is no folder but %s" % kind_of(found.st_mode)
    elif found.st_uid not in (0, os.geteuid()):
        why = "belongs to user %d" % found.st_uid
    elif found.st_mode & 0o002 and not found.st_mode & stat.S_ISVTX:
        why = "can be written to by everybody"
    else:
        return
    raise TargetError(
        "unsafe_folder",
        "%s %s, so that files of root's own cannot lie there" % (folder, why),
        "find out who made it, and remove it on the host or give it back to root",
    )


def not_a_file(path, mode):
    """The TargetError for something that stands where a file should be."""
    what = kind_of(mode)
    if os.path.islink(path):
        what += " (to %s)" % os.path.realpath(path)
    return TargetError(
        "not_a_file",
        "%s is no regular file but %s, and is left alone" % (path, what),
        "move it out of the way on the host, then run again",
    )


def kind_of(mode):
    """What something that is no regular file is, in words."""
    for test, words in (
        (stat.S_ISLNK, "a link"),
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    ):
        if test(mode):
            return words
    return "something else"


def sync_dir(folder):
    """fsync a directory, so that a rename in it survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_file(path):
    """Remove a file; returns True where there was one."""
    try:
        os.unlink(path)
        return True
    except OSError as problem:
        if problem.errno != errno.ENOENT:
            raise
        return False


def remove_empty(folder):
    """Remove a folder that has nothing in it; one that has, or is not there, stays as it is."""
    try:
        os.rmdir(folder)
    except OSError:
        pass
