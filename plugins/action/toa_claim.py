# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_claim: one run at a time on a host, reboots within the change window only, and the mark of a host that is out of service."""

from __future__ import annotations

import contextlib
import datetime
import getpass
import hashlib
import multiprocessing
import os
import socket
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import change_window, changed_since
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.looked_at import facts_of


class ActionModule(ToaAction):
    """Sends plugins/module_utils/programs/claim.py."""

    ENTRY = "programs.claim"
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state": {"type": "str", "choices": ["taken", "released"], "default": "taken"},
        "drained": {"type": "bool"},
        "window": {"type": "raw"},
        "takeover": {"type": "bool", "default": False},
    }

    def act(self, args: Result, task_vars: Variables) -> Result:
        self._check_window(args.pop("window"))
        owner = _Process.of_this_run()
        args.update(owner=owner.describe(), key=owner.key, ended=[])
        answer = self.call(args, task_vars)
        if answer.get("code") != "host_claimed":
            return _judged(answer, task_vars)
        # Whether the owner still lives is for this machine to say; the host cannot know.
        holder = self.call({**args, "state": "look"}, task_vars).get("key")
        if not isinstance(holder, str) or not owner.knows_dead(holder):
            return answer
        return _judged(self.call({**args, "ended": [holder]}, task_vars), task_vars)

    def _check_window(self, text: t.Any) -> None:
        try:
            closed = change_window.closed(text, datetime.datetime.now(datetime.timezone.utc))
        except ValueError as problem:
            raise ToaError(
                "bad_option", str(problem), "correct toa_window, for instance: Sat,Sun 01:00-05:00 Europe/Berlin"
            ) from None
        if closed:
            raise ToaError("outside_window", closed, "run again within the change window")


def _judged(answer: Result, task_vars: Variables) -> Result:
    """The answer with what has changed on the host since its plan was made; the record itself is nobody's concern."""
    seen = answer.pop("seen", None)
    if answer.get("failed") or not isinstance(seen, Mapping):
        return answer
    return {**answer, "changed_since": changed_since.changed(facts_of(task_vars), seen)}


class _Process(t.NamedTuple):
    """A process of a controller. `machine` tells its computer, boot and PID namespace apart from all others."""

    machine: str
    pid: int
    started: str

    @classmethod
    def of_this_run(cls) -> _Process:
        """The ansible-playbook that forked the worker we are in."""
        parent = multiprocessing.parent_process()
        pid = (parent.pid if parent else None) or os.getpid()
        return cls(_machine(), pid, _started(pid))

    @property
    def key(self) -> str:
        return f"{self.machine} {self.pid} {self.started}"

    def describe(self) -> str:
        try:
            user = getpass.getuser()
        except (KeyError, OSError):
            user = f"uid {os.getuid()}"
        return f"{user}@{socket.gethostname()} pid {self.pid}"

    def knows_dead(self, key: str) -> bool:
        """Whether `key` is a process of this machine that has ended."""
        machine, _space, rest = key.partition(" ")
        pid, _space, started = rest.partition(" ")
        return (
            machine == self.machine
            and pid.isascii()
            and pid.isdigit()
            and len(pid) < 10
            and _started(int(pid)) != started
        )


def _machine() -> str:
    parts = [socket.gethostname(), _read("/proc/sys/kernel/random/boot_id")]
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks; "" where there is none, and where there is no /proc."""
    words = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    # A process that has ended and was not waited for is as dead as any.
    return words[19] if len(words) > 19 and words[0] != "Z" else ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
