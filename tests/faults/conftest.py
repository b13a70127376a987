# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lab machines, one to be broken and one that nothing may happen to, and the matrix at the end."""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT)]

import cases  # noqa: E402 found beside this file

from lab import machines  # noqa: E402
from lab.hosts import HOSTS  # noqa: E402

_spec = importlib.util.spec_from_file_location("lab_machines_of_tests", HERE.parent / "lab" / "conftest.py")
_module = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _module
_spec.loader.exec_module(_module)

# The first of the inventory, which goes by names, is the canary, so that nothing may happen to this one.
OTHER = "ubuntu1604"
# Its boot, its packages, our record; packages that wait for its turn in /var/cache/realip-toa are none of that.
TOUCHED = "cat /proc/sys/kernel/random/boot_id; dpkg-query -W | md5sum; ls /var/lib/realip-toa 2>&1; true"


@dataclass
class Machines(_module.Lab):
    """The lab of this run: which machine is broken now, and what is known of the other one."""

    victim: str = ""
    other_as_it_was: str = ""
    prepared: set[str] = field(default_factory=set)
    reset_at: float = 0.0

    @property
    def lockfile(self) -> Path:
        return self.work / f"{self.victim}.lock.yml"

    @property
    def console(self) -> str:
        """What the victim wrote to its serial port since it was reset."""
        try:
            return (machines.place(self.victim) / "console.log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    @property
    def kernels(self) -> dict[str, str]:
        """Releases of the victim's two kernels, by what cases call them."""
        host = HOSTS[self.victim]
        return {"stock": host.kernel, "toa": str(host.toa_kernel)}

    def broken(self, script: str) -> None:
        """Run a script of a case on the victim."""
        self.ssh(self.victim, f"STOCK={self.kernels['stock']} TOA={self.kernels['toa']}; {script}")

    def mended(self, case: Any) -> None:
        """The fault is taken away."""
        if case.cure:
            self.broken(case.cure)

    def begin(self, victim: str, start: str) -> None:
        """The machine `victim`, as it is at the start of a row."""
        self.victim = victim
        if victim not in self.prepared:
            machines.up([victim, OTHER])
            self.other_as_it_was = self.other_as_it_was or self.one_line(OTHER, TOUCHED)
            code, _report, output = self.playbook("realip.toa.lock", victim, OTHER)
            assert code == 0, output
            self.prepared.add(victim)
        if start == cases.INSTALLED and not machines.kept(victim, start):
            machines.reset([victim])
            self.install()
            machines.keep(victim, start)
        else:
            machines.reset([victim], start if start == cases.INSTALLED else "")

    def forgive_the_other(self) -> None:
        """After a row that went wrong: what it did to the rest of the fleet shall not be held against the next one."""
        if self.one_line(OTHER, TOUCHED) != self.other_as_it_was:
            machines.reset([OTHER])
            self.other_as_it_was = self.one_line(OTHER, TOUCHED)

    def install(self) -> None:
        """Installed and never booted, as a drain task that fails leaves a host."""
        self.ssh(self.victim, cases.PLANTED)
        drain = self.work / "no-drain.yml"
        drain.write_text(cases.OPERATOR.format(kind="drain", command="exit 1"))
        code, report, output = self.playbook("rollout.yml", self.victim, toa_hooks={"drain": str(drain)})
        assert code != 0 and report["hosts"][0]["code"] == "drain_failed", output


MATRIX: list[tuple[str, str, str, float]] = []


def judged(name: str, result: str, ended: str, started: float) -> None:
    """One row of the matrix is done."""
    row = (name, result, ended, time.monotonic() - started)
    MATRIX.append(row)
    if "REALIP_FAULTS_RESULTS" in os.environ:
        with open(os.environ["REALIP_FAULTS_RESULTS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Machines:
    return Machines((OTHER,), tmp_path_factory.mktemp("faults"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--lane", choices=("all", *cases.LANES), default="all", help="only rows on machines of this lane")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    lane = config.getoption("--lane")
    if lane != "all":
        items[:] = [item for item in items if cases.lane_of(_machine(item)) == lane]


def _machine(item: pytest.Item) -> str:
    """What an item runs on; the rows without a parameter share a machine."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if "row" in parameters:
        return cases.SIMULATED
    return str(parameters["case"].on) if "case" in parameters else cases.SYSTEMD


def lines(matrix: list[tuple[str, str, str, float]]) -> list[str]:
    """The matrix as it is printed."""
    width = max(len(row[0]) for row in matrix)
    return [f"{name:{width}}  {result:5}  {seconds:5.0f} s  {ended}" for name, result, ended, seconds in matrix]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The fault matrix of this run, here and in docs/faults.md."""
    if MATRIX:
        terminalreporter.section("fault matrix")
        terminalreporter.write_line("\n".join(lines(MATRIX)))
        today = datetime.datetime.now(datetime.timezone.utc).date()
        cases.keep(
            ROOT / "docs" / "faults.md", {name: f"{result}, {today}" for name, result, _ended, _seconds in MATRIX}
        )
