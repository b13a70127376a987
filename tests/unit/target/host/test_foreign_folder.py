# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of somebody else: whatever its owner puts there, root writes nowhere but into it. The tests run as root, and give folders away."""

from __future__ import absolute_import, division, print_function

import os
import stat

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.foreign_folder import ForeignFolder
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError

SOMEBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of somebody else")


def theirs(tmpdir, name="theirs"):
    folder = tmpdir.join(name).ensure(dir=True)
    os.chown(str(folder), SOMEBODY, SOMEBODY)
    return folder


def write(folder, text="ours\n", mode=0o644):
    with ForeignFolder(str(folder)) as opened:
        opened.write("metrics", text, mode)


def plant(path, kind, victim):
    if kind == "link":
        os.symlink(victim, path)
    elif kind == "dangling":
        os.symlink(victim + ".new", path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        os.mkdir(path)
    elif kind == "device":
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 7))


@needs_root
@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_a_file_of_ours_in_a_folder_of_theirs(tmpdir, umask):
    folder = theirs(tmpdir)
    old = os.umask(umask)
    try:
        write(folder)
        write(folder, "more\n")
    finally:
        os.umask(old)
    found = os.stat(str(folder.join("metrics")))
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o644)
    assert folder.join("metrics").read() == "more\n" and os.listdir(str(folder)) == ["metrics"]


@needs_root
@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder", "device"])
def test_what_is_planted_in_place_of_the_file(tmpdir, kind):
    folder, victim = theirs(tmpdir), tmpdir.join("victim")
    victim.write("untouched")
    plant(str(folder.join("metrics")), kind, str(victim))
    before = os.lstat(str(folder.join("metrics")))
    with pytest.raises(TargetError) as caught:
        write(folder)
    assert caught.value.code == "not_a_file" and caught.value.remedy
    after = os.lstat(str(folder.join("metrics")))
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert victim.read() == "untouched" and sorted(os.listdir(str(tmpdir))) == ["theirs", "victim"]
    assert os.listdir(str(folder)) == ["metrics"]


@needs_root
def test_another_name_of_a_file_elsewhere_is_taken_away_and_not_written_to(tmpdir):
    folder, victim = theirs(tmpdir), tmpdir.join("victim")
    victim.write("untouched")
    os.link(str(victim), str(folder.join("metrics")))
    write(folder)
    assert victim.read() == "untouched" and folder.join("metrics").read() == "ours\n"


@needs_root
@pytest.mark.parametrize("target", ["/", "../real", "."])
def test_links_on_the_way_that_their_owner_can_have_made(tmpdir, target):
    tmpdir.join("real", "inner").ensure(dir=True)
    folder = theirs(tmpdir)
    os.symlink(target if target != "/" else str(tmpdir.join("real")), str(folder.join("way")))
    with pytest.raises(TargetError) as caught:
        write(folder.join("way", "inner"))
    assert caught.value.code == "unsafe_folder"
    with pytest.raises(TargetError):
        write(folder.join("way"))
    with pytest.raises(TargetError):
        ForeignFolder(str(folder.join("way", "made")), make=True)
    assert os.listdir(str(tmpdir.join("real"))) == ["inner"] and os.listdir(str(tmpdir.join("real", "inner"))) == []


@needs_root
def test_links_that_only_root_can_have_made_are_followed(tmpdir):
    folder = theirs(tmpdir)
    for name, target in (("whole", str(folder)), ("part", "theirs"), ("back", "theirs/../theirs")):
        os.symlink(target, str(tmpdir.join(name)))
        write(tmpdir.join(name), name)
        assert folder.join("metrics").read() == name
    os.symlink("loop", str(tmpdir.join("loop")))
    with pytest.raises(TargetError) as caught:
        write(tmpdir.join("loop"))
    assert caught.value.code == "unsafe_folder"
    # A link of root's that leads through a folder of theirs is as good as what they make of it.
    os.symlink(str(tmpdir), str(folder.join("out")))
    os.symlink("theirs/out/theirs", str(tmpdir.join("through")))
    with pytest.raises(TargetError):
        write(tmpdir.join("through"))


@needs_root
def test_a_folder_that_is_put_aside_while_it_is_open(tmpdir):
    folder, victim = theirs(tmpdir), tmpdir.join("victim").ensure(dir=True)
    with ForeignFolder(str(folder)) as opened:
        os.rename(str(folder), str(tmpdir.join("aside")))
        os.symlink(str(victim), str(folder))
        opened.write("metrics", "ours\n", 0o644)
        opened.remove("nothing")
    assert os.listdir(str(victim)) == [] and tmpdir.join("aside", "metrics").read() == "ours\n"


@pytest.mark.parametrize("umask", [0, 0o027, 0o077])
def test_what_is_missing_is_made_for_everybody_to_enter(tmpdir, umask):
    old = os.umask(umask)
    try:
        with ForeignFolder(str(tmpdir.join("a", "b")), make=True) as opened:
            assert opened.made == ["a", "b"]
    finally:
        os.umask(old)
    assert [stat.S_IMODE(os.stat(str(tmpdir.join(name))).st_mode) for name in ("a", "a/b")] == [0o755, 0o755]


def test_what_is_not_there_is_said_by_its_own_path(tmpdir):
    with pytest.raises(EnvironmentError) as caught:
        ForeignFolder(str(tmpdir.join("nowhere", "x")))
    assert caught.value.filename == str(tmpdir.join("nowhere", "x"))
    tmpdir.join("file").write("")
    with pytest.raises(TargetError) as caught:
        ForeignFolder(str(tmpdir.join("file")))
    assert caught.value.code == "unsafe_folder"
