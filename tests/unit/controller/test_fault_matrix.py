# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/faults.md has the rows of the fault matrix, and each row can be run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from lab.hosts import HOSTS

ROOT = Path(__file__).resolve().parents[3]

_spec = importlib.util.spec_from_file_location("fault_cases", ROOT / "tests" / "faults" / "cases.py")
assert _spec and _spec.loader
cases = importlib.util.module_from_spec(_spec)
sys.modules["fault_cases"] = cases
_spec.loader.exec_module(cases)


def test_the_document_has_the_table():
    text = (ROOT / "docs" / "faults.md").read_text()
    assert cases.documented(text) == cases.table(cases.seen_before(text))


def test_results_are_kept(tmp_path):
    path = tmp_path / "faults.md"
    path.write_text("before\n\n" + cases.table({cases.CASES[1].name: "ok, 2026-01-01"}) + "\nafter\n")
    cases.keep(path, {cases.CASES[0].name: "FAIL, 2026-01-02"})
    seen = cases.seen_before(path.read_text())
    assert (seen[cases.CASES[0].name], seen[cases.CASES[1].name], seen[cases.CASES[2].name]) == (
        "FAIL, 2026-01-02",
        "ok, 2026-01-01",
        cases.NOT_RUN,
    )
    assert path.read_text().startswith("before\n\n|") and path.read_text().endswith("|\n\nafter\n")


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
def test_a_row_says_what_happens(case):
    assert case.fault or case.at or case.hooks
    assert case.ends and case.says
    assert set(case.state.split(" or ")) <= {"failed", "lost", "proved", "blocked"}
    assert case.alone or "proved" not in case.state, "the run would go on with the other machine"
    assert set(case.hooks) <= {"drain", "undrain", "health"}
    assert case.on in HOSTS and HOSTS[case.on].toa_kernel
    assert case.cure or not case.fault or case.alone
    assert not case.untouched or (case.on, case.start, case.kernel) == (cases.SYSTEMD, cases.STOCK, "stock"), (
        "they share a machine"
    )


@pytest.mark.parametrize("row", cases.PLAYED, ids=lambda row: row.name)
def test_a_simulated_row_names_a_test(row):
    file, _colons, test = row.test.partition("::")
    assert f"def {test}" in (ROOT / "tests" / "integration" / file).read_text()


def test_names_are_unique():
    rows = [*cases.CASES, *cases.PLAYED]
    assert len({row.name for row in rows}) == len(rows)
