# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is at a path, as a value that can be kept in a record, compared, and put there again.

An image is a dict {kind: "file", data (base64), mode, uid, gid}, {kind: "link", target} or None where there is nothing.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import binascii
import errno
import hashlib
import os
import stat

from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TEXT,
    TargetError,
    open_to_read,
)
from ansible_collections.realip.toa.plugins.module_utils.host.writing import (
    not_a_file,
    refuse_folder,
    remove_file,
    sync_dir,
    write_own,
)

# Of what is kept whole in a record: scripts, units, settings, a program.
LARGEST = 4 << 20


def read_bytes(path):
    """All bytes of a file, or None where there is no such file."""
    try:
        handle = open_to_read(path)
    except (IOError, OSError) as problem:
        if problem.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise
    try:
        return handle.read()
    finally:
        handle.close()


def image_of(path):
    """How a path is now."""
    try:
        now = os.lstat(path)
    except OSError:
        return None
    if stat.S_ISLNK(now.st_mode):
        return {"kind": "link", "target": os.readlink(path)}
    if not stat.S_ISREG(now.st_mode):
        raise not_a_file(path, now.st_mode)
    if now.st_size > LARGEST:
        raise TargetError(
            "too_large",
            "%s has %d bytes; a file there has at most %d" % (path, now.st_size, LARGEST),
            "find out what it is, and move it out of the way on the host",
        )
    data = base64.b64encode(read_bytes(path)).decode("ascii")
    return {"kind": "file", "data": data, "mode": now.st_mode & 0o7777, "uid": now.st_uid, "gid": now.st_gid}


def file_image(data, mode):
    """The image of a file of root's own with these bytes."""
    return {"kind": "file", "data": base64.b64encode(data).decode("ascii"), "mode": mode, "uid": 0, "gid": 0}


def runnable(mode):
    """A mode with the x bits that are missing: root's, and those of whoever may read. One that keeps others out goes on to do so."""
    return mode | 0o100 | (mode & 0o444) >> 2


def link_image(target):
    return {"kind": "link", "target": target}


def data_of(image):
    """Bytes of a file's image; b"" for anything else."""
    return base64.b64decode(image["data"].encode("ascii")) if image and image["kind"] == "file" else b""


def digest_of(image):
    """What tells one image from another."""
    if image is None:
        return "nothing"
    if image["kind"] == "link":
        return "link " + image["target"]
    return "%o %d:%d %s" % (image["mode"], image["uid"], image["gid"], hashlib.sha256(data_of(image)).hexdigest())


def put(path, image):
    """Make a path be what its image says, in one step: whoever looks meanwhile sees what was there before, or this."""
    folder = os.path.dirname(path)
    refuse_folder(folder)
    if image is None:
        if remove_file(path):
            sync_dir(folder)
    elif image["kind"] == "link":
        temporary = "%s/.realip-toa-%s" % (folder, binascii.hexlify(os.urandom(8)).decode("ascii"))
        os.symlink(image["target"], temporary)
        try:
            os.rename(temporary, path)
        except BaseException:
            remove_file(temporary)
            raise
        sync_dir(folder)
    else:
        write_own(path, data_of(image), image["mode"], (image["uid"], image["gid"]))


def is_image(image):
    if not isinstance(image, dict):
        return False
    if image.get("kind") == "link":
        return is_text(image.get("target")) and bool(image["target"])
    owners = [image.get(key) for key in ("uid", "gid")]
    if (
        image.get("kind") != "file"
        or not is_mode(image.get("mode"))
        or [owner for owner in owners if not isinstance(owner, int) or owner < 0]
    ):
        return False
    try:
        data_of(image)
    except Exception:  # of base64: binascii.Error, TypeError or UnicodeEncodeError, by the Python
        return False
    return True


def is_text(value):
    return isinstance(value, (TEXT, str))


def is_mode(value):
    return isinstance(value, int) and 0 <= value <= 0o7777
