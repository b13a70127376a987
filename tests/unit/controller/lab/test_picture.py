# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of the demo is one of a real run, and of the demo as it is."""

from __future__ import annotations

import fnmatch
import re
import xml.etree.ElementTree as ET

import pytest

from lab import picture
from lab.hosts import HOSTS
from lab.paths import CHECKOUT

LINES = picture.TEXT.read_text().splitlines()
DEMO = (CHECKOUT / "lab" / "demo").read_text()
TABLE = [re.split(r" {2,}", line) for line in LINES[LINES.index(picture.RESULT) + 1 :]]

LOG = "\n".join([
    "lab: alinux3: starting", "", "\x1b[1m== demo: rollout\x1b[0m", "PLAY [Waves] *****",
    "TOA: wave 1 of 2: 0 of 1 host done, 1 rebooting; 0 proved of 2 in all",
    "TOA: wave 1 of 2: 1 of 1 host done; 1 proved of 2 in all; about 9 s left", "TOA: wave 1 of 2: 1 of 1 host done; 1 proved of 2 in all; about 8 s left",
    "TOA: 1 proved, 1 failed in 3 min", "\x1b[1m== demo: result\x1b[0m", "one  A <b> & c  4.4.87.toa  kernel_package  translating", "", "real\t10m1s",
])  # fmt: skip


def test_what_is_chosen_of_a_log() -> None:
    assert picture.chosen(LOG) == [
        "$ make demo", "== demo: rollout", "TOA: wave 1 of 2: 1 of 1 host done; 1 proved of 2 in all; about 9 s left", "TOA: 1 proved, 1 failed in 3 min",
        "== demo: result", "one  A <b> & c  4.4.87.toa  kernel_package  translating",
    ]  # fmt: skip


def test_a_demo_that_did_not_end_is_no_picture() -> None:
    with pytest.raises(ValueError, match="result"):
        picture.chosen(LOG.partition("== demo: result")[0])


@pytest.mark.parametrize("lines", [LINES, picture.chosen(LOG)])
def test_every_line_is_drawn(lines: list[str]) -> None:
    drawn = ET.fromstring(picture.svg(lines))
    assert ["".join(text.itertext()) for text in drawn.iter("{http://www.w3.org/2000/svg}text")] == lines


def test_the_picture_is_that_of_its_lines() -> None:
    assert picture.PICTURE.read_text() == picture.svg(LINES)


def test_the_lines_are_those_of_the_demo() -> None:
    said = [heading.partition("$")[0] for heading in re.findall(r'^say "(.*)"$', DEMO, re.MULTILINE)]
    shown = [line.removeprefix(picture.HEADING) for line in LINES if line.startswith(picture.HEADING)]
    assert len(shown) == len(said) and all(line.startswith(heading) for line, heading in zip(shown, said, strict=True))
    fleet = re.search(r'hosts="\$\{\*:-(.*)\}"', DEMO)
    assert fleet and sorted(row[0] for row in TABLE) == sorted(fleet[1].split())
    for name, _system, kernel, _backend, verdict in TABLE:
        assert fnmatch.fnmatchcase(kernel, HOSTS[name].toa_kernel or HOSTS[name].kernel) and verdict == "translating"
