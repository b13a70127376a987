# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a run stays: its files, its place among other runs, and its substance in the artefacts of a job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.report import artifact, history, ran
from ansible_collections.realip.toa.plugins.plugin_utils.report import data as report
from hypothesis import given
from hypothesis import strategies as some

from tests import report_samples

AT = "2026-11-22T01:40:00Z"
RAN = {"by": "ops", "on": "ctl", "playbook": "rollout.yml", "inventory": "https://me:hunter2@cmdb/x", "limit": "web", "job": "job 7 x"}  # fmt: skip


def made(hosts: int = 3, kind: str = "rollout", **more: object) -> dict:
    return report.build(report_samples.rollout(hosts), kind, **{"at": AT, **more})


@pytest.mark.parametrize(
    "new, old, known, expected",
    [
        (made(), None, {}, True),
        (made(check=True), None, {}, True),
        (made(check=True), made(), {}, False),
        (made(), made(check=True), {}, True),
        (made(2), made(3), report_samples.rollout(3), False),
        (made(3), made(2), report_samples.rollout(3), True),
        # A host that has left the inventory is missed by nobody.
        (made(2), made(3), report_samples.rollout(2), True),
        (made(2, check=True), made(3, check=True), report_samples.rollout(3), False),
        # These change no host, dry or not.
        (made(kind="plan", check=True), made(kind="plan"), {}, True),
    ],
)
def test_who_takes_whose_place(new: dict, old: dict | None, known: dict, expected: bool) -> None:
    assert history.takes_place_of(new, old, known) is expected


def test_files_of_a_run(tmp_path: Path) -> None:
    whole = made()
    place, files = history.store(tmp_path, whole, ["json", "csv"], latest=True, keep=0)
    assert place == tmp_path / "rollout" / "2026-11-22T01-40-00Z"
    assert files == [str(tmp_path / "rollout.json"), str(tmp_path / "rollout.csv")]
    other, files = history.store(tmp_path, made(1), ["json"], latest=False, keep=0)
    assert (other.name, files) == ("2026-11-22T01-40-00Z-2", [str(other / "rollout.json")])
    assert history.read(tmp_path / "rollout.json") == history.read(tmp_path / "rollout" / "latest" / "rollout.json")
    assert json.loads((tmp_path / "rollout.json").read_text()) == json.loads(json.dumps(whole))
    assert [path for path in tmp_path.rglob(".*") if path.name != ".."] == []


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_args: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", no_links)
    for hosts in (1, 2):
        history.store(tmp_path, made(hosts), ["json"], latest=True, keep=0)
        latest = tmp_path / "rollout" / "latest"
        assert not latest.is_symlink() and len(json.loads((latest / "rollout.json").read_text())["hosts"]) == hosts


def test_the_oldest_go_and_nothing_of_anybody_else(tmp_path: Path) -> None:
    parent = tmp_path / "rollout"
    (parent / "mine").mkdir(parents=True)
    first, _files = history.store(tmp_path, made(at="2026-01-01T00:00:00Z"), ["json"], latest=True, keep=2)
    (parent / "2026-01-02T00-00-00Z").mkdir()
    (parent / "2026-01-02T00-00-00Z" / "notes.txt").write_text("mine")
    for day in range(3, 7):
        history.store(tmp_path, made(at=f"2026-01-0{day}T00:00:00Z"), ["json", "html"], latest=False, keep=2)
    left = {path.name for path in parent.iterdir()}
    # The latest stays, however old; so does what somebody has put into a folder.
    assert left == {
        "mine",
        "latest",
        first.name,
        "2026-01-02T00-00-00Z",
        "2026-01-05T00-00-00Z",
        "2026-01-06T00-00-00Z",
    }
    assert (parent / "2026-01-02T00-00-00Z" / "notes.txt").read_text() == "mine"


def test_the_head() -> None:
    head = ran.line(made(check=True, only="plan.reboot", ran=RAN))
    assert head.startswith("rollout, dry run | by ops@ctl | playbook rollout.yml | inventory https://")
    assert head.endswith(" | limit web | hosts where plan.reboot | job 7 x") and "hunter2" not in head
    assert ran.line(made()) == "rollout"
    assert set(made()["ran"].values()) == {""}


def test_a_run_that_is_paused_counts_what_it_has_begun() -> None:
    """The canary is proved; a host that is lost or blocked elsewhere keeps nobody from approving."""
    waits = {"state": "pending", "code": "awaiting_approval", "message": "asked", "remedy": "approve"}
    hosts = report_samples.rollout(3)
    names = sorted(hosts)
    begun, paused, lost = names

    def run(first: dict, *others: dict) -> dict:
        known = {host: {**hosts[host], "__toa": {**hosts[host]["__toa"]}} for host in names}
        known[begun]["__toa"].update(outcome=first, times={"began": AT, "ended": AT})
        for host, outcome in zip(names[1:], others, strict=True):
            known[host]["__toa"].update(outcome=outcome, times={})
        known[lost]["__toa"] |= {"failed": True, "toa_state": "lost", "outcome": {}}
        return report.build(known, "rollout", at=AT)

    well = run({"state": "proved"}, waits, {})
    assert (well["paused"], well["failed"], well["verdict"]) == (True, False, "")
    assert {entry["host"]: entry["state"] for entry in well["hosts"]}[lost] == "lost"
    bad = run({"state": "failed", "message": "no"}, waits, {})
    assert bad["failed"] and bad["verdict"] == f"rollout: 1 of 3 hosts need attention: {begun}"
    whole = run({"state": "proved"}, {"state": "proved"}, {})
    assert (whole["paused"], whole["failed"]) == (False, True)


def test_the_substance_of_a_report_is_small() -> None:
    told = artifact.artifact(made(1000, ran=RAN))
    assert len(json.dumps(told)) < 400_000
    assert sum(map(len, told["hosts"].values())) + told["left_out"] >= 1000
    assert told["summary"] == made(1000)["summary"] and told["ran"]["by"] == "ops"


@given(some.text(alphabet="{}%#x ", max_size=30))
def test_nothing_of_it_is_a_template(words: str) -> None:
    """AWX gives the artefacts of a job to the next one as variables."""
    whole = made(1)
    (entry,) = whole["hosts"]
    told = artifact.artifact(
        {**whole, "hosts": [{**entry, "attention": True, "why": words, "remedy": words}], "verdict": words}
    )
    text = json.dumps(told["needs_attention"]) + told["verdict"]
    assert not any(mark in told["needs_attention"][0]["why"] + " " + told["verdict"] for mark in ("{{", "{%", "{#")), (
        text
    )
