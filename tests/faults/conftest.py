# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two lab machines, one to be broken and one that nothing may happen to, and the matrix at the end."""

from __future__ import annotations

import datetime
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import cases  # noqa: E402 found beside this file

_spec = importlib.util.spec_from_file_location("lab_machines_of_tests", HERE.parent / "lab" / "conftest.py")
_module = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _module
_spec.loader.exec_module(_module)
Lab = _module.Lab

# The first of the inventory is the canary, so that nothing may happen to the other one.
VICTIM, OTHER = "debian8", "ubuntu1604"
MATRIX: list[tuple[str, str, str, float]] = []


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Lab((VICTIM, OTHER), tmp_path_factory.mktemp("faults"))
    made.command("up", *made.hosts)
    made.reset()
    code, _report, output = made.playbook("realip.toa.lock")
    assert code == 0, output
    return made


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The fault matrix of this run, here and in docs/faults.md."""
    if MATRIX:
        width = max(len(row[0]) for row in MATRIX)
        terminalreporter.section("fault matrix")
        for name, result, ended, seconds in MATRIX:
            terminalreporter.write_line(f"{name:{width}}  {result:5}  {seconds:5.0f} s  {ended}")
        today = datetime.datetime.now(datetime.timezone.utc).date()
        cases.keep(HERE.parent.parent / "docs" / "faults.md", {name: f"{result}, {today}" for name, result, _ended, _seconds in MATRIX})
