# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs target code as root on this machine, whose files are overlays meanwhile, with something hostile in one place. Started by test_hostile_user.py.

A line of JSON on stdin is a case, a line on stdout its answer. Each case has a mount namespace of its own, so that nothing is left of it; all of
them have one network namespace. Paths that are read or written are told by Python's own audit events.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import shutil
import signal
import stat
import sys
import time
import typing as t

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS]
import conftest  # noqa: E402, F401  makes ansible_collections importable

PACKAGE = "ansible_collections.realip.toa.plugins.module_utils."
runner = importlib.import_module(PACKAGE + "runner")

CLONE_NEWNS = 0x20000
NOBODY = 65534
FOLDERS = ("boot", "etc", "var", "usr")
# On a tmpfs of its own in each case: what nothing may touch, and what overlays need.
SCRATCH = "/mnt"
VICTIM = SCRATCH + "/victims/victim"
LIMIT = 40
EVENTS = {
    "open": 1, "os.listdir": 1, "os.scandir": 1, "os.mkdir": 1, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.symlink": 2, "os.link": 2,
    "os.chmod": 1, "os.chown": 1, "os.truncate": 1, "os.utime": 1,
}  # fmt: skip
SYSTEMCTL = "#!/bin/sh\ncase $1 in is-system-running) echo running ;; esac\nexit 0\n"


LIBC = ctypes.CDLL(None, use_errno=True)
MS_REC_PRIVATE = 0x4000 | 0x40000


def mount(kind: str, where: str, options: str = "", flags: int = 0) -> None:
    """By the system call: a dozen for each case, and a process for each of them would take longer than all else."""
    if LIBC.mount(kind.encode(), where.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {kind} {where} {options}")


def set_the_stage(init: str) -> None:
    if LIBC.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount("none", "/", flags=MS_REC_PRIVATE)
    mount("tmpfs", SCRATCH)
    for folder in FOLDERS:
        for part in ("new", "work", "hidden"):
            os.makedirs(f"{SCRATCH}/{folder}/{part}")
        options = f"lowerdir={SCRATCH}/{folder}/hidden:/{folder},upperdir={SCRATCH}/{folder}/new,workdir={SCRATCH}/{folder}/work"
        mount("overlay", f"/{folder}", options)
    mount("tmpfs", "/run", "mode=0755")
    if init == "systemd":
        os.makedirs("/run/systemd/system")
    else:
        for folder in ("/etc/init.d", "/etc/rc2.d"):
            os.makedirs(folder, exist_ok=True)
        for name in ("/etc/inittab", "/etc/init.d/rc.local"):
            with open(name, "w", encoding="ascii"):
                pass
    shutil.rmtree("/var/lib/realip-toa", ignore_errors=True)
    with open("/usr/local/sbin/systemctl", "w", encoding="ascii") as tool:
        tool.write(SYSTEMCTL)
    os.chmod("/usr/local/sbin/systemctl", 0o755)
    os.makedirs(os.path.dirname(VICTIM), 0o755)
    with open(VICTIM, "w", encoding="ascii") as victim:
        victim.write("untouched\n")
    os.chmod(VICTIM, 0o600)


def of_victims() -> list[t.Any]:
    """Everything that can be seen of what nothing may touch."""
    found: list[t.Any] = []
    for base, folders, files in os.walk(os.path.dirname(VICTIM)):
        for name in sorted(folders + files):
            path = os.path.join(base, name)
            now = os.lstat(path)
            with open(path, "rb") as handle:
                found.append([path, now.st_ino, now.st_mode, now.st_uid, now.st_nlink, handle.read().decode()])
    return found


def plant(path: str, kind: str) -> None:
    """Something hostile in place of a file or folder, made by a user without rights where the kind allows that."""
    if path.split("/")[1] not in (*FOLDERS, "run"):
        raise ValueError(f"{path} would be made on this machine itself")
    if kind == "their_folder":
        folder = os.path.dirname(path)
        os.makedirs(folder, exist_ok=True)
        os.chown(folder, NOBODY, NOBODY)
        return
    if kind == "newline":
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, "evil\nname\x1b[31m;$(id)"), "w", encoding="ascii") as file:
            file.write("evil\n")
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    text = b""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        text = file.read(1 << 20)
    if os.path.isdir(path) and not os.path.islink(path):
        os.rename(path, path + ".aside")
    with contextlib.suppress(OSError):
        os.unlink(path)
    if kind == "link":
        os.symlink(VICTIM, path)
    elif kind == "dangling":
        os.symlink(VICTIM + ".new", path)
    elif kind == "link_to_folder":
        os.symlink(os.path.dirname(VICTIM), path)
    elif kind == "pipe":
        os.mkfifo(path, 0o666)
    elif kind == "device":
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    elif kind == "folder":
        os.mkdir(path)
    else:
        with open(path, "wb") as file:
            file.write(text)
            if kind == "sparse":
                file.truncate(1 << 40)
        os.chmod(path, 0o666)
    os.lchown(path, NOBODY, NOBODY)


def call(entry: str, args: dict[str, t.Any]) -> dict[str, t.Any]:
    """The answer of a target module, as the channel would have it."""
    try:
        module = importlib.import_module(PACKAGE + entry)
        if entry == "programs.option_filter":  # a second and more each time, and about packets
            module.choose = lambda _filter, wish: (wish["method"], {"shown": "", "checks": []})
        return dict(module.main(args))
    except BaseException:
        return dict(runner._problem([]))


def run(case: dict[str, t.Any]) -> dict[str, t.Any]:
    set_the_stage(case["init"])
    for entry, args in case.get("before", []):
        answer = call(entry, args)
        if answer.get("failed"):
            return {"broken": answer}
    seen: dict[str, str] = {}

    def audit(event: str, words: tuple[t.Any, ...]) -> None:
        if event in EVENTS:
            for word in words[: EVENTS[event]]:
                path = os.fsdecode(word) if isinstance(word, (str, bytes)) else ""
                if path.startswith("/"):
                    seen[path] = event

    if case.get("plant"):
        plant(*case["plant"])
    victims = of_victims()
    if case.get("trace"):
        sys.addaudithook(audit)
    began = time.monotonic()
    signal.alarm(LIMIT)
    os.umask(0o077)
    answer = call(*case["call"])
    signal.alarm(0)
    after = None
    if case.get("plant"):
        with contextlib.suppress(OSError):
            now = os.lstat(case["plant"][0])
            after = {"file": stat.S_ISREG(now.st_mode), "uid": now.st_uid, "mode": now.st_mode & 0o7777}
    seen = {path: "folder" if os.path.isdir(path) else "file" for path in seen}
    told = {key: answer.get(key) for key in ("failed", "code", "msg", "remedy", "traceback", "changed")}
    return {
        "answer": told,
        "seen": dict(seen),
        "after": after,
        "touched": of_victims() != victims,
        "seconds": time.monotonic() - began,
    }


def in_child(case: dict[str, t.Any]) -> dict[str, t.Any]:
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reader)
            try:
                answer = run(case)
            except Exception as problem:  # of ours, not of the code that is tried
                answer = {"broken": repr(problem)}
            text = json.dumps(answer, default=str).encode()
            while text:
                text = text[os.write(writer, text) :]
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as handle:
        text = handle.read()
    os.waitpid(child, 0)
    return dict(json.loads(text)) if text else {"hung": True}


def main() -> None:
    for entry in sys.argv[1:]:  # once, for all cases
        importlib.import_module(PACKAGE + entry)
    for line in sys.stdin:
        answer = in_child(json.loads(line))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    # What target code prints is not an answer.
    answers = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(answers, "w")
    main()
