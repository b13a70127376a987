# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's half of a reboot: who is it (which boot, which kernel, how far up), and start one.

A boot is known by /proc/sys/kernel/random/boot_id, which no two boots share; uptime and boot time jump with the clock.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import json
import os
import re
import select
import signal
import time

from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TEXT,
    TargetError,
    list_dir,
    read_line,
    read_text,
    run,
    which,
)
from ansible_collections.realip.toa.plugins.module_utils.host.writing import remove_file, write_own

# Seconds that the reboot waits at most for our answer to be on its way.
TIME_LIMIT = 1.0
MESSAGE = re.compile(r"^[^\x00-\x1f\x7f]{0,200}$")
RUN_DIR = "/run" if os.path.isdir("/run") else "/var/run"
# What the reboot commands said when none of them worked; a file, because by then there is nobody to tell.
REFUSAL = os.path.join(RUN_DIR, "realip-toa-reboot.json")
# The token of the request for a reboot that came last.
ASKED = os.path.join(RUN_DIR, "realip-toa-reboot-asked")
# sysvinit's and upstart's runlevel script, with which a boot or a shutdown is under way: "/bin/sh /etc/rc.d/rc 3".
RUNLEVEL_SCRIPT = re.compile(r"(^|/)rcS?$")


def main(args):
    """args: op (identity or trigger), message, boot_id, token; see plugins/modules/toa_reboot.py."""
    if args["op"] == "trigger":
        return _trigger(args)
    return dict(identity(), changed=False)


def identity():
    """{boot_id, kernel, uptime (seconds), systemd_state ("" where systemd did not start the host), up, refusal}.

    `up`: booting is over and no shutdown has begun. `refusal`: why a reboot that was asked for in this boot did not start, or "".
    """
    state = _systemd_state()
    return {
        "boot_id": read_line("/proc/sys/kernel/random/boot_id") or "",
        "kernel": os.uname()[2],
        "uptime": float((read_line("/proc/uptime") or "0").split()[0]),
        "systemd_state": state,
        "up": state not in ("initializing", "starting", "stopping", "offline") if state else not _changing_runlevel(),
        "refusal": _refusal(),
    }


def _systemd_state():
    """What systemd says of itself; "starting" also while it cannot be asked yet, as in the first moments of a boot."""
    if not os.path.isdir("/run/systemd/system"):
        return ""
    rc, out, _err = run(["systemctl", "is-system-running"], timeout=10)
    word = out.strip().partition("\n")[0]
    if word and word != "unknown" and rc not in (124, 127):
        return word
    # Debian 8's systemd (215) knows the question; one that does not keeps /run/nologin until the boot is through.
    return "starting" if os.path.exists("/run/nologin") else "running"


def _changing_runlevel():
    for pid in list_dir("/proc"):
        if pid.isdigit():
            words = (read_text("/proc/%s/cmdline" % pid, 512) or "").split("\0")
            if [word for word in words[:2] if RUNLEVEL_SCRIPT.search(word)] and _is_roots(pid):
                return True
    return False


def _is_roots(pid):
    """Whoever wants to can call a program of his own `rc`, and one that becomes root, as `su`: who began it is the first of four."""
    users = re.search(r"^Uid:\s+(\d+)", read_text("/proc/%s/status" % pid, 4096) or "", re.M)
    return bool(users) and users.group(1) == "0"


def _refusal():
    try:
        said = json.loads(read_text(REFUSAL) or "null")
    except ValueError:
        return ""
    return said if isinstance(said, (TEXT, str)) else ""


def _trigger(args):
    message = args.get("message") or ""
    if not MESSAGE.match(message):
        raise TargetError(
            "bad_option", "message: only one line of at most 200 printable characters", "shorten the message"
        )
    commands = args.get("commands") or _reboot_commands()
    before = identity()
    answer = {"changed": True, "boot_id": before["boot_id"], "kernel": before["kernel"]}
    if _was_done(args, before):
        return answer
    remove_file(REFUSAL)
    if message and which("logger"):
        run(["logger", "-t", "realip-toa", message], timeout=10)
    _detach(commands)
    return answer


def _was_done(args, now):
    """Whether this very request has been here before: ssh sends one again whose connection died, and a reboot is what connections die of.

    The boot that it is to end (`boot_id`) may be over already. In the same boot, its `token` tells it from the request of a later run.
    """
    if args.get("boot_id") and now["boot_id"] and args["boot_id"] != now["boot_id"]:
        return True
    if not args.get("token"):
        return False
    if read_line(ASKED) == args["token"]:
        return True
    write_own(ASKED, args["token"] + "\n", 0o600)
    return False


def _reboot_commands():
    """Commands that reboot this host in order (services stopped, file systems unmounted), the mildest first."""
    commands = []
    if os.path.isdir("/run/systemd/system"):
        commands.append(["systemctl", "--no-wall", "reboot"])
    commands += [["shutdown", "-r", "now"], ["reboot"]]
    commands = [command for command in commands if which(command[0])]
    if not commands:
        raise TargetError(
            "no_reboot_command",
            "there is neither systemctl, shutdown nor reboot on this host",
            "install the distribution's init tools",
        )
    return commands


def _detach(commands):
    """Start the reboot in a process that belongs to nobody, and that goes ahead once we are gone: by then our answer has been sent.

    The reader of a pipe learns of the death of its last writer at once, so nothing here guesses at a delay.
    """
    waiting, ours = os.pipe()
    callers = _callers()
    child = os.fork()
    if child:
        os.close(waiting)
        os.waitpid(child, 0)
        return
    try:
        os.close(ours)
        os.setsid()
        if os.fork() == 0:
            _let_go_of_session(waiting)
            _wait_for_end(waiting, callers)
            _reboot(commands)
    finally:
        os._exit(0)


def _callers():
    """The shells and sudos between the SSH session and us: when they have ended, sshd has all of our answer."""
    pids = []
    pid = os.getppid()
    while pid > 1 and len(pids) < 8:
        status = read_text("/proc/%d/stat" % pid, 4096) or ""
        name = status.partition("(")[2].rpartition(")")[0]
        words = status.rpartition(")")[2].split()
        if name.startswith("sshd") or len(words) < 2:
            break
        pids.append(pid)
        pid = int(words[1])
    return pids


def _let_go_of_session(keep):
    """Hold nothing of the SSH session, or it would wait for us; and let no signal meant for it end us."""
    for number in (signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != keep:
            try:
                os.close(int(name))
            except OSError:
                pass


def _wait_for_end(waiting, callers):
    """Until our parent and those who called it have ended, or TIME_LIMIT is over."""
    deadline = time.time() + TIME_LIMIT
    try:
        select.select([waiting], [], [], TIME_LIMIT)
    except select.error as problem:
        if problem.args[0] != errno.EINTR:
            raise
    while time.time() < deadline and [pid for pid in callers if os.path.exists("/proc/%d" % pid)]:
        time.sleep(0.01)


def _reboot(commands):
    said = []
    for command in commands:
        rc, out, err = run(command, timeout=60)
        if rc == 0:
            return
        said.append("%s: %s" % (" ".join(command), (err or out).strip() or "ended with %d" % rc))
    handle = open(REFUSAL, "w")
    handle.write(json.dumps("; ".join(said)))
    handle.close()
