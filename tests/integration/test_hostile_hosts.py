# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that answer with what should do harm, on every core: nothing of it runs, hangs or crashes the controller, and the good host is rolled out."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fleet import TOA, Fleet
from pretend_host import HOSTILE
from sshd import ROOT, Run, result_of, tried

# The ones that answer what could be true, with poison in it.
BELIEVABLE = ("steering", "template", "wrong_types", "not_numbers", "wide")


# What the hosts say when they are looked at, and, for others, what a later step says: that goes through rescue, outcome, wave gate and report.
AT_ONCE = tuple(name for name in HOSTILE if name != "silent")
LATER = ("package", "boot", "claim", "reboot", "probe")


class Story(t.NamedTuple):
    """One core's run over the good host and all the others, and its call of the host that never answers."""

    fleet: Fleet
    run: Run
    report: dict[str, t.Any]
    silent: dict[str, t.Any]
    mark: Path
    answers: dict[str, str]
    later: dict[str, str]


def live(fleet: Fleet, core: str) -> Story:
    mark = fleet.folder / "ran"
    good, silent, *others = fleet.names
    answers = dict(zip(others, AT_ONCE, strict=False))
    later = dict(zip(others[len(AT_ONCE) :], LATER, strict=True))
    fleet.be(good)
    for name, answer in answers.items():
        fleet.be(name, faults={"answers": {"plan": answer}, "mark": str(mark)})
    for name, step in later.items():
        fleet.be(name, faults={"answers": {step: "template_error"}, "mark": str(mark)})
    fleet.be(silent, faults={"answers": {"echo": "silent"}})
    hosts = fleet.inventory([silent], {})["all"]["hosts"]
    told = result_of(fleet.controller(core).task(hosts, "toa_echo", {"say": "x", "time": 1}), silent)
    run, report = fleet.play(core, names=[good, *others], toa_waves=["100%"])
    return Story(fleet, run, report, told, mark, answers, later)


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[dict[str, Story]]:
    """Every core with a fleet of its own, side by side."""
    size = 2 + len(AT_ONCE) + len(LATER)
    with contextlib.ExitStack() as stack:
        fleets = {
            core: stack.enter_context(Fleet(tmp_path_factory.mktemp(core), 60 + number, size))
            for number, core in enumerate(tried())
        }
        with ThreadPoolExecutor(len(fleets)) as pool:
            told = {core: pool.submit(live, fleet, core) for core, fleet in fleets.items()}
        yield {core: story.result() for core, story in told.items()}


def test_nothing_of_it_runs(stories: dict[str, Story], core: str) -> None:
    story = stories[core]
    assert not story.mark.exists(), story.run.output
    assert (
        story.run.rc not in (0, 250) and "Traceback" not in story.run.output and "UNREACHABLE" not in story.run.output
    ), story.run.output
    assert "\x1b" not in story.run.output


def test_the_good_host_is_rolled_out(stories: dict[str, Story], core: str) -> None:
    story = stories[core]
    good = story.fleet.names[0]
    assert story.fleet.host(good)["kernel"] == TOA and story.report[good]["state"] == "proved", story.run.output
    assert set(story.report) == {good, *story.answers, *story.later}, story.run.output


def test_what_becomes_of_the_others(stories: dict[str, Story], core: str) -> None:
    fleet, report = stories[core].fleet, stories[core].report
    for name, answer in stories[core].answers.items():
        allowed = ("proved", "failed", "lost", "blocked", "unsupported") if answer in BELIEVABLE else ("failed", "lost")
        assert report[name]["state"] in allowed, (answer, report[name])
        assert answer in ("steering", "template", "not_numbers") or not fleet.touched(name), (answer, fleet.host(name))
        if answer == "template":
            # What is a template in a host's mouth is text in the report, braces and all.
            assert "{{ lookup(" in str(report[name]), report[name]
        if answer == "template_error":
            assert report[name]["message"].startswith("{{ lookup("), report[name]
    for name, step in stories[core].later.items():
        assert report[name]["state"] == "failed" and "{{ lookup(" in report[name]["message"], (step, report[name])


def test_a_host_that_never_answers_is_given_up(stories: dict[str, Story], core: str) -> None:
    told = stories[core].silent
    assert told["failed"] and told["toa_state"] == "lost" and "16 s" in told["msg"], told


def test_the_controller_stays_small(tmp_path: Path) -> None:
    """What a worker may take of the machine because of one answer has an end."""
    script = tmp_path / "grow.py"
    script.write_text(
        "import sys, types\n"
        f"sys.path.insert(0, {str(ROOT / 'tests')!r})\n"
        "import conftest\n"
        "from ansible_collections.realip.toa.plugins.plugin_utils.channel import time_limit\n"
        "kept = []\n"
        "try:\n"
        "    with time_limit.within(30):\n"
        "        while True:\n"
        "            kept.append(b'x' * (1 << 20))\n"
        "            sum(range(10000))\n"
        "except time_limit.Exceeded as problem:\n"
        "    print(problem)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=60,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30)))  # fmt: skip
    assert "it sent more than 160 MiB" in done.stdout, done
