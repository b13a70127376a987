# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that we change, and how they were before: so that they can be put back byte for byte.

The record, which is JSON, maps a path to {original: image (host/file_image.py), written: digest of what we left there}. A file that somebody
has changed since is never put back over that change; `Originals.restorable` says which those are.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os

from ansible_collections.realip.toa.plugins.module_utils.host.file_image import (
    digest_of,
    image_of,
    is_image,
    is_mode,
    is_text,
    put,
)
from ansible_collections.realip.toa.plugins.module_utils.host.foreign_folder import ForeignFolder
from ansible_collections.realip.toa.plugins.module_utils.host.io import STATE_DIR, TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.writing import (
    make_dirs,
    refuse_what_is_no_file,
)

LOST = "changed by somebody"


class Originals:
    """The files below `root` that a record knows, and the changes to make to them."""

    def __init__(self, record, root="/"):
        files, made, removed = [record.get(key) for key in ("files", "made", "removed")]
        # A record that is damaged must not become a damaged file: what is not as we wrote it is not put back.
        self.files = (
            dict((name, entry) for name, entry in files.items() if is_path(name) and _is_entry(entry))
            if isinstance(files, dict)
            else {}
        )
        self.made = [name for name in made if is_path(name)] if isinstance(made, list) else []
        self.removed = (
            dict(item for item in removed.items() if is_path(item[0]) and is_mode(item[1]))
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

    def keep(self, name, wanted, ours=False):
        """Remember a path that is about to become `wanted`. Save the record after this and before `change`.

        `ours`: nobody else has a file there; what is there without a record was left by a run whose record is lost.
        """
        # Before there is a record of it: nothing would have to be put back.
        entry = self.files.get(name)
        now = self.now(name)
        if wanted is not None and wanted["kind"] == "file":
            refuse_what_is_no_file(
                self.path(name), now is not None and now["kind"] == "file" and entry is None and not ours
            )
        if entry is None:
            self.files[name] = {"original": None if ours else now, "written": digest_of(wanted)}
        elif _is_foreign(entry, now):
            # What was there first is no longer what to go back to.
            self.files[name] = {"original": LOST, "written": digest_of(wanted)}
        else:
            entry["written"] = digest_of(wanted)
        for folder in _missing_folders(name, self.path):
            if wanted is not None and folder not in self.made:
                self.made.append(folder)

    def keep_made(self, name):
        """Remember a folder that others will write to; what has to be made of it goes again where it is empty by then."""
        missing = _missing_folders(name + "/.", self.path)
        self.made += [folder for folder in missing if folder not in self.made]

    def make_folder(self, name):
        """Make such a folder. Save the record before this."""
        ForeignFolder(self.path(name), make=True).close()

    def change(self, name, wanted):
        """Make a path what is wanted. A folder that this leaves empty stays, unless remove_folder() is told of it."""
        if wanted is not None:
            make_dirs(os.path.dirname(self.path(name)))
        put(self.path(name), wanted)

    def keep_folder(self, name):
        """Remember a folder that may go; it comes back with the first file of it that is restored. Save the record before remove_folder()."""
        try:
            self.removed.setdefault(name, os.stat(self.path(name)).st_mode & 0o7777)
        except OSError:
            pass

    def remove_folder(self, name):
        """Remove a folder if nothing is left in it."""
        try:
            os.rmdir(self.path(name))
        except OSError:
            if os.path.isdir(self.path(name)):
                self.removed.pop(name, None)
            return False
        return True

    def restorable(self):
        """{path: original image} of what can be put back, and the list of paths that somebody has changed since."""
        back, foreign = {}, []
        for name, entry in self.files.items():
            if entry["original"] == LOST or _is_foreign(entry, self.now(name)):
                foreign.append(name)
            else:
                back[name] = entry["original"]
        return back, sorted(foreign)

    def restore(self):
        """Put back what can be, and the folders with it; the record is empty afterwards."""
        back = self.restorable()[0]
        # What works comes before what goes, and what starts something goes before what it starts.
        for name in sorted(back, key=lambda name: (back[name] is None, name.startswith(STATE_DIR), name)):
            self.put_back(name, back[name])
        self.forget()

    def put_back(self, name, image):
        """Make a path what it was, in its folder as that was."""
        folder = os.path.dirname(name)
        if image is not None:
            make_dirs(self.path(folder))
            # Made by us, now or by a run that was killed here.
            if folder in self.removed and not os.listdir(self.path(folder)):
                os.chmod(self.path(folder), self.removed[folder])
        put(self.path(name), image)

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


def is_path(value):
    return is_text(value) and value.startswith("/") and "\0" not in value


def _is_foreign(entry, now):
    """Has somebody changed what we left? A run that was killed may not have come so far, or may have put it back already."""
    original = entry["original"]
    return digest_of(now) not in (entry["written"], "" if original == LOST else digest_of(original))


def _is_entry(entry):
    if not (isinstance(entry, dict) and is_text(entry.get("written")) and "original" in entry):
        return False
    return entry["original"] is None or entry["original"] == LOST or is_image(entry["original"])


def _missing_folders(name, path):
    missing = []
    folder = os.path.dirname(name)
    while len(folder) > 1 and not os.path.isdir(path(folder)):
        missing.append(folder)
        folder = os.path.dirname(folder)
    return missing
