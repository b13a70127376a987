# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""hostio: files, commands, the lock."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os
import signal
import stat
import time

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host import io as hostio
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, run, write_atomic
from ansible_collections.realip.toa.plugins.module_utils.host.managed_files import Originals, file_image, runnable

LATIN = b"caf\xe9"


def mode_of(path):
    return stat.S_IMODE(os.stat(str(path)).st_mode)


def is_running(pid):
    """Whether a process is there and not a zombie that waits for its parent."""
    text = hostio.read_text("/proc/%d/stat" % pid)
    return text is not None and text.rpartition(")")[2].split()[0] != "Z"


def wait_until(condition):
    deadline = time.time() + 20
    while not condition():
        assert time.time() < deadline, "it never happened"
        time.sleep(0.01)


# ---- reading


def test_text_survives_bytes_that_are_not_utf8(tmpdir):
    path = tmpdir.join("file")
    path.write_binary(LATIN + b"\nsecond\n")
    assert hostio.read_text(str(path)) == u"caf\ufffd\nsecond\n"
    assert hostio.read_line(str(path)) == u"caf\ufffd"
    assert hostio.to_text(u"\xe9") == u"\xe9"


def test_reading_stops_at_the_limit(tmpdir):
    path = tmpdir.join("file")
    path.write("0123456789")
    assert hostio.read_text(str(path), 4) == u"0123"


def test_a_high_limit_takes_no_memory(tmpdir):
    path = tmpdir.join("file")
    path.write_binary(b"x" * (3 << 20))
    assert hostio.read_bytes(str(path), 1 << 45) == b"x" * (3 << 20)
    assert hostio.read_bytes(str(path), (2 << 20) + 7) == b"x" * ((2 << 20) + 7)


@pytest.mark.parametrize("name", ["missing", "folder"])
def test_what_cannot_be_read_is_none(tmpdir, name):
    tmpdir.mkdir("folder")
    assert hostio.read_text(str(tmpdir.join(name))) is None
    assert hostio.read_line(str(tmpdir.join(name))) is None


def test_folder_is_listed_in_order(tmpdir):
    for name in ("b", "a", "c"):
        tmpdir.join(name).write("")
    assert hostio.list_dir(str(tmpdir)) == [u"a", u"b", u"c"]
    assert hostio.list_dir(str(tmpdir.join("missing"))) == []
    assert hostio.list_dir(str(tmpdir.join("a"))) == []


# ---- commands


def test_command_answers_with_status_and_both_outputs():
    assert run(["sh", "-c", "echo out; echo err >&2; exit 7"]) == (7, u"out\n", u"err\n")


def test_command_gets_its_input_and_nothing_else():
    assert run(["cat"], stdin=u"caf\xe9")[1] == u"caf\xe9"
    assert run(["cat"], stdin=LATIN)[1] == u"caf\ufffd"
    assert run(["cat"])[1] == u""


def test_command_has_a_known_environment(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TOA_SECRET", "x")
    out = run(["env"], env={"MORE": "1"})[1].splitlines()
    assert "PATH=" + hostio.COMMAND_PATH in out
    assert "LC_ALL=C" in out and "MORE=1" in out
    assert not [line for line in out if line.startswith("TOA_SECRET")]


def test_command_that_is_missing_is_127():
    rc, out, err = run(["/nowhere/command"])
    assert (rc, out) == (127, "")
    assert "/nowhere/command" in err


def test_command_past_its_time_is_killed_with_its_children(tmpdir):
    pids = tmpdir.join("pids")
    started = time.time()
    rc = run(["sh", "-c", "sleep 600 & echo $! $$ >%s; wait" % pids], timeout=0.5)[0]
    assert rc == 124
    assert time.time() - started < 20
    for pid in pids.read().split():
        wait_until(lambda pid=pid: not is_running(int(pid)))


def test_interrupted_wait_leaves_no_child(tmpdir):
    """The time of a whole call is over in the middle of a command: runner.CallTimeout is raised by a signal handler."""
    pids = tmpdir.join("pids")

    class Over(BaseException):
        pass

    def ring(*unused):
        raise Over()

    old = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(Over):
            run(["sh", "-c", "echo $$ >%s; exec sleep 600" % pids])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert not is_running(int(pids.read()))


def test_daemon_left_behind_does_not_keep_us_waiting(tmpdir):
    pid_file = tmpdir.join("pid")
    started = time.time()
    assert run(["sh", "-c", "sleep 600 & echo $! >%s" % pid_file])[0] == 0
    assert time.time() - started < 60
    os.kill(int(pid_file.read()), signal.SIGKILL)


def test_endless_output_is_cut():
    assert len(run(["sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x"])[1]) == 4 << 20


def test_which_knows_only_its_own_path(tmpdir, monkeypatch):
    command = tmpdir.join("toa-command")
    command.write("")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmpdir))
    assert hostio.which("toa-command") is None
    assert hostio.which("sh") in ("/bin/sh", "/usr/bin/sh", "/usr/local/bin/sh")


# ---- writing


def test_new_file_is_readable_by_all(tmpdir):
    path = tmpdir.join("file")
    write_atomic(str(path), u"caf\xe9\n")
    assert path.read_binary() == u"caf\xe9\n".encode("utf-8")
    assert mode_of(path) == 0o644


def test_rewritten_file_keeps_its_mode_or_gets_the_one_asked_for(tmpdir):
    path = tmpdir.join("file")
    path.write("old")
    path.chmod(0o750)
    write_atomic(str(path), "new")
    assert path.read() == "new" and mode_of(path) == 0o750
    write_atomic(str(path), b"bytes", 0o600)
    assert path.read() == "bytes" and mode_of(path) == 0o600


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_rewritten_file_keeps_its_owner(tmpdir):
    path = tmpdir.join("file")
    path.write("old")
    os.chown(str(path), 12, 34)
    write_atomic(str(path), "new")
    assert (os.stat(str(path)).st_uid, os.stat(str(path)).st_gid) == (12, 34)


def test_link_stays_a_link(tmpdir):
    path, link = tmpdir.join("file"), tmpdir.join("link")
    path.write("old")
    link.mksymlinkto(path)
    write_atomic(str(link), "new")
    assert link.islink() and path.read() == "new"


def test_failed_write_leaves_the_old_file_and_nothing_else(tmpdir, monkeypatch):
    path = tmpdir.join("file")
    path.write("old")

    def no_space(unused_handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError):
        write_atomic(str(path), "new")
    assert path.read() == "old"
    assert [item.basename for item in tmpdir.listdir()] == ["file"]


def test_removing_says_whether_there_was_something(tmpdir):
    path = tmpdir.join("file")
    path.write("")
    assert hostio.remove_file(str(path)) is True
    assert hostio.remove_file(str(path)) is False
    with pytest.raises(OSError):
        hostio.remove_file(str(tmpdir))


def test_making_folders_says_whether_one_was_made(tmpdir):
    path = str(tmpdir.join("a", "b"))
    assert hostio.make_dirs(path) is True
    assert hostio.make_dirs(path) is False
    with pytest.raises(OSError):
        tmpdir.join("file").write("")
        hostio.make_dirs(str(tmpdir.join("file", "c")))


def test_refusal_carries_what_is_needed_to_act():
    problem = TargetError("no_space", "no room", "make room", free=3)
    assert (problem.code, problem.message, problem.remedy, problem.data, str(problem)) == (
        "no_space",
        "no room",
        "make room",
        {"free": 3},
        "no room",
    )


# ---- what root does not write over


@pytest.mark.parametrize("mask", ["link", "empty"])
def test_masked_unit_is_a_no(tmpdir, monkeypatch, mask):
    device = tmpdir.join("null")  # in place of the machine's own, which a fault here would cost it
    device.write("untouched")
    monkeypatch.setattr(os, "devnull", str(device))
    unit = str(tmpdir.ensure("etc", "systemd", "system", dir=True).join("realip-toa-x.service"))
    if mask == "link":
        os.symlink(str(device), unit)
    else:
        open(unit, "w").close()
    originals = Originals({}, str(tmpdir))
    name = "/etc/systemd/system/realip-toa-x.service"
    for attempt in (
        lambda: originals.keep(name, file_image(b"[Unit]\n", 0o644)),
        lambda: originals.change(name, file_image(b"[Unit]\n", 0o644)),
    ):
        with pytest.raises(TargetError) as problem:
            attempt()
        assert problem.value.code == "unit_masked" and "realip-toa-x.service" in problem.value.message
    assert originals.record() == {}
    assert os.path.islink(unit) if mask == "link" else os.path.getsize(unit) == 0
    assert device.read() == "untouched"


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_only_a_file_is_replaced_by_a_file(tmpdir, kind):
    path = str(tmpdir.join("there"))
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        os.mkdir(path)
    else:
        os.mkfifo(path + "-itself")
        os.symlink(path + "-itself", path)
    before = os.stat(path)
    with pytest.raises(TargetError) as problem:
        write_atomic(path, "text")
    assert problem.value.code == "not_a_file" and path in problem.value.message
    assert os.stat(path) == before


@pytest.mark.parametrize(
    ("mode", "wanted"), [(0o700, 0o700), (0o600, 0o700), (0o640, 0o750), (0o644, 0o755), (0o755, 0o755), (0, 0o100)]
)
def test_only_x_bits_that_are_missing_are_added(mode, wanted):
    assert runnable(mode) == wanted
