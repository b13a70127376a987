# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line that says how far a run is."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.progress import ENDS, Progress, span
from ansible_collections.realip.toa.plugins.plugin_utils.report import data as report

SIZES = [1, 5, 25, 69]


def names(first: int, count: int) -> list[str]:
    return [f"web{number}" for number in range(first, first + count)]


def finish(progress: Progress, hosts: list[str], now: float) -> None:
    for host in hosts:
        progress.ended(host, "proved")
    progress.batch_ended(now)


def test_it_knows_every_state_of_the_report() -> None:
    assert set(ENDS) == set(report.STATES)


def test_looking() -> None:
    progress = Progress()
    progress.looking(400, 100)
    assert progress.line(100) == "0 of 400 hosts looked at"
    for state in ["converged"] * 98 + ["lost", "pending"]:
        progress.looked(state)
    assert progress.line(110) == "100 of 400 hosts looked at: 98 converged, 1 pending, 1 lost; about 30 s left"
    assert progress.summary(111) == "100 hosts looked at: 98 converged, 1 pending, 1 lost in 11 s"


def test_waves() -> None:
    progress = Progress(forks=20)
    progress.batch(names(0, 1), {"wave": 1, "of": 4}, SIZES, 0)
    assert progress.line(1) == "wave 1 of 4: 0 of 1 host done; time left is known after the first wave"
    progress.rebooting("web0")
    assert "0 of 1 host done, 1 rebooting" in progress.line(2)
    progress.back("web0")
    assert "rebooting" not in progress.line(3)
    finish(progress, ["web0"], 100)
    progress.batch(names(1, 5), {"wave": 2, "of": 4}, SIZES, 100)
    # 5 hosts are one round of 20 forks, 25 are two, 69 are four: 100 + 200 + 400 less the 40 seconds since.
    assert progress.left(140) == 660
    progress.ended("web1", "failed")
    assert progress.line(140) == "wave 2 of 4: 1 of 5 hosts done; 1 proved, 1 failed of 100 in all; about 11 min left"
    assert progress.summary(150) == "1 proved, 1 failed in 2 min 30 s"


def test_what_was_slower_makes_the_rest_slower() -> None:
    progress = Progress(forks=100)
    for number, (first, size) in enumerate([(0, 1), (1, 5), (6, 25)], 1):
        progress.batch(names(first, size), {"wave": number, "of": 4}, SIZES, number * 1000)
        finish(progress, names(first, size), number * 1000 + 100 * number)
    progress.batch(names(31, 69), {"wave": 4, "of": 4}, SIZES, 5000)
    assert progress.left(5000) == pytest.approx(200)
    assert progress.left(9000) == 0


def test_a_run_about_something_else_says_nothing() -> None:
    assert Progress().summary(9) == ""


SPANS = [
    (0.4, "0 s"),
    (59.4, "59 s"),
    (60, "1 min"),
    (61, "1 min 1 s"),
    (661, "11 min"),
    (3600, "1 h 0 min"),
    (7384, "2 h 3 min"),
]


@pytest.mark.parametrize("seconds, text", SPANS)
def test_span(seconds: float, text: str) -> None:
    assert span(seconds) == text
