# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a host: one run at a time, and nobody but root holds it or plants it."""

from __future__ import absolute_import, division, print_function

import fcntl
import os
import subprocess
import sys

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.lock import LOCK_FILE, HostLock


def lock_of(tmpdir):
    """A lock in a folder of its own, as on a host."""
    if not tmpdir.join("own").check():
        os.mkdir(str(tmpdir.join("own")), 0o700)
    return str(tmpdir.join("own", "lock"))


def test_second_run_is_refused_and_told_who_holds_the_lock(tmpdir, monkeypatch):
    monkeypatch.setattr(HostLock, "TIME_LIMIT", 0.3)
    path = lock_of(tmpdir)
    with HostLock(path):
        with pytest.raises(TargetError) as problem:
            with HostLock(path):
                raise AssertionError("two runs at once")
        assert problem.value.code == "host_locked"
        assert "pid %d" % os.getpid() in problem.value.message
        assert problem.value.remedy
    with HostLock(path):
        pass


def test_what_a_dead_controller_has_begun_is_waited_for(tmpdir):
    path = lock_of(tmpdir)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, os, time; f = open(%r, 'a+'); fcntl.flock(f, fcntl.LOCK_EX); os.write(1, b'held'); time.sleep(0.5)"
            % path,
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.read(4) == b"held"
    with HostLock(path):
        assert holder.wait() == 0
    holder.stdout.close()


def test_lock_of_a_run_that_died_is_free(tmpdir, monkeypatch):
    monkeypatch.setattr(HostLock, "TIME_LIMIT", 0)
    path = lock_of(tmpdir)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, os, time; f = open(%r, 'a+'); fcntl.flock(f, fcntl.LOCK_EX); os.write(1, b'held'); time.sleep(600)"
            % path,
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.read(4) == b"held"
    with pytest.raises(TargetError):
        HostLock(path).__enter__()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with HostLock(path):
        pass


def test_lock_is_let_go_when_the_work_fails(tmpdir):
    path = lock_of(tmpdir)
    with pytest.raises(ValueError):
        with HostLock(path):
            raise ValueError()
    with HostLock(path):
        pass


def nobody_can_lock(path):
    """Whether a user without rights gets no hold of the lock; asked by a child, which gives up root for good."""
    child = os.fork()
    if not child:
        try:
            os.setgid(65534)
            os.setuid(65534)
            fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (IOError, OSError):
            os._exit(0)
        os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def everybody_may_enter(folder):
    while folder != "/":
        os.chmod(folder, os.stat(folder).st_mode | 0o011)
        folder = os.path.dirname(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_no_other_user_holds_the_lock(tmpdir):
    everybody_may_enter(str(tmpdir))
    path = lock_of(tmpdir)
    with HostLock(path):
        pass
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert nobody_can_lock(path)
    os.chmod(os.path.dirname(path), 0o711)
    assert nobody_can_lock(path)  # by its own mode, too
    os.chmod(path, 0o644)
    assert not nobody_can_lock(path)  # what is asked here is the mode, and nothing on the way there
    os.chmod(os.path.dirname(path), 0o700)
    with HostLock(path):
        pass
    assert os.stat(path).st_mode & 0o777 == 0o600 and nobody_can_lock(path)


@pytest.mark.parametrize("kind", ["link", "owner", "pipe"])
def test_lock_that_somebody_planted_is_refused(tmpdir, kind):
    path, other = lock_of(tmpdir), tmpdir.join("other")
    other.write("untouched")
    if kind == "link":
        os.symlink(str(other), path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif os.geteuid() == 0:
        open(path, "w").close()
        os.chown(path, 65534, 65534)
    else:
        pytest.skip("only root can give a file away")
    with pytest.raises(TargetError) as problem:
        HostLock(path).__enter__()
    assert problem.value.code == "lock_not_ours" and path in problem.value.message
    assert other.read() == "untouched"


@pytest.mark.parametrize("kind", ["link", "owner", "open", "file"])
def test_folder_of_the_lock_that_somebody_planted_is_refused(tmpdir, kind):
    folder, other = str(tmpdir.join("own")), str(tmpdir.mkdir("other"))
    if kind == "link":
        os.symlink(other, folder)
    elif kind == "open":
        os.mkdir(folder)
        os.chmod(folder, 0o777)
    elif kind == "file":
        open(folder, "w").close()
    elif os.geteuid() == 0:
        os.mkdir(folder, 0o700)
        os.chown(folder, 65534, 65534)
    else:
        pytest.skip("only root can give a folder away")
    with pytest.raises(TargetError) as problem:
        HostLock(os.path.join(folder, "lock")).__enter__()
    assert problem.value.code == "unsafe_folder" and folder in problem.value.message
    assert os.listdir(other) == []


@pytest.mark.parametrize("umask", [0, 0o027, 0o077])
@pytest.mark.parametrize("run", ["run", "var/run"])
def test_lock_of_a_whole_host(tmpdir, run, umask):
    tmpdir.join(run).ensure(dir=True)
    old = os.umask(umask)
    try:
        with HostLock(str(tmpdir) + LOCK_FILE):
            pass
    finally:
        os.umask(old)
    folder = str(tmpdir.join(run, "realip-toa"))
    assert os.stat(folder).st_mode & 0o777 == 0o700 and os.listdir(folder) == ["lock"]
