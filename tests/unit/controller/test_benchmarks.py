# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/benchmarks.md says what was measured: its tables and plots are those that the raw figures make, and nobody has touched them up."""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "bench"))

import ledger  # noqa: E402
import page  # noqa: E402
import plot  # noqa: E402


@pytest.fixture(scope="module")
def figures() -> page.Figures:
    return ledger.load()


def test_the_page_is_what_was_measured(figures: page.Figures) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- figures: ([a-z ]+) -->", text)) == set(page.BLOCKS)
    assert page.filled(text, figures) == text, "run tests/bench/page.py"
    for name, image in page.plots(figures).items():
        assert (page.IMAGES / name).read_text(encoding="utf-8") == image, "run tests/bench/page.py"
        ElementTree.fromstring(image)


def test_a_goal_that_is_missed_is_said_to_be(figures: page.Figures) -> None:
    worse = copy.deepcopy(figures)
    (entry,) = worse["host"].values()
    entry.update(matrix=[165.0], others=0.0)
    assert "| ≤ 150 ms | 165 ms | **missed by 10%** |" in page.goals(worse)
    assert "≤ 150 ms" in page.goals(figures) and "165 ms" not in page.goals(figures)
    entry["others"] = 0.5
    assert "165 ms†" in page.goals(worse)


def test_a_goal_without_a_figure_is_said_to_have_none() -> None:
    assert page.goals({}).count("| not measured | |") == len(page.PROMISED)


@pytest.mark.parametrize(
    "goal, verdict",
    [
        (page.Goal("x", 0.8, 0.8, ""), "met"),
        (page.Goal("x", 0.8, 0.81, ""), "**missed by 1%**"),
        (page.Goal("x", 0.8, 0.803, ""), "**missed by less than 1%**"),
        (page.Goal("x", 0.97, 0.98, "", at_least=True), "met"),
        (page.Goal("x", 0.97, 0.485, "", at_least=True), "**missed by 50%**"),
    ],
)
def test_verdicts(goal: page.Goal, verdict: str) -> None:
    assert goal.row().endswith(f"| {verdict} |")


def test_labels_do_not_touch() -> None:
    assert plot.apart([10, 12, 50, 51, 52], 15) == [10, 25, 50, 65, 80]


@pytest.mark.parametrize("low, high, logarithmic", [(0, 200, False), (0, 3, False), (5, 300, True)])
def test_ticks_are_round_and_few(low: float, high: float, logarithmic: bool) -> None:
    marks = plot.ticks(low, high, logarithmic)
    assert 3 <= len(marks) <= 9 and all(low <= mark <= high for mark in marks)
    assert all(float(f"{mark:.1e}") == pytest.approx(mark) or mark % 50 == 0 for mark in marks)
