# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written, replaced in one step, and removed; and what is refused because it is not ours to replace."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os
import stat

from ansible_collections.realip.toa.plugins.module_utils.host.attributes import attributes_of, give_attributes
from ansible_collections.realip.toa.plugins.module_utils.host.io import SELINUX_FOLDERS, TargetError, run, which

# tempfile is imported where it is used, as host/io.py does.


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
