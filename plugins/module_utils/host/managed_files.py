# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that we change, and how they were before: so that they can be put back byte for byte.

An image of a file is a dict {kind: "file", data (base64), mode, uid, gid}, {kind: "link", target} or None where there is nothing.
The record, which is JSON, maps a path to {original: image, written: digest of what we left there}. A file that somebody has
changed since is never put back over that change; `Originals.restore` says which those are.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import errno
import hashlib
import json
import os
import stat

from ansible_collections.realip.toa.plugins.module_utils.host.foreign_folder import ForeignFolder
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TEXT,
    TargetError,
    make_dirs,
    not_a_file,
    open_to_read,
    refuse_folder,
    refuse_what_is_no_file,
    remove_file,
    restore_labels,
    run,
    write_own,
)

LOST = "changed by somebody"
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
    """Make a path be what its image says."""
    refuse_folder(os.path.dirname(path))
    if image is None:
        remove_file(path)
    elif image["kind"] == "link":
        remove_file(path)
        os.symlink(image["target"], path)
    else:
        write_own(path, data_of(image), image["mode"])
        os.chown(path, image["uid"], image["gid"])


class Originals:
    """The files below `root` that a record knows, and the changes to make to them."""

    def __init__(self, record, root="/"):
        files, made, removed = [record.get(key) for key in ("files", "made", "removed")]
        # A record that is damaged must not become a damaged file: what is not as we wrote it is not put back.
        self.files = (
            dict((name, entry) for name, entry in files.items() if _is_path(name) and _is_entry(entry))
            if isinstance(files, dict)
            else {}
        )
        self.made = [name for name in made if _is_path(name)] if isinstance(made, list) else []
        self.removed = (
            dict(item for item in removed.items() if _is_path(item[0]) and _is_mode(item[1]))
            if isinstance(removed, dict)
            else {}
        )
        self.root = root

    def record(self):
        """What to keep; empty where nothing is changed any more."""
        kept = {"files": self.files, "made": self.made, "removed": self.removed}
        return kept if self.files else {}

    def copy_of_record(self):
        """The record as it is now, for return_to()."""
        return json.loads(json.dumps(self.record()))

    def return_to(self, record):
        """Take up an earlier record; folders made since then go where they are empty."""
        self._remove_made([folder for folder in self.made if folder not in (record.get("made") or [])])
        self.__init__(record, self.root)

    def path(self, name):
        return os.path.join(self.root, name.lstrip("/"))

    def now(self, name):
        return image_of(self.path(name))

    def keep(self, name, wanted):
        """Remember a path that is about to become `wanted`. Save the record after this and before `change`."""
        # Before there is a record of it: nothing would have to be put back.
        entry = self.files.get(name)
        now = self.now(name)
        if wanted is not None and wanted["kind"] == "file":
            refuse_what_is_no_file(self.path(name), now is not None and now["kind"] == "file" and entry is None)
        if entry is None:
            self.files[name] = {"original": now, "written": digest_of(wanted)}
        elif entry["written"] != digest_of(now):
            # What was there first is no longer what to go back to.
            self.files[name] = {"original": LOST, "written": digest_of(wanted)}
        else:
            entry["written"] = digest_of(wanted)
        for folder in _missing_folders(name, self.path):
            if wanted is not None and folder not in self.made:
                self.made.append(folder)

    def make_folder(self, name):
        """Make a folder that others write to; what had to be made of it goes again where it is empty by then."""
        missing = _missing_folders(name + "/.", self.path)
        self.made += [folder for folder in missing if folder not in self.made]
        ForeignFolder(self.path(name), make=True).close()

    def change(self, name, wanted):
        """Make a path what is wanted. A folder that this leaves empty stays, unless remove_folder() is told of it."""
        if wanted is not None:
            make_dirs(os.path.dirname(self.path(name)))
        put(self.path(name), wanted)

    def remove_folder(self, name):
        """Remove a folder if nothing is left in it; it comes back with the first file of it that is restored."""
        try:
            mode = os.stat(self.path(name)).st_mode & 0o7777
            os.rmdir(self.path(name))
        except OSError:
            return False
        self.removed[name] = mode
        return True

    def restorable(self):
        """{path: original image} of what can be put back, and the list of paths that somebody has changed since."""
        back, foreign = {}, []
        for name, entry in self.files.items():
            if entry["original"] == LOST or digest_of(self.now(name)) != entry["written"]:
                foreign.append(name)
            else:
                back[name] = entry["original"]
        return back, sorted(foreign)

    def restore(self):
        """Put back what can be, and the folders with it; the record is empty afterwards."""
        for name, image in sorted(self.restorable()[0].items()):
            folder = os.path.dirname(name)
            if image is not None and make_dirs(os.path.dirname(self.path(name))) and folder in self.removed:
                os.chmod(self.path(folder), self.removed[folder])
            put(self.path(name), image)
        self.forget()

    def forget(self):
        """Drop the record, and the folders that were made for our files where nothing else is in them."""
        self._remove_made(self.made)
        self.files, self.made, self.removed = {}, [], {}

    def _remove_made(self, folders):
        for folder in sorted(folders, reverse=True):
            try:
                with ForeignFolder(self.path(os.path.dirname(folder))) as above:
                    os.rmdir(above.place(os.path.basename(folder)))
            except (IOError, OSError, TargetError):
                pass


def _is_text(value):
    return isinstance(value, (TEXT, str))


def _is_path(value):
    return _is_text(value) and value.startswith("/") and "\0" not in value


def _is_mode(value):
    return isinstance(value, int) and 0 <= value <= 0o7777


def _is_entry(entry):
    if not (isinstance(entry, dict) and _is_text(entry.get("written")) and "original" in entry):
        return False
    return entry["original"] is None or entry["original"] == LOST or _is_image(entry["original"])


def _is_image(image):
    if not isinstance(image, dict):
        return False
    if image.get("kind") == "link":
        return _is_text(image.get("target")) and bool(image["target"])
    owners = [image.get(key) for key in ("uid", "gid")]
    if (
        image.get("kind") != "file"
        or not _is_mode(image.get("mode"))
        or [owner for owner in owners if not isinstance(owner, int) or owner < 0]
    ):
        return False
    try:
        data_of(image)
    except Exception:  # of base64: binascii.Error, TypeError or UnicodeEncodeError, by the Python
        return False
    return True


def _missing_folders(name, path):
    missing = []
    folder = os.path.dirname(name)
    while len(folder) > 1 and not os.path.isdir(path(folder)):
        missing.append(folder)
        folder = os.path.dirname(folder)
    return missing


def tell_daemons(changes):
    """systemd reads changed units again, and SELinux gives new files the label of their place. `changes`: {path: image}."""
    if [name for name in changes if name.startswith("/etc/systemd/system/")] and os.path.isdir("/run/systemd/system"):
        run(["systemctl", "daemon-reload"], timeout=60)
    restore_labels([name for name, image in changes.items() if image is not None])
