# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a wave, by the report of the last rollout."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.report import data, of_wave

from tests import report_samples

MADE = data.build(report_samples.rollout(40), "rollout", at="2026-11-22T01:40:00Z")
KNOWN = {entry["host"] for entry in MADE["hosts"]}
FOLDER = Path("reports")


@pytest.mark.parametrize("wave", [2, "2", " 2 ", "02"])
def test_those_of_the_wave_and_no_others(wave: object) -> None:
    found = of_wave.hosts_of(wave, MADE, FOLDER, KNOWN)
    assert found == ["web0002", "web0003"] == [entry["host"] for entry in MADE["hosts"] if entry["wave"] == 2]


def test_every_host_is_of_one_wave() -> None:
    numbers = {entry["wave"] for entry in MADE["hosts"] if entry["wave"]}
    found = [host for number in numbers for host in of_wave.hosts_of(number, MADE, FOLDER, KNOWN)]
    assert sorted(found) == sorted(entry["host"] for entry in MADE["hosts"] if entry["wave"])


@pytest.mark.parametrize("wave", [0, "0", -1, "", "two", True, None, "2,3", 1.5, [2], "1000000000"])
def test_what_is_no_wave_is_named(wave: object) -> None:
    with pytest.raises(ValueError, match="toa_wave"):
        of_wave.hosts_of(wave, MADE, FOLDER, KNOWN)


@pytest.mark.parametrize(
    ("report", "known", "words"),
    [
        (None, KNOWN, "there is no report of a rollout in reports"),
        ({"hosts": []}, KNOWN, "had no waves"),
        (MADE, set(), "none of its hosts is in the inventory: web0002, web0003"),
        ({"hosts": ["x", None, {"host": "a", "wave": "2"}]}, KNOWN, "had no waves"),
    ],
)
def test_an_empty_choice_is_refused(report: object, known: set[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        of_wave.hosts_of(2, report, FOLDER, known)


def test_a_wave_that_there_was_not() -> None:
    with pytest.raises(ValueError, match="toa_wave is 77, and the rollout of 2026-11-22T01:40:00Z had waves 1 to"):
        of_wave.hosts_of(77, MADE, FOLDER, KNOWN)
