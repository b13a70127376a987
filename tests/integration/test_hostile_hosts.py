# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that answer with what should do harm, on every core: nothing of it runs, hangs or crashes the controller, and the good host is rolled out."""

from __future__ import annotations

import resource
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from fleet import TOA, Fleet
from pretend_host import HOSTILE
from sshd import ROOT, result_of

GOOD = "web01"
# The ones that answer what could be true, with poison in it.
BELIEVABLE = ("steering", "template", "wrong_types", "not_numbers", "wide")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("hostile"), 47, len(HOSTILE) + 1) as made:
        yield made


def test_no_answer_of_a_host_does_harm(fleet: Fleet, core: str) -> None:
    mark = fleet.folder / f"ran-{core}"
    answers = dict(zip(fleet.names[1:], (name for name in HOSTILE if name != "silent"), strict=False))
    fleet.be(GOOD)
    for name, answer in answers.items():
        fleet.be(name, faults={"answers": {"survey": answer}, "mark": str(mark)})
    run, report = fleet.play(core, names=[GOOD, *answers], toa_waves=["100%"])
    assert not mark.exists(), run.output
    assert run.rc not in (0, 250) and "Traceback" not in run.output and "UNREACHABLE" not in run.output, run.output
    assert fleet.host(GOOD)["kernel"] == TOA and report[GOOD]["state"] == "proved", run.output
    assert set(report) == {GOOD, *answers}, run.output
    for name, answer in answers.items():
        if answer in BELIEVABLE:
            assert report[name]["state"] in ("proved", "failed", "lost", "blocked", "unsupported"), (answer, report[name])
        else:
            assert report[name]["state"] in ("failed", "lost"), (answer, report[name])
        assert answer in ("steering", "template", "not_numbers") or not fleet.touched(name), (answer, fleet.host(name))
    for name, answer in answers.items():
        if answer == "template":
            # What is a template in a host's mouth is text in the report, braces and all.
            assert "{{ lookup(" in str(report[name]), report[name]
        if answer == "template_error":
            assert report[name]["message"].startswith("{{ lookup("), report[name]
    assert "\x1b" not in run.output


def test_a_host_that_never_answers_is_given_up(fleet: Fleet, core: str) -> None:
    name = fleet.names[-1]
    fleet.be(name, faults={"answers": {"echo": "silent"}})
    hosts = fleet.inventory([name], {})["all"]["hosts"]
    result = result_of(fleet.controller(core).task(hosts, "toa_echo", {"say": "x", "time": 1}), name)
    assert result["failed"] and result["toa_state"] == "lost" and "16 s" in result["msg"], result


def test_poison_in_what_later_steps_answer(fleet: Fleet, core: str) -> None:
    """Messages of a failing step go through rescue, outcome, wave gate and report."""
    mark = fleet.folder / f"ran-later-{core}"
    steps = dict(zip(fleet.names, ("packages", "boot", "claim", "reboot", "probe"), strict=False))
    for name, step in steps.items():
        fleet.be(name, faults={"answers": {step: "template_error"}, "mark": str(mark)})
    run, report = fleet.play(core, names=list(steps), toa_waves=["100%"], **fleet.hooked())
    assert not mark.exists() and "Traceback" not in run.output, run.output
    assert {entry["state"] for entry in report.values()} == {"failed"}, run.output
    assert all("{{ lookup(" in entry["message"] for entry in report.values()), report


def test_the_controller_stays_small(tmp_path: Path) -> None:
    """What a worker may take of the machine because of one answer has an end."""
    script = tmp_path / "grow.py"
    script.write_text(
        "import sys, types\n"
        f"sys.path.insert(0, {str(ROOT / 'tests')!r})\n"
        "import conftest\n"
        "from ansible_collections.realip.toa.plugins.plugin_utils import patience\n"
        "kept = []\n"
        "try:\n"
        "    with patience.within(30):\n"
        "        while True:\n"
        "            kept.append(b'x' * (1 << 20))\n"
        "            sum(range(10000))\n"
        "except patience.Exceeded as problem:\n"
        "    print(problem)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=60,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30)))  # fmt: skip
    assert "it sent more than 160 MiB" in done.stdout, done
