# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where files of the operator are: what is written is what is read, wherever a run is started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils import places
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    made = {name: tmp_path / name for name in ("started", "project", "inventory")}
    for path in made.values():
        path.mkdir()
    monkeypatch.chdir(made["started"])
    # What a daemon, or nobody, has set.
    monkeypatch.setenv("PWD", "/")
    return made


def variables(folders: dict[str, Path]) -> dict[str, object]:
    return {
        "playbook_dir": str(folders["project"]),
        "ansible_inventory_sources": [str(folders["inventory"] / "hosts.yml"), "web1,"],
        "inventory_dir": None,
    }


def test_the_order(folders: dict[str, Path]) -> None:
    (folders["inventory"] / "hosts.yml").write_text("")
    assert places.folders(variables(folders)) == list(folders.values())
    # An inventory may be a folder, several, a list of hosts, or none.
    assert places.folders({"ansible_inventory_sources": [str(folders["inventory"]), "a,b", "none.ini"]}) == [
        folders["started"], folders["inventory"]]  # fmt: skip
    assert places.folders({}) == [folders["started"]]


def test_a_folder_that_is_nobodys_project(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    (folders["inventory"] / "hosts.yml").write_text("")
    monkeypatch.chdir("/")
    where = places.folders(variables(folders))
    assert where == [folders["project"], folders["inventory"]]
    assert places.target("reports", where) == folders["project"] / "reports"
    gone = folders["started"] / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert places.folders(variables(folders)) == where


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    some.sets(some.sampled_from(["started", "project", "inventory"])), some.sampled_from(["toa.lock.yml", "a/b.yml"])
)
def test_what_is_written_is_what_is_read(folders: dict[str, Path], there: set[str], name: str) -> None:
    where = list(folders.values())
    for folder in folders.values():
        (folder / name).unlink(missing_ok=True)
    for which in there:
        (folders[which] / name).parent.mkdir(exist_ok=True)
        (folders[which] / name).write_text(which)
    written = places.target(name, where)
    first = next((folder for key, folder in folders.items() if key in there), folders["started"])
    assert written == first / name
    written.parent.mkdir(exist_ok=True)
    written.write_text("new")
    assert places.found(name, where) == written


def test_nothing_is_written_into_the_collection_that_was_installed(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = folders["started"] / "installed"
    (installed / "playbooks").mkdir(parents=True)
    monkeypatch.setattr(places, "COLLECTION", installed)
    where = [installed / "playbooks", folders["inventory"]]
    assert places.target("reports", where) == folders["inventory"] / "reports"
    # A checkout is the operator's own.
    (installed / "galaxy.yml").write_text("")
    assert places.target("reports", where) == installed / "playbooks" / "reports"


def test_whether_it_can_be_written_is_tried(folders: dict[str, Path]) -> None:
    here = folders["started"]
    assert places.problem(here / "new" / "reports", folder=True) == ""
    assert places.problem(here / "new" / "toa.lock.yml") == ""
    # Nothing stays of the trial.
    assert list(here.iterdir()) == []
    (here / "file").write_text("")
    assert places.problem(here / "file" / "reports", folder=True).startswith(f"{here}/file/reports cannot be written: ")
    assert places.problem(here) == f"{here} is no file"
    if os.geteuid() == 0:
        assert "cannot be written" in places.problem(Path("/proc/toa/reports"), folder=True)


def test_a_home_is_a_home(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folders["project"]))
    assert places.candidates("~/x", [folders["started"]]) == [folders["project"] / "x"]
    assert places.candidates("/x", [folders["started"]]) == [Path("/x")]
