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
import subprocess
import time

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host import io as hostio
from ansible_collections.realip.toa.plugins.module_utils.host import writing
from ansible_collections.realip.toa.plugins.module_utils.host.attributes import attributes_of, give_attributes
from ansible_collections.realip.toa.plugins.module_utils.host.file_image import file_image, runnable
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, run
from ansible_collections.realip.toa.plugins.module_utils.host.writing import write_atomic
from ansible_collections.realip.toa.plugins.module_utils.host.originals import Originals

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


def test_daemon_left_behind_may_go_on_talking(tmpdir):
    """To nobody: one that its broken pipe kills is a service that a package has started, and that is down."""
    alive = tmpdir.join("alive")
    go_on = tmpdir.join("go-on")
    script = "(until test -e %s; do sleep 0.05; done; echo a; sleep 0.2; echo b; echo b >&2; touch %s) & echo done"
    assert run(["sh", "-c", script % (go_on, alive)]) == (0, "done\n", "")
    go_on.write("")
    wait_until(alive.exists)


def test_daemon_that_never_stops_talking_does_not_keep_us_waiting(tmpdir):
    pid_file = tmpdir.join("pid")
    rc, out, err = run(["sh", "-c", "yes & echo $! >%s" % pid_file], timeout=60)
    os.kill(int(pid_file.read()), signal.SIGKILL)
    assert rc == 0 and not err


def test_command_that_talks_past_its_time_is_killed():
    assert run(["yes"], timeout=0.3)[0] == 124


def test_command_that_reads_little_of_much():
    assert run(["head", "-c", "3"], stdin="abc" * 1000000) == (0, "abc", "")
    assert len(run(["cat"], stdin="abc" * 1000000)[1]) == 3000000


def test_command_is_talked_to_through_pipes():
    """SELinux gives those that it confines nothing in place of a file of ours, without a word."""
    assert run(["sh", "-c", "for n in 0 1 2; do test -p /dev/fd/$n || exit $n; done"], stdin="x")[0] == 0
    assert run(["sh", "-c", "test -c /dev/fd/0"])[0] == 0


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
    assert writing.remove_file(str(path)) is True
    assert writing.remove_file(str(path)) is False
    with pytest.raises(OSError):
        writing.remove_file(str(tmpdir))


def test_making_folders_says_whether_one_was_made(tmpdir):
    path = str(tmpdir.join("a", "b"))
    assert writing.make_dirs(path) is True
    assert writing.make_dirs(path) is False
    with pytest.raises(OSError):
        tmpdir.join("file").write("")
        writing.make_dirs(str(tmpdir.join("file", "c")))


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


# ---- what a file keeps that is written anew


def attributes(path):
    return dict((name, value) for name, value in attributes_of(path).items() if name.startswith(b"user."))


@pytest.fixture
def with_attributes(tmpdir):
    """A file with an attribute, on a file system that can have some."""
    path = tmpdir.join("file")
    path.write("old")
    if give_attributes(str(path), {b"user.note": b"a\0b"}):
        pytest.skip("this file system keeps no attributes")
    return path


def test_attributes_are_kept(with_attributes):
    writing.write_atomic(str(with_attributes), "new")
    assert with_attributes.read() == "new" and attributes(str(with_attributes)) == {b"user.note": b"a\0b"}


@pytest.mark.skipif(not hostio.which("setfacl"), reason="setfacl is not on this machine")
def test_an_acl_is_kept(with_attributes):
    path = str(with_attributes)
    os.chmod(path, 0o640)
    if subprocess.call(["setfacl", "-m", "u:65534:r", path]) != 0:
        pytest.skip("this file system keeps no ACL")
    before = subprocess.check_output(["getfacl", "-np", path])
    writing.write_atomic(path, "new")
    assert subprocess.check_output(["getfacl", "-np", path]) == before and b"65534" in before


def test_a_file_whose_attributes_would_be_lost_is_left_alone(with_attributes, monkeypatch):
    monkeypatch.setattr(writing, "give_attributes", lambda path, wanted: sorted(wanted) and ["user.note"])
    with pytest.raises(TargetError) as problem:
        writing.write_atomic(str(with_attributes), "new")
    assert problem.value.code == "attributes_lost" and "user.note" in problem.value.message
    assert with_attributes.read() == "old" and os.listdir(with_attributes.dirname) == ["file"]


def test_a_file_with_another_name_is_left_alone_where_it_is_not_ours(tmpdir):
    path, other = tmpdir.join("file"), tmpdir.join("other")
    path.write("old")
    os.link(str(path), str(other))
    with pytest.raises(TargetError) as problem:
        writing.write_atomic(str(path), "new")
    assert problem.value.code == "hard_linked" and str(path) in problem.value.remedy
    assert path.read() == other.read() == "old"
    # Of a file of ours somebody may have kept the old text; that does not keep us from writing it.
    writing.write_own(str(path), "new")
    assert (path.read(), other.read()) == ("new", "old")


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder"])
def test_nothing_is_written_through_what_stands_in_place_of_a_file_of_ours(tmpdir, kind):
    path, victim = tmpdir.join("file"), tmpdir.join("victim")
    victim.write("untouched")
    if kind == "pipe":
        os.mkfifo(str(path))
    elif kind == "folder":
        path.mkdir()
    else:
        os.symlink(str(victim) + ("" if kind == "link" else ".new"), str(path))
    with pytest.raises(TargetError) as problem:
        writing.write_own(str(path), "ours")
    assert problem.value.code == "not_a_file" and str(path) in problem.value.message
    assert victim.read() == "untouched" and sorted(os.listdir(str(tmpdir))) == ["file", "victim"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_ours_does_not_stay_somebody_elses(tmpdir):
    path = tmpdir.join("file")
    path.write("theirs")
    os.chown(str(path), 65534, 65534)
    os.chmod(str(path), 0o666)
    writing.write_own(str(path), "ours")
    found = os.stat(str(path))
    assert (found.st_uid, found.st_mode & 0o7777) == (0, 0o644)


@pytest.mark.parametrize("umask", [0, 0o027, 0o077])
def test_modes_do_not_follow_the_umask(tmpdir, umask):
    old = os.umask(umask)
    try:
        writing.make_dirs(str(tmpdir.join("a/b")))
        writing.make_dirs(str(tmpdir.join("c")), 0o700)
        writing.write_own(str(tmpdir.join("own")), "x")
        writing.write_atomic(str(tmpdir.join("shared")), "x")
    finally:
        os.umask(old)
    modes = [os.stat(str(tmpdir.join(name))).st_mode & 0o7777 for name in ("a", "a/b", "c", "own", "shared")]
    assert modes == [0o755, 0o755, 0o700, 0o644, 0o644]


@pytest.mark.parametrize("kind", ["pipe", "zero", "folder", "nothing"])
def test_reading_does_not_wait_for_what_is_no_file(tmpdir, kind):
    path = tmpdir.join("file")
    if kind == "pipe":
        os.mkfifo(str(path))
    elif kind == "zero":
        os.symlink("/dev/zero", str(path))
    elif kind == "folder":
        path.mkdir()
    assert hostio.read_bytes(str(path)) is None
