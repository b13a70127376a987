# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our programs leave on a host, in one order for all of them: record, write, run, start, verify; and back in the other direction.

Who leaves something says what it wants, as steps: files, what makes them work, units for the init to start, a check that has to pass. While a change is
under way the record has under `begun` how everything was before. What fails is undone at once; where the run is killed, the next one
undoes it before it does anything else (`recover`). So there is all of the old or all of the new, and never something that nobody has seen to work.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os

from ansible_collections.realip.toa.plugins.module_utils.host.running import in_image
from ansible_collections.realip.toa.plugins.module_utils.host.by_init import start_by_init
from ansible_collections.realip.toa.plugins.module_utils.host.file_image import digest_of, is_image
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    STATE_DIR,
    TargetError,
    list_dir,
    run,
)
from ansible_collections.realip.toa.plugins.module_utils.host.writing import (
    remove_empty,
    remove_file,
    restore_labels,
)
from ansible_collections.realip.toa.plugins.module_utils.host.lock import LOCK_FILE, HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.originals import Originals, is_path
from ansible_collections.realip.toa.plugins.module_utils.host.state import STATE_FILE, save_section, section
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under

UNITS = "/etc/systemd/system/"
_OF_FILES = ("files", "made", "removed", "begun")


class Step:
    """Part of a change. `files`: {path: image}; `folders`: to be there for others to write to; `empty`: to go where that leaves nothing in them;
    `run` makes it work, `units` are (unit, words of a denial) for systemd to start, and `check` raises TargetError where it does not work."""

    def __init__(self, files=None, folders=(), empty=(), run=None, units=(), check=None):
        self.files = files or {}
        self.folders = folders
        self.empty = empty
        self.run = run
        self.units = units
        self.check = check


class Managed:
    """What one program leaves on a host. `facts` is what the record says beside the files, `notes` what the operator is told."""

    SECTION = ""
    # Names that are ours alone: what is there without a record is a leftover of ours.
    OWN = ()
    # Units that would put back what is taken away.
    WATCHES = ()

    def __init__(self, init, root="/"):
        self.init = init
        self.root = root
        self.state_file = under(root, STATE_FILE)
        self.notes = []
        self.recovered = False
        self._look()

    def _look(self):
        record = section(self.SECTION, self.state_file)
        self.originals = Originals(record, self.root)
        self.facts = dict((key, value) for key, value in record.items() if key not in _OF_FILES)
        self.begun = _begun(record.get("begun"))

    # -- what differs from one program to another --------------------------------------------------------------------------

    def works(self):
        """Does it work as it is, before a change? Then it does so again when that is undone."""
        return bool(self.facts)

    def rest(self, facts, keeps):
        """End what is in force by `facts`, before the files go. `keeps`: the facts that hold from then on, {} where nothing of it stays."""

    def resume(self, facts, instead_of):
        """The files of before are there again: have them work as they did."""

    def returned(self, facts, instead_of, names):
        """The files of these names are as they were before the change to `instead_of`: what else came with that goes."""

    def without_ours(self, name):
        """The image of a file that somebody has changed since, without what is ours."""
        return None

    # -- the order -----------------------------------------------------------------------------------------------------------

    def lock(self):
        return HostLock(LOCK_FILE if self.root == "/" else under(self.root, LOCK_FILE))

    def save(self):
        record = self.originals.record()
        if record:
            record.update(self.facts)
        if self.begun:
            record["begun"] = self.begun
        save_section(self.SECTION, record, self.state_file)

    def left(self):
        """Our own files that are there, recorded or not."""
        return [name for name in self.OWN if self.originals.now(name) is not None]

    def differing(self, files):
        """Those of {path: image} that have to be written."""
        return dict(
            (name, image)
            for name, image in files.items()
            if digest_of(self.originals.now(name)) != digest_of(image)
            or (name in self.OWN and name not in self.originals.files)
        )

    def recover(self, check):
        """Undo what a run of before had begun when it was killed."""
        folder = os.path.dirname(self.state_file)
        if check or not (self.begun or _litter(folder) or _is_empty(folder)):
            return
        with self.lock():
            # It may have been at work still, and have ended well by now.
            self._look()
            _sweep(folder)
            if self.begun:
                for name in self.begun["files"]:
                    _sweep(os.path.dirname(self.originals.path(name)))
                self._undo()
                self.recovered = True
                self.notes.append("an earlier run ended in the middle of its changes: they are undone")
        remove_empty(folder)

    def establish(self, steps, facts):
        """Have all of this, or the host as it was. Under the lock."""
        wanted = {}
        for step in steps:
            wanted.update(step.files)
        stale = [name for name in self.left() if name not in wanted]
        if stale:
            steps = steps + [Step(files=dict.fromkeys(stale))]
            wanted.update(steps[-1].files)
        wanted = self.differing(wanted)
        begun = self.begun = {
            "files": dict((name, self.originals.now(name)) for name in wanted),
            "written": dict((name, [digest_of(image)]) for name, image in wanted.items()),
            "record": self.originals.copy_of_record(),
            "old": json.loads(json.dumps(self.facts)),
            "new": facts,
            "worked": bool(self.works()),
        }
        try:
            self.save()
            for step in steps:
                self._take(step)
            self.begun, self.facts = None, facts
            self.save()
        except BaseException:
            self.begun, self.facts = begun, begun["old"]
            self._undo()
            raise

    def _take(self, step):
        changes = self.differing(step.files)
        if changes:
            self.put(changes)
        self._take_folders(step)
        self.tell_daemons(changes)
        if step.run:
            step.run()
        if self.init == "systemd" and self.root == "/":
            for unit, words in step.units:
                start_by_init(unit, words)
        if step.check:
            step.check()

    def _take_folders(self, step):
        for name in step.folders:
            self.originals.keep_made(name)
        for name in step.empty:
            self.originals.keep_folder(name)
        if step.folders or step.empty:
            self.save()
        for name in step.folders:
            self.originals.make_folder(name)
        for name in step.empty:
            if self.originals.remove_folder(name):
                self.notes.append("%s was empty after that, and is removed" % name)
        if step.empty:
            self.save()

    def put(self, changes):
        """Record first, then change."""
        for name, image in sorted(changes.items()):
            self.originals.keep(name, image, name in self.OWN)
            if self.begun:
                self.begun["files"].setdefault(name, self.originals.now(name))
                self.begun["written"].setdefault(name, []).append(digest_of(image))
        self.save()
        for name in sorted(changes, key=lambda name: _place(name, changes[name])):
            self.originals.change(name, changes[name])

    def _undo(self):
        begun = self.begun
        old, new, files = begun["old"], begun["new"], begun["files"]
        fresh = [unit for unit in self.WATCHES if UNITS + unit in files and files[UNITS + unit] is None]
        self._systemctl("stop", fresh)
        _quietly(lambda: self.rest(new, old if begun["worked"] else {}))
        foreign = {}
        for name in sorted(files, key=lambda name: _place(name, files[name]), reverse=True):
            now = digest_of(self.originals.now(name))
            if now in begun["written"].get(name, ()):
                self.originals.put_back(name, files[name])
            elif now != digest_of(files[name]) and name in self.originals.files:
                foreign[name] = self.originals.files[name]
        self.tell_daemons(files)
        if begun["worked"]:
            _quietly(lambda: self.resume(old, new))
            self._systemctl("reload-or-restart", [unit for unit in self.WATCHES if files.get(UNITS + unit)])
        _quietly(lambda: self.returned(old, new, list(files)))
        self.originals.return_to(begun["record"])
        self.originals.files.update(foreign)
        self.begun, self.facts = None, old
        self.save()

    def take_away(self, wanted=None):
        """All of it goes, and what was there before comes back. Under the lock; the next run goes on where one is killed.

        `wanted`: images of files that are not to become what they were, as somebody has changed them since.
        """
        self._systemctl("stop", [unit for unit in self.WATCHES if self.originals.now(UNITS + unit)])
        for folder in set(os.path.dirname(name) for name in self.originals.files):
            _sweep(self.originals.path(folder))
        self.rest(self.facts, {})
        back, foreign = self.originals.restorable()
        changes = dict.fromkeys(list(self.originals.files) + list(wanted or ()))
        for name in sorted(set(foreign).union(wanted or ())):
            if name not in back:
                image = wanted[name] if name in (wanted or ()) else self.without_ours(name)
                self.originals.change(name, image)
        self.originals.restore()
        for name in self.left():
            self.originals.change(name, None)
        for folder in set(os.path.dirname(name) for name in self.OWN if name.startswith(STATE_DIR)):
            remove_empty(self.originals.path(folder))
        self.tell_daemons(changes)
        facts, self.facts = self.facts, {}
        self.returned({}, facts, list(changes))
        self.save()

    def tell_daemons(self, changes):
        """systemd reads changed units again, and SELinux gives new files the label of their place. `changes`: {path: image}."""
        if self.root != "/":
            return
        if self.init == "systemd" and not in_image() and [name for name in changes if name.startswith(UNITS)]:
            run(["systemctl", "daemon-reload"], timeout=60)
        restore_labels([name for name in changes if self.originals.now(name) is not None])

    def _systemctl(self, verb, units):
        if self.init == "systemd" and self.root == "/":
            for unit in reversed(units):
                self.systemctl(verb, unit)

    def systemctl(self, verb, unit):
        """What systemd says against it is told, and no error."""
        if in_image():
            return
        code, out, err = run(["systemctl", verb, unit], timeout=60)
        if code != 0:
            self.notes.append("systemctl %s %s: %s" % (verb, unit, " ".join((err or out).split())[:300]))

    def answer(self, result):
        """A result of main(), with what is told, and with what was undone."""
        return dict(result, notes=self.notes, changed=bool(result["changed"] or self.recovered or self.begun))


def _place(name, image):
    """Scripts before the units that run them, units before the links that enable them, and what goes last of all."""
    return image is None, image is not None and image["kind"] == "link", not name.startswith(STATE_DIR), name


def _litter(folder):
    """What a run that was killed was just writing."""
    return [name for name in list_dir(folder) if name.startswith(".realip-toa-")]


def _is_empty(folder):
    return os.path.isdir(folder) and not os.listdir(folder)


def _sweep(folder):
    for name in _litter(folder):
        remove_file(os.path.join(folder, name))


def _quietly(work):
    """What failed first is what the operator is told."""
    try:
        work()
    except (TargetError, EnvironmentError):
        pass


def _begun(value):
    """What a killed run has left; None where that is damaged, for it would become damaged files."""
    if not isinstance(value, dict):
        return None
    parts = [value.get(key) for key in ("files", "written", "record", "old", "new")]
    if [part for part in parts if not isinstance(part, dict)]:
        return None
    files, written = parts[:2]
    if [image for image in files.values() if not (image is None or is_image(image))]:
        return None
    if [name for name in files if not is_path(name) or not isinstance(written.get(name), list)]:
        return None
    return dict(value, worked=bool(value.get("worked")))
