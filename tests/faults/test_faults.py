# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the fault matrix (cases.py) on a real machine: where the host ends, what the report says, the rest of the fleet untouched, and that
the same playbook converges once the fault is gone."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from cases import CASES, INSTALLED, OPERATOR, PLAYED, STOCK, SYSTEMD, Case, Played
from conftest import OTHER, ROOT, TOUCHED, judged
from mid_run import rollout

from lab import machines

BACK_WITHIN = 600
# Which kernel, which boot, and whether booting is over; the last of sysvinit's scripts leaves the file.
WHERE = (
    "uname -r; cat /proc/sys/kernel/random/boot_id;"
    " if test -d /run/systemd/system; then systemctl is-system-running; else test -e /var/lock/subsys/local && echo running; fi; true"
)
# All that a run could have written, but for the cache of fetched packages and what only a distribution writes.
DISK = (
    "find /boot /etc /root /srv /usr/local /usr/lib/modules /var /opt -xdev"
    " \\( -path '/var/log/*' -o -path '/var/cache/*' -o -path '/var/lib/dpkg/*' -o -path '/var/lib/apt/*' -o -path '/var/lib/systemd/*'"
    " -o -path '/var/tmp/*' -o -path '/root/.*' \\) -prune -o \\( -type f -exec md5sum {} + -o -printf '%y %m %u %p %l\\n' \\) | sort; dpkg-query -W"
)


def slug(name: str) -> str:
    """A row's name for `pytest -k`."""
    return "-".join(re.findall(r"\w+", name))


TOUCHED_ROWS = [case for case in CASES if not case.untouched]
UNTOUCHED_ROWS = [case for case in CASES if case.untouched]


@pytest.mark.parametrize("case", TOUCHED_ROWS, ids=lambda case: slug(case.name))
def test_fault(lab: t.Any, case: Case, tmp_path: Path) -> None:
    started = time.monotonic()
    ended = "not known"
    try:
        lab.begin(case.on, case.start)
        ended = suffer(lab, case, tmp_path)
        lab.mended(case)
        converge(lab, case)
    except Exception as problem:
        judged(case.name, "FAIL", f"{ended}; {in_short(problem)}", started)
        lab.forgive_the_other()
        raise
    judged(case.name, "ok", ended, started)


def test_hosts_that_are_left_untouched(lab: t.Any, tmp_path: Path) -> None:
    """One machine for all these rows: as long as its disk is as it was, byte for byte, there is nothing to reset. It converges once all faults have
    come and gone."""
    lab.begin(SYSTEMD, STOCK)
    lab.disk = disk(lab)
    results: dict[str, tuple[str, str, float]] = {}
    problems: list[str] = []
    for number, case in enumerate(UNTOUCHED_ROWS):
        started = time.monotonic()
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            results[case.name] = ("ok", suffer(lab, case, folder), started)
            lab.mended(case)
            now = disk(lab)
            assert now == lab.disk, f"the disk is another: {sorted(set(now) ^ set(lab.disk))[:10]}"
        except Exception as problem:
            results[case.name] = ("FAIL", in_short(problem), started)
            problems.append(f"{case.name}: {problem}")
            lab.begin(SYSTEMD, STOCK)
    started = time.monotonic()
    try:
        converge(lab, UNTOUCHED_ROWS[-1])
    except Exception as problem:
        problems.append(f"it does not converge: {problem}")
        results = {
            name: ("FAIL", f"{ended}; {in_short(problem)}", began) for name, (_result, ended, began) in results.items()
        }
        raise
    finally:
        for name, (result, ended, began) in results.items():
            judged(name, result, ended, began)
        print(f"they converged in {time.monotonic() - started:.0f} s")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("row", PLAYED, ids=lambda row: slug(row.name))
def test_played(row: Played) -> None:
    started = time.monotonic()
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", f"tests/integration/{row.test}"]
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1500, stdin=subprocess.DEVNULL
    )
    judged(
        row.name,
        "ok" if done.returncode == 0 else "FAIL",
        f"simulated: {done.stdout.strip().splitlines()[-1:]}",
        started,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def in_short(problem: BaseException) -> str:
    return str(problem).splitlines()[0][:100] if str(problem) else type(problem).__name__


def disk(lab: t.Any) -> list[str]:
    return lab.ssh(lab.victim, DISK).splitlines()


def suffer(lab: t.Any, case: Case, folder: Path) -> str:
    """A rollout over the broken host: where it ended and what the report says, in one line; fails where that is not as it has to be."""
    if case.fault and not (case.at and case.at.what == "fault"):
        lab.broken(case.fault)
    code, entries, output = rollout(lab, case, variables(case, folder), folder)
    if case.at and case.at.what == "kill":
        assert code < 0, output
    else:
        assert (code == 0) == (entries[lab.victim]["state"] == "proved"), output
        assert case.alone or entries[OTHER]["state"] == "waiting", entries[OTHER]
    come_back(lab, case)
    return look(lab, case, entries.get(lab.victim, {}))


def variables(case: Case, folder: Path) -> dict[str, t.Any]:
    given = {"toa_reboot_timeout": 400, **case.variables}
    for kind, command in case.hooks.items():
        path = folder / f"{kind}.yml"
        path.write_text(OPERATOR.format(kind=kind, command=json.dumps(command)))
        given[f"toa_{kind}_tasks"] = str(path)
    return given


def come_back(lab: t.Any, case: Case) -> None:
    """The host is where it has to end, booted and answering: by itself, or after somebody has pressed its button."""
    if case.back == "button":
        machines.reboot(lab.victim)
    elif case.back == "plug":
        machines.up([lab.victim])
    wanted = lab.kernels[case.kernel]
    deadline = time.monotonic() + BACK_WITHIN
    seen: list[str] = []
    while seen[:1] != [wanted] or seen[2:] not in (["running"], ["degraded"]):
        assert time.monotonic() < deadline, (
            f"{lab.victim} is not back on {wanted}: {seen or 'no answer'}; {lab.console[-2000:]}"
        )
        try:
            seen = lab.ssh(lab.victim, f"timeout 30 sh -c {shlex.quote(WHERE)}", check=False).split()
        except subprocess.TimeoutExpired:
            seen = []


def look(lab: t.Any, case: Case, entry: dict[str, t.Any]) -> str:
    assert lab.one_line(OTHER, TOUCHED) == lab.other_as_it_was, "the rest of the fleet was touched"
    kernel, uptime = lab.ssh(lab.victim, "uname -r; cut -d ' ' -f 1 /proc/uptime").split()
    assert not case.at or case.at.what != "reset" or float(uptime) < time.monotonic() - lab.reset_at, (
        "the button did nothing"
    )
    told = f"{entry.get('state', 'no report')} {entry.get('code', '')}: {entry.get('message') or entry.get('why', '')}"
    if entry:
        assert entry["state"] in case.state.split(" or "), told
        assert not case.codes or {entry["code"], *(reason["code"] for reason in entry["reasons"])} & set(case.codes), (
            told
        )
        assert all(word.format(**lab.kernels) in f"{told} {entry['reasons']}" for word in case.words), told
    assert kernel == lab.kernels[case.kernel], (kernel, told)
    installed = lab.one_line(
        lab.victim, f"test -e /boot/vmlinuz-{lab.kernels['toa']} && echo {INSTALLED} || echo {STOCK}"
    )
    assert installed == case.start or case.start == STOCK and not case.untouched, (installed, told)
    hooks = lab.ssh(lab.victim, "cat /run/hooks 2>/dev/null; true").split()
    assert "undrain" not in case.hooks or hooks[-1:] == ["undrained"], hooks
    return f"{kernel}; {told[:120]}"


def converge(lab: t.Any, case: Case) -> None:
    """With the fault gone, the same playbook ends well, on the TOA kernel."""
    boot = lab.one_line(lab.victim, "cat /proc/sys/kernel/random/boot_id")
    code, report, output = lab.playbook("rollout.yml", lab.victim)
    assert code == 0 and report["hosts"][0]["state"] in ("proved", "converged"), output
    kernel, now, *_state = lab.ssh(lab.victim, WHERE).split()
    assert kernel == lab.kernels["toa"]
    assert now == boot or not case.proved_as_it_stands, "it was rebooted once more"
    record = yaml.safe_load(lab.one_line(lab.victim, "cat /var/lib/realip-toa/state.json"))
    # A converged host is not touched: what a dead run has claimed it still claims, unless it has taken the host out of service.
    claimed = report["hosts"][0]["state"] != "converged" or record.get("claim", {}).get("drained")
    assert record["boot"]["state"] == "confirmed" and not (claimed and "claim" in record), record
    assert lab.kernels["stock"] in lab.ssh(lab.victim, "ls /boot")
