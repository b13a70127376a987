# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout that something happens to in mid-run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from cases import Case, Fault
from conftest import OTHER, ROOT

from lab import machines, mirror, ssh

LONGEST_WAIT = 240
# Every server and session dies; the package manager that a session has started is nobody's then, and the server comes back later.
SSH_DIES = "systemd-run -q sh -c 'systemctl stop ssh; pkill -9 -x sshd; sleep 45; systemctl start ssh'"


def rollout(lab: t.Any, case: Case, variables: dict[str, t.Any], folder: Path) -> tuple[int, dict[str, t.Any], str]:
    """Run the playbook and do to it what the case says: (exit code, the report's entries by host, output)."""
    report = folder / "report"
    given = {"toa_lockfile": str(lab.lockfile), "toa_report_dir": str(report), **variables}
    hosts = lab.victim if case.alone else f"{lab.victim},{OTHER}"
    words = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        str(lab.inventory),
        "--limit",
        hosts,
        "-e",
        json.dumps(given),
        "rollout.yml",
    ]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1",
                   # Where skipped tasks are not shown, a task is announced when its first result is there; faults are done as it begins.
                   "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "1"}  # fmt: skip
    child = subprocess.Popen(
        words,
        cwd=ROOT,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        code, output = _watched(lab, case, child)
    finally:
        _kill(lab, case, child)
        if case.at and case.at.what == "mirror":
            machines.start_mirror()
    written = report / "rollout.json"
    told = json.loads(written.read_text()) if written.exists() else {"hosts": []}
    return code, {entry["host"]: entry for entry in told["hosts"]}, output


def _watched(lab: t.Any, case: Case, child: subprocess.Popen[str]) -> tuple[int, str]:
    """(exit code, output) of the playbook, to which the case's fault is done as soon as its task begins."""
    output, done = "", case.at is None
    assert child.stdout is not None
    for line in child.stdout:
        output += line
        print(line, end="")
        if case.at and not done and line.startswith("TASK") and case.at.task in line:
            done = True
            _wait_for(lab, case.at, child)
            FAULTS[case.at.what](lab, case, child)
            if case.at.what == "kill":
                # Nobody reads on: what is left of a dead controller may hold the pipe open.
                break
    assert done, f"no task {case.at and case.at.task!r} in {output}"
    return child.wait(60), output


def _wait_for(lab: t.Any, fault: Fault, child: subprocess.Popen[str]) -> None:
    if not fault.when:
        return
    kind, _colon, text = fault.when.partition(": ")
    port = machines.running()[lab.victim]
    deadline = time.monotonic() + LONGEST_WAIT
    while (text not in lab.console) if kind == "console" else ssh.greets(port, 2.0):
        assert child.poll() is None, f"the run ended while we waited for {fault.when}"
        assert time.monotonic() < deadline, f"there is no {fault.when} in {LONGEST_WAIT} s: {lab.console[-2000:]}"
        time.sleep(0.02)


# -- faults


def _kill(lab: t.Any, case: Case, child: subprocess.Popen[str]) -> None:
    """The controller with all of its workers and connections, as when its machine dies; nothing where it has ended."""
    if child.poll() is not None:
        return
    for pid in [child.pid, *_offspring(child.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _offspring(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text(errors="replace").rpartition(")")[2].split()[1])
    found: list[int] = []
    new = [pid]
    while new:
        new = [child for child, parent in parents.items() if parent in new]
        found += new
    return found


@contextlib.contextmanager
def _paused(child: subprocess.Popen[str]) -> t.Iterator[None]:
    """The controller waits while something is done, so that its next task finds it done."""
    os.kill(child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child.pid, signal.SIGCONT)


def _power(lab: t.Any, case: Case, child: subprocess.Popen[str]) -> None:
    machines.power_off(lab.victim)


def _reset(lab: t.Any, case: Case, child: subprocess.Popen[str]) -> None:
    lab.reset_at = time.monotonic()
    machines.reboot(lab.victim)


def _mirror(lab: t.Any, case: Case, child: subprocess.Popen[str]) -> None:
    with _paused(child):
        mirror.stop()


def _fault(lab: t.Any, case: Case, child: subprocess.Popen[str]) -> None:
    with _paused(child):
        lab.broken(case.fault)


def _ssh(lab: t.Any, case: Case, child: subprocess.Popen[str]) -> None:
    lab.ssh(lab.victim, SSH_DIES, check=False)


FAULTS: dict[str, t.Callable[..., None]] = {
    "kill": _kill, "power": _power, "reset": _reset, "mirror": _mirror, "fault": _fault, "ssh": _ssh,
}  # fmt: skip
