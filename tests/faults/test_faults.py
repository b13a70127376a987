# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the fault matrix (cases.py) on a real machine: where the host ends, what the report says, the rest of the fleet untouched, and that
the same playbook converges once the fault is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from cases import CASES, OPERATOR, STOCK, TOA, Case
from conftest import HERE, MATRIX, OTHER, VICTIM

ROOT = HERE.parent.parent

BACK_WITHIN = 600


@pytest.fixture(scope="module")
def other(lab: t.Any) -> str:
    """Which boot the rest of the fleet is in: it never changes."""
    return lab.one_line(OTHER, "cat /proc/sys/kernel/random/boot_id; dpkg-query -W | md5sum")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_fault(lab: t.Any, other: str, case: Case, tmp_path: Path) -> None:
    started = time.monotonic()
    ended = "not known"
    try:
        lab.reset(VICTIM)
        break_it(lab, case)
        entry = run(lab, case, tmp_path)
        come_back(lab, case)
        ended = look(lab, case, entry, other)
        converge(lab, case)
    except BaseException as problem:
        words = str(problem).splitlines()[0][:100] if str(problem) else type(problem).__name__
        MATRIX.append((case.name, "FAIL", f"{ended}; {words}", time.monotonic() - started))
        raise
    MATRIX.append((case.name, "ok", ended, time.monotonic() - started))


def break_it(lab: t.Any, case: Case) -> None:
    if case.fault:
        lab.ssh(VICTIM, case.fault)


def variables(lab: t.Any, case: Case, folder: Path) -> dict[str, t.Any]:
    given = {"toa_reboot_timeout": 400, **case.variables}
    for kind, command in case.hooks.items():
        path = folder / f"{kind}.yml"
        path.write_text(OPERATOR.format(kind=kind, command=json.dumps(command)))
        given[f"toa_{kind}_tasks"] = str(path)
    return given


def run(lab: t.Any, case: Case, folder: Path) -> dict[str, t.Any]:
    """The rollout, with what happens in the middle of it; the report's entry for the host, {} where the run died."""
    if case.at is None:
        code, report, output = lab.playbook("rollout.yml", VICTIM, OTHER, **variables(lab, case, folder))
    else:
        code, report, output = interrupted(lab, case, folder)
    if case.at and case.at[1] == "kill":
        assert code < 0, output
        return {}
    entries = {entry["host"]: entry for entry in report["hosts"]}
    assert (code == 0) == (case.state == "proved"), output
    if case.state != "proved":
        assert entries[OTHER]["state"] == "waiting", entries[OTHER]
    return entries[VICTIM]


def interrupted(lab: t.Any, case: Case, folder: Path) -> tuple[int, dict[str, t.Any], str]:
    """Run the playbook, and do something to it as soon as a task begins."""
    assert case.at is not None
    task, deed = case.at
    report = folder / "report"
    given = {"toa_lockfile": str(lab.lockfile), "toa_report_dir": str(report), **variables(lab, case, folder)}
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    words = [program, "-i", str(lab.inventory), "--limit", f"{VICTIM},{OTHER}", "-e", json.dumps(given), "rollout.yml"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1"}
    child = subprocess.Popen(words, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    output, done = [], False
    assert child.stdout is not None
    for line in child.stdout:
        output.append(line)
        if not done and line.startswith("TASK") and task in line:
            done = True
            DEEDS[deed](lab, child)
    code = child.wait(60)
    if deed == "mirror":
        lab.command("mirror", "start")
    assert done, "".join(output)
    written = report / "rollout.json"
    return code, json.loads(written.read_text()) if written.exists() else {}, "".join(output)


def kill(lab: t.Any, child: subprocess.Popen[str]) -> None:
    # The host is at work by then, and what it does goes on without us.
    time.sleep(3)
    os.killpg(child.pid, signal.SIGKILL)


def pull_the_plug(lab: t.Any, child: subprocess.Popen[str]) -> None:
    time.sleep(3)
    lab.command("power-off", VICTIM)


DEEDS: dict[str, t.Callable[[t.Any, subprocess.Popen[str]], None]] = {
    "kill": kill, "power": pull_the_plug, "mirror": lambda lab, child: lab.command("mirror", "stop"),
}


def come_back(lab: t.Any, case: Case) -> None:
    """The host answers again: by itself, or after somebody has pressed its button."""
    if case.back == "button":
        lab.command("reboot", VICTIM)
    elif case.back == "plug":
        lab.command("up", VICTIM)
    deadline = time.monotonic() + BACK_WITHIN
    while not answers(lab):
        assert time.monotonic() < deadline, f"{VICTIM} is lost: " + lab.command("console", VICTIM)[-2000:]
        time.sleep(2)


def answers(lab: t.Any) -> bool:
    try:
        return lab.ssh(VICTIM, "systemctl is-system-running --wait; true", check=False).strip() in ("running", "degraded")
    except subprocess.TimeoutExpired:
        return False


def look(lab: t.Any, case: Case, entry: dict[str, t.Any], other: str) -> str:
    """Where the host ended and what the report says, in one line; fails where that is not as it has to be."""
    assert lab.one_line(OTHER, "cat /proc/sys/kernel/random/boot_id; dpkg-query -W | md5sum") == other, "the rest of the fleet was touched"
    kernel = lab.one_line(VICTIM, "uname -r")
    told = f"{entry.get('state', 'no report')} {entry.get('code', '')}: {entry.get('message') or entry.get('why', '')}"
    if entry:
        assert not case.state or entry["state"] == case.state, told
        assert not case.codes or entry["code"] in case.codes, told
        assert all(word in told for word in case.words), told
        assert kernel == (TOA if case.state == "proved" else STOCK), (kernel, told)
    if case.installed is not None:
        installed = lab.one_line(VICTIM, f"test -e /boot/vmlinuz-{TOA} && echo yes || echo no")
        assert installed == ("yes" if case.installed else "no"), told
    hooks = lab.ssh(VICTIM, "cat /run/hooks 2>/dev/null; true").split()
    if "undrain" in case.hooks:
        assert hooks[-1:] == ["undrained"] or case.back != "itself", hooks
    return f"{kernel}; {told[:120]}"


def converge(lab: t.Any, case: Case) -> None:
    """With the fault gone, the same playbook ends well, on the TOA kernel."""
    if case.cure:
        lab.ssh(VICTIM, case.cure)
    code, report, output = lab.playbook("rollout.yml", VICTIM)
    assert code == 0 and report["hosts"][0]["state"] in ("proved", "converged"), output
    assert lab.one_line(VICTIM, "uname -r") == TOA
    record = yaml.safe_load(lab.one_line(VICTIM, "cat /var/lib/realip-toa/state.json"))
    assert record["boot"]["state"] == "confirmed" and "claim" not in record, record
    assert STOCK in lab.ssh(VICTIM, "ls /boot")
