# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python a timer of root's runs: never one that somebody else can change. The tests run as root, and give folders away."""

from __future__ import absolute_import, division, print_function

import os
import sys

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host import interpreter
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.own_folder import who_else

SOMEBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of somebody else")


def python_in(tmpdir, owner=0, mode=0o755):
    """A virtual environment, as far as its interpreter goes."""
    folder = tmpdir.join("home", "venv", "bin").ensure(dir=True)
    path = folder.join("python3")
    path.mksymlinkto(os.path.realpath(sys.executable))
    os.chown(str(tmpdir.join("home")), owner, owner)
    os.chmod(str(tmpdir.join("home")), mode)
    return str(path)


@needs_root
@pytest.mark.parametrize("owner, mode", [(SOMEBODY, 0o755), (0, 0o777), (0, 0o757)])
def test_one_in_somebodys_home_is_not_taken(tmpdir, monkeypatch, owner, mode):
    theirs = python_in(tmpdir, owner, mode)
    monkeypatch.setattr(sys, "executable", theirs)
    assert who_else(theirs)
    assert interpreter.for_root() not in ("", theirs) and not who_else(interpreter.for_root())
    monkeypatch.setattr(interpreter, "_NAMES", ())
    monkeypatch.setattr(interpreter, "_PLATFORM", str(tmpdir.join("none")))
    with pytest.raises(TargetError) as caught:
        interpreter.for_root()
    assert caught.value.code == "unsafe_interpreter" and theirs in caught.value.message


@needs_root
def test_a_link_of_roots_to_one_of_theirs_is_not_taken(tmpdir):
    theirs = python_in(tmpdir, SOMEBODY)
    link = tmpdir.join("python")
    link.mksymlinkto(theirs)
    assert "belongs to user %d" % SOMEBODY in who_else(str(link))
    link = tmpdir.join("relative")
    link.mksymlinkto("home/venv/../venv/bin/python3")
    assert "belongs to user %d" % SOMEBODY in who_else(str(link))


@needs_root
def test_one_whose_modules_are_theirs_is_not_taken(tmpdir):
    ours = tmpdir.join("bin").ensure(dir=True).join("python3")
    library = tmpdir.join("lib").ensure(dir=True)
    ours.write("#!/bin/sh\necho %s\n" % library)
    os.chmod(str(ours), 0o755)
    assert interpreter.problem_of(str(ours)) == ""
    os.chown(str(library), SOMEBODY, 0)
    assert str(library) in interpreter.problem_of(str(ours))
    ours.write("#!/bin/sh\necho %s; exit 1\n" % tmpdir.join("bin"))
    assert "older" in interpreter.problem_of(str(ours))


def test_a_path_that_a_unit_would_read_otherwise(tmpdir):
    for name in ("a b", "a%n", "a\nb", "a;b", "a'b"):
        assert "cannot be written" in interpreter.problem_of(str(tmpdir.join(name)))


def test_the_one_that_runs_us_is_taken_where_it_is_roots(monkeypatch):
    if not who_else(sys.executable):
        assert interpreter.for_root() == sys.executable
    monkeypatch.setattr(sys, "executable", "")
    assert interpreter.for_root()


def test_links_that_go_round(tmpdir):
    os.symlink("loop", str(tmpdir.join("loop")))
    assert "link too many" in who_else(str(tmpdir.join("loop")))
    assert "No such file" in who_else(str(tmpdir.join("nothing")))
