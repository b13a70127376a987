# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left on a host is all of the old or all of the new: whatever fails, and at whatever moment the run is killed."""

from __future__ import absolute_import, division, print_function

import errno
import os
import random
import signal

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host import managed_files
from ansible_collections.realip.toa.plugins.module_utils.host.file_image import file_image, link_image
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    STATE_DIR,
    TargetError,
    read_text,
)
from persistence_samples import Tree

# What changes a file system, or has it keep a change.
EVENTS = ("rename", "unlink", "symlink", "mkdir", "rmdir", "write", "fchmod", "fchown", "chmod", "fsync")
LINKED = "/etc/systemd/system/x.target.wants/realip-toa-x.service"
UNIT = "/etc/systemd/system/realip-toa-x.service"
SCRIPT, SETTINGS = STATE_DIR + "/x/run.sh", STATE_DIR + "/x/settings"
SHARED, RECIPE, IN_FORCE = "/etc/rc.local", "/etc/recipe/toa.modules", "/run/in-force"
METRICS = "/srv/metrics"


@pytest.fixture(autouse=True)
def no_disk(monkeypatch):
    """A kill is no power cut: what was written is there."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


class Left(managed_files.Managed):
    """Something that is in force as its settings say: in the file IN_FORCE, as programs of eBPF are in the kernel."""

    SECTION = "x"
    OWN = (SCRIPT, SETTINGS, UNIT, LINKED)

    def __init__(self, tree):
        managed_files.Managed.__init__(self, "sysvinit", tree.base)
        self.tree = tree
        self.recover(False)

    def in_force(self):
        return read_text(self.tree.path(IN_FORCE)) or ""

    def work(self):
        self.tree.put(IN_FORCE, read_text(self.tree.path(SETTINGS)))

    def rest(self, facts, keeps):
        if not keeps and self.in_force():
            os.unlink(self.tree.path(IN_FORCE))

    def resume(self, facts, instead_of):
        self.work()

    def returned(self, facts, instead_of, names):
        package = self.tree.path("/usr/package")
        if instead_of.get("package") and not facts.get("package") and os.path.exists(package):
            os.unlink(package)

    def present(self, wish):
        def bring():
            self.tree.put("/usr/package", "package")

        def check():
            if self.in_force() != wish["settings"]:
                raise TargetError("not_in_force", "it is not", "look")

        files = dict((name, file_image(text.encode("ascii"), 0o644)) for name, text in wish["files"].items())
        files[LINKED] = link_image(UNIT)
        has = self.facts.get("package") or False
        steps = [Step(run=bring)] if wish["package"] and not has else []
        steps.append(Step(files, folders=(METRICS,), run=self.work, check=check))
        steps.append(Step({RECIPE: None}, empty=("/etc/recipe",)))
        with self.lock():
            self.establish(steps, {"settings": wish["settings"], "package": wish["package"] or has})

    def absent(self):
        with self.lock():
            self.take_away()


Step = managed_files.Step


def wish_of(chance):
    settings = "%d\n" % chance.randrange(1000)
    files = {SETTINGS: settings, UNIT: "[Unit] %d\n" % chance.randrange(3), SCRIPT: "script %d\n" % chance.randrange(3)}
    if chance.random() < 0.7:
        files[SHARED] = "#!/bin/sh\nrun %d\n" % chance.randrange(3)
    return {"files": files, "settings": settings, "package": chance.random() < 0.5}


def dressed(folder, chance):
    """A host, as it is before anything of ours."""
    tree = Tree(folder)
    tree.put("/usr/.keep", "")
    tree.put("/etc/.keep", "")
    if chance.random() < 0.7:
        tree.put(SHARED, "#!/bin/sh\necho mine\n", 0o700)
    if chance.random() < 0.7:
        tree.put(RECIPE, "modprobe toa\n", 0o755)
        os.chmod(tree.path("/etc/recipe"), 0o750)
    return tree


def in_a_child(work, event, end):
    """Run `work` in a process of its own; at the given event, `end` is called. True where it came to its end before that."""
    child = os.fork()
    if not child:
        status = 1
        try:
            left = [event]

            def counting(name, real):
                def called(*args, **more):
                    if left[0] == 0:
                        left[0] -= 1
                        end(name)
                    left[0] -= 1
                    return real(*args, **more)

                return called

            for name in EVENTS:
                setattr(os, name, counting(name, getattr(os, name)))
            try:
                work()
                status = 0 if left[0] >= 0 else 2
            except (TargetError, EnvironmentError):
                status = 3
        finally:
            os._exit(status)
    _pid, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    # 2: it went on in spite of it, as where a folder could not be removed that may stay as well.
    assert os.WEXITSTATUS(status) in (0, 2, 3), "another exception than that of the event"
    return os.WEXITSTATUS(status) == 0


def be_killed(_name):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(_name):
    raise OSError(errno.ENOSPC, "No space left on device", "/somewhere")


def picture(tree):
    """The whole host, but for the lock's folder."""
    return tree.picture()


def every_moment(tmpdir, seed, end):
    """Yields (tree, how it was, how it was before all, the wish), for every third event of a change that `end` hits; each seed has others."""
    event, done = SEEDS.index(seed), False
    while not done:
        chance = random.Random(seed)
        tree = dressed(tmpdir.mkdir("%s-%d" % (seed, event)), chance)
        first = picture(tree)
        if chance.random() < 0.6:
            Left(tree).present(wish_of(chance))
        old, wish = picture(tree), wish_of(chance)
        done = in_a_child(lambda tree=tree, wish=wish: Left(tree).present(wish), event, end)
        yield tree, old, first, wish
        event += len(SEEDS)
    assert event > 20


SEEDS = ["change %d" % number for number in range(3)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_that_is_killed_is_undone_by_the_next(tmpdir, seed):
    new, undone = None, True
    for tree, old, first, wish in every_moment(tmpdir, seed, be_killed):
        left = Left(tree)
        now = picture(tree)
        # Only where nothing was left to be done but to say so, it is the new.
        undone = undone and now == old
        assert undone or now == new
        left.present(wish)
        new = new or picture(tree)
        assert picture(tree) == new, "the next run comes to the same"
        Left(tree).absent()
        assert picture(tree) == first


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_that_is_killed_can_be_followed_by_removal(tmpdir, seed):
    for tree, _old, first, _wish in every_moment(tmpdir, seed, be_killed):
        Left(tree).absent()
        assert picture(tree) == first


@pytest.mark.parametrize("seed", SEEDS)
def test_what_fails_leaves_the_host_as_it_was(tmpdir, seed):
    for tree, old, first, wish in every_moment(tmpdir, seed, fail):
        now = picture(tree)
        assert now == old or Left(tree).in_force() == wish["settings"]
        Left(tree).absent()
        assert picture(tree) == first


@pytest.mark.parametrize("seed", SEEDS)
def test_a_removal_that_is_killed_is_gone_on_with(tmpdir, seed):
    event, done = SEEDS.index(seed), False
    while not done:
        chance = random.Random(seed)
        tree = dressed(tmpdir.mkdir("%s-%d" % (seed, event)), chance)
        first = picture(tree)
        Left(tree).present(wish_of(chance))
        done = in_a_child(lambda tree=tree: Left(tree).absent(), event, be_killed)
        Left(tree).absent()
        assert picture(tree) == first
        event += len(SEEDS)
    assert event > 5


def left_in_the_middle(tree, wish):
    """A run that is killed where everything is written and nothing seen to work."""
    left = Left(tree)
    left.work = lambda: be_killed("")
    left.present(wish)


def test_what_somebody_changed_after_the_kill_is_left(tmpdir):
    """The operator repairs rc.local by hand before the next run: not a byte of that is lost."""
    tree = dressed(tmpdir.mkdir("host"), random.Random("change 0"))
    tree.put(SHARED, "#!/bin/sh\necho mine\n")
    files = {SETTINGS: "1\n", UNIT: "[Unit]\n", SCRIPT: "script\n", SHARED: "#!/bin/sh\nrun\n"}
    wish = {"files": files, "settings": "1\n", "package": False}
    assert in_a_child(lambda: left_in_the_middle(tree, wish), -2, be_killed) is False
    assert tree.read(SHARED) == files[SHARED]
    tree.put(SHARED, "#!/bin/sh\necho repaired\n")
    Left(tree)
    assert tree.read(SHARED) == "#!/bin/sh\necho repaired\n"


@pytest.mark.parametrize(
    "damage", [None, [], {}, {"files": {"etc": None}}, {"files": {"/etc/x": 7}, "written": {"/etc/x": []}}]
)
def test_a_damaged_note_is_none(damage):
    full = {"files": {}, "written": {}, "record": {}, "old": {}, "new": {}}
    assert managed_files._begun(full)
    assert managed_files._begun(dict(full, **damage) if damage else damage) is None
