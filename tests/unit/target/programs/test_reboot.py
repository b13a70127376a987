# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""reboot.py with commands that only look like a reboot, started by a process of their own, as on a host."""

from __future__ import absolute_import, division, print_function

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.programs import reboot

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
import conftest
from ansible_collections.realip.toa.plugins.module_utils.programs import reboot
reboot.REFUSAL = sys.argv[3]
print(json.dumps(reboot.main(json.loads(sys.argv[2]))))
"""


def start(args, refusal="/nonexistent/refusal"):
    """A call in a process of its own; (answer, seconds until its output was closed, its pid)."""
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, TESTS, json.dumps(args), str(refusal)], stdout=subprocess.PIPE
    )
    started = time.time()
    answer = child.communicate()[0]
    return json.loads(answer.decode("utf-8")), time.time() - started, child.pid


def wait_for(path, seconds=10):
    deadline = time.time() + seconds
    while not os.path.exists(str(path)):
        assert time.time() < deadline, "%s did not come" % path
        time.sleep(0.02)


def test_identity_is_of_this_boot():
    told = reboot.main({"op": "identity", "check": False})
    handle = open("/proc/sys/kernel/random/boot_id")
    assert told["boot_id"] == handle.read().strip()
    handle.close()
    assert told["kernel"] == os.uname()[2] and told["uptime"] > 0 and not told["changed"]


@pytest.mark.parametrize(
    "state", ["running", "degraded", "maintenance", "starting", "initializing", "stopping", "offline"]
)
def test_when_a_boot_is_over(monkeypatch, state):
    monkeypatch.setattr(reboot, "_systemd_state", lambda: state)
    assert reboot.identity()["up"] is (state in ("running", "degraded", "maintenance"))


def test_without_systemd_the_runlevel_script_tells(monkeypatch):
    """The script is there as a process called /.../rc, as init starts it."""
    monkeypatch.setattr(reboot, "_systemd_state", lambda: "")
    assert reboot.identity()["up"]
    words = ["/etc/rc.d/rc", "-c", "echo running; read line", "3"]
    script = subprocess.Popen(words, executable="/bin/sh", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        # Right after execve() a process has no arguments yet in /proc.
        assert script.stdout.readline() == b"running\n"
        assert not reboot.identity()["up"]
    finally:
        script.communicate()
    assert reboot.identity()["up"]


def test_the_answer_comes_before_the_reboot(tmpdir):
    """The pretended reboot writes down whether the caller was still there when it started."""
    seen = tmpdir.join("seen")
    look = "if test -d /proc/$(cat %s); then echo alive; else echo gone; fi >%s.part; mv %s.part %s" % (
        tmpdir.join("pid"),
        seen,
        seen,
        seen,
    )
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PROGRAM,
            TESTS,
            json.dumps({"op": "trigger", "check": False, "commands": [["sh", "-c", look]]}),
            str(tmpdir.join("refusal")),
        ],
        stdout=subprocess.PIPE,
    )
    tmpdir.join("pid").write(str(child.pid))
    answer = json.loads(child.communicate()[0].decode("utf-8"))
    assert answer["changed"] and answer["boot_id"]
    wait_for(seen)
    assert seen.read() == "gone\n"
    assert not tmpdir.join("refusal").check()


def test_holds_no_part_of_the_session(tmpdir):
    """A reboot that goes on for long does not keep the caller's output open."""
    fifo = str(tmpdir.join("fifo"))
    os.mkfifo(fifo)
    done = tmpdir.join("done")
    slow = ["sh", "-c", "read line <%s; touch %s" % (fifo, done)]
    _answer, seconds, _pid = start({"op": "trigger", "check": False, "commands": [slow]}, tmpdir.join("refusal"))
    assert seconds < 5 and not done.check()
    handle = open(fifo, "w")
    handle.write("go\n")
    handle.close()
    wait_for(done)


def test_the_next_command_where_one_fails(tmpdir):
    done = tmpdir.join("done")
    start(
        {"op": "trigger", "check": False, "commands": [["sh", "-c", "exit 3"], ["touch", str(done)]]},
        tmpdir.join("refusal"),
    )
    wait_for(done)


def test_a_refusal_is_told_later(tmpdir, monkeypatch):
    refusal = tmpdir.join("refusal")
    start(
        {
            "op": "trigger",
            "check": False,
            "commands": [["sh", "-c", "echo inhibited >&2; exit 1"], ["no-such-command"]],
        },
        refusal,
    )
    wait_for(refusal)
    monkeypatch.setattr(reboot, "REFUSAL", str(refusal))
    deadline = time.time() + 10
    while not reboot.identity()["refusal"] and time.time() < deadline:
        time.sleep(0.02)
    assert "inhibited" in reboot.identity()["refusal"] and "no-such-command" in reboot.identity()["refusal"]


def test_no_command_at_all(monkeypatch):
    monkeypatch.setattr(reboot, "which", lambda name: None)
    with pytest.raises(TargetError) as caught:
        reboot.main({"op": "trigger", "check": False, "message": ""})
    assert caught.value.code == "no_reboot_command"


@pytest.mark.parametrize("message", ["two\nlines", "x" * 201, "bell\x07"])
def test_bad_message(message):
    with pytest.raises(TargetError) as caught:
        reboot.main({"op": "trigger", "check": False, "message": message, "commands": [["true"]]})
    assert caught.value.code == "bad_option"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("words", [["rc"], ["/etc/init.d/rc", "5"], ["rcS"]])
def test_what_a_user_calls_his_own_program_does_not_count(words):
    """That of root's counts: a shell script of the init, which has the script's path as its second word."""

    def named(user):
        child = os.fork()
        if child:
            return child
        try:
            os.setgid(user)
            os.setuid(user)
            # It ends with us, and by itself.
            os.execv("/bin/sleep", [words[0], "60"] if len(words) == 1 else words[:1] + ["60"])
        finally:
            os._exit(1)

    before = reboot._changing_runlevel()
    for user, counts in ((65534, False), (0, True)):
        child = named(user)
        try:
            deadline = time.time() + 10
            wanted = "\0".join([words[0], "60", ""])
            while reboot.read_text("/proc/%d/cmdline" % child, 512) != wanted and time.time() < deadline:
                pass
            assert reboot._changing_runlevel() == (before or counts)
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_user_who_has_a_program_become_root_is_still_a_user(tmpdir):
    """As `su`, which waits for a password as long as it is let, under whatever name it was started."""
    program = str(tmpdir.join("waits"))
    shutil.copy("/bin/sleep", program)
    os.chmod(program, 0o4755)
    handle = os.open(program, os.O_RDONLY)
    child = os.fork()
    if not child:
        try:
            os.setgid(65534)
            os.setuid(65534)
            os.execv("/proc/self/fd/%d" % handle, ["rc", "60"])  # the folder is nobody's to enter
        finally:
            os._exit(1)
    os.close(handle)
    try:
        deadline = time.time() + 10
        while reboot.read_text("/proc/%d/cmdline" % child, 512) != "rc\x0060\x00" and time.time() < deadline:
            pass
        assert os.stat("/proc/%d" % child).st_uid == 0, "a file system that lets nobody become root is no test"
        assert not reboot._is_roots("%d" % child)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


@pytest.fixture
def asked(tmpdir, monkeypatch):
    """Reboots that were begun, one entry each."""
    begun = []
    monkeypatch.setattr(reboot, "ASKED", str(tmpdir.join("asked")))
    monkeypatch.setattr(reboot, "REFUSAL", str(tmpdir.join("refusal")))
    monkeypatch.setattr(reboot, "_detach", begun.append)
    return begun


def trigger(**more):
    return reboot.main(dict({"op": "trigger", "check": False, "message": "", "commands": [["true"]]}, **more))


def test_a_request_that_is_sent_again_reboots_once(asked):
    boot = reboot.identity()["boot_id"]
    first = trigger(boot_id=boot, token="a")
    assert trigger(boot_id=boot, token="a") == first and len(asked) == 1
    assert trigger(boot_id=boot, token="b")["changed"] and len(asked) == 2, "a later run asks anew"
    assert trigger(boot_id=boot, token="b") == first and len(asked) == 2


def test_a_request_that_comes_after_the_reboot_is_done(asked):
    assert trigger(boot_id="another boot", token="a")["changed"] and asked == []
