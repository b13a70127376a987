# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders in which root builds: whatever a local user may have put there first is refused. The tests run as root, and give folders away."""

from __future__ import absolute_import, division, print_function

import os
import stat

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host import own_folder as folders
from ansible_collections.realip.toa.plugins.module_utils.building.stepwise import Build
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError

SOMEBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of somebody else")


def mode(path):
    return stat.S_IMODE(os.lstat(str(path)).st_mode)


def refused(path, code="unsafe_folder"):
    with pytest.raises(TargetError) as caught:
        folders.own_folder(str(path))
    assert caught.value.code == code and caught.value.remedy
    return caught.value.message


def test_what_is_made_is_ours_alone_whatever_the_umask(tmpdir):
    path = tmpdir.join("a/b/c")
    for umask in (0o000, 0o077):
        old = os.umask(umask)
        try:
            assert folders.own_folder(str(path)) == str(path)
        finally:
            os.umask(old)
        assert (mode(path), mode(tmpdir.join("a"))) == (0o700, 0o755)
        tmpdir.join("a").remove()
    folders.own_folder(str(path))
    assert folders.own_folder(str(path)) == str(path)


def test_nothing_is_made_where_everybody_may_write(tmpdir):
    tmpdir.join("tmp").mkdir()
    os.chmod(str(tmpdir.join("tmp")), 0o1777)
    assert "others may write" in refused(tmpdir.join("tmp/realip-toa-kernel"))
    assert "others may write" in refused(tmpdir.join("tmp/realip-toa-kernel/0123456789abcdef"))
    assert os.listdir(str(tmpdir.join("tmp"))) == []
    # What root itself has made there, nobody can replace.
    tmpdir.join("tmp/mine").mkdir()
    folders.own_folder(str(tmpdir.join("tmp/mine/build")))


def test_a_folder_that_others_may_change(tmpdir):
    tmpdir.join("open").mkdir().join("inner").mkdir()
    for bits in (0o777, 0o757):
        os.chmod(str(tmpdir.join("open")), bits)
        assert str(tmpdir.join("open")) in refused(tmpdir.join("open/inner"))
    os.chmod(str(tmpdir.join("open")), 0o755)
    for bits in (0o755, 0o770, 0o701):
        os.chmod(str(tmpdir.join("open/inner")), bits)
        assert "others may enter it" in refused(tmpdir.join("open/inner"))
    os.chmod(str(tmpdir.join("open/inner")), 0o700)
    folders.own_folder(str(tmpdir.join("open/inner")))


@needs_root
def test_a_folder_of_somebody_else_at_any_depth(tmpdir):
    path = tmpdir.join("a/b/c").ensure(dir=True)
    os.chmod(str(path), 0o700)
    for part in ("a", "a/b", "a/b/c"):
        os.chown(str(tmpdir.join(part)), SOMEBODY, SOMEBODY)
        assert "belongs to user %d" % SOMEBODY in refused(path)
        os.chown(str(tmpdir.join(part)), 0, 0)
    os.chown(str(tmpdir.join("a")), 0, SOMEBODY)
    os.chmod(str(tmpdir.join("a")), 0o775)
    assert "others may write" in refused(path)


def test_links_and_files_at_any_depth(tmpdir):
    tmpdir.join("real/b").ensure(dir=True)
    tmpdir.join("a").mksymlinkto(tmpdir.join("real"))
    assert "a link" in refused(tmpdir.join("a/b/c")) and "a link" in refused(tmpdir.join("a"))
    tmpdir.join("dangling").mksymlinkto(tmpdir.join("nowhere"))
    assert "a link" in refused(tmpdir.join("dangling"))
    tmpdir.join("file").write("x")
    assert "something else" in refused(tmpdir.join("file")) and "something else" in refused(tmpdir.join("file/c"))
    assert not tmpdir.join("nowhere").check() and tmpdir.join("real/b").listdir() == []


def test_paths_that_say_something_else_than_they_seem(tmpdir):
    for path in ("build", str(tmpdir) + "/a/../b", str(tmpdir) + "/./a", ""):
        refused(path, "bad_option")


class Nothing(Build):
    def plan(self):
        return [("1 nothing", lambda: None)]


def request(work):
    return {"format": "rpm", "source": {"url": "x"}, "arch": "x86_64", "work": str(work)}


def test_by_default_a_build_is_among_our_own_files():
    assert Nothing(dict(request(""), work=None)).folder.startswith("/var/lib/realip-toa/build/")


@needs_root
def test_what_a_user_has_planted_is_neither_gone_on_with_nor_believed(tmpdir):
    """The name of the folder follows from the request, so that everybody can make it first, with all steps done."""
    planted = Nothing(request(tmpdir.join("work"))).folder
    os.makedirs(planted, 0o700)
    tmpdir.join(os.path.relpath(planted, str(tmpdir)), "done").write("1 nothing\n")
    os.chown(planted, SOMEBODY, SOMEBODY)
    with pytest.raises(TargetError) as caught:
        Nothing(request(tmpdir.join("work")))
    assert caught.value.code == "unsafe_folder"
    os.chown(planted, 0, 0)
    build = Nothing(request(tmpdir.join("work")))
    os.chown(planted, SOMEBODY, SOMEBODY)
    with pytest.raises(TargetError) as caught:
        build.advance()
    assert caught.value.code == "unsafe_folder"
