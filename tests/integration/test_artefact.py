# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as people get it: built, installed into an empty folder and played from there, without this checkout."""

from __future__ import annotations

import tarfile
import typing as t
from pathlib import Path

import pytest
from fleet import STOCK, TOA, Fleet
from sshd import ROOT, Controller, Run, cores

from tests.found import found

TOP = {
    "CHANGELOG.md", "FILES.json", "LICENSE", "LICENSES", "MANIFEST.json", "README.md", "changelogs", "docs", "extensions", "meta", "playbooks",
    "SECURITY.md", "plugins", "roles",
}  # fmt: skip


class Installed(Fleet):
    """Simulated hosts whose controller has nothing but a folder of collections."""

    collections: Path

    def controller(self, core: str) -> Controller:
        made = super().controller(core)
        made.settings["ANSIBLE_COLLECTIONS_PATH"] = str(self.collections)
        return made


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artefact")
    run = Controller(cores()[0], folder).command(
        ["ansible-galaxy", "collection", "build", "--output-path", str(folder), str(ROOT)]
    )
    assert run.rc == 0, run.output
    (built,) = folder.glob("realip-toa-1.*.tar.gz")
    return built


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, artefact: Path) -> t.Iterator[Installed]:
    with Installed(tmp_path_factory.mktemp("installed"), 47, 1) as made:
        made.collections = made.folder / "collections"
        galaxy(made, "install", "--offline", str(artefact))
        yield made


def galaxy(fleet: Installed, *words: str) -> Run:
    run = fleet.controller(cores()[-1]).command(
        ["ansible-galaxy", "collection", words[0], "-p", str(fleet.collections), *words[1:]]
    )
    assert run.rc == 0, run.output
    return run


def test_it_holds_what_runs_and_what_says_so(artefact: Path) -> None:
    with tarfile.open(artefact) as archive:
        names = [member.name for member in archive.getmembers()]
    assert {name.split("/", 1)[0] for name in names} == TOP
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".tar.gz"))]
    # What the controller reads as data is there: the eBPF object, the catalog, the report's page.
    data = ("ebpf/toa.bpf.o", "catalog/catalog.yml", "source_code/trees.yml", "report/page/page.html")
    assert {f"plugins/plugin_utils/{path}" for path in data} <= set(names)


def test_what_is_installed_is_what_was_built(fleet: Installed) -> None:
    assert "Successfully verified" in galaxy(fleet, "verify", "--offline", "realip.toa").output


def test_every_playbook_is_found_by_its_name(fleet: Installed) -> None:
    names = [path.stem for path in found(ROOT / "playbooks", "*.yml")]
    run = fleet.controller(cores()[-1]).command(
        ["ansible-playbook", "--syntax-check", *(f"realip.toa.{name}" for name in names)]
    )
    assert run.rc == 0 and run.output.count("playbook: ") == len(names), run.output


@pytest.mark.parametrize("version", sorted({cores()[0], cores()[-1]}))
def test_a_host_goes_all_the_way_and_back(fleet: Installed, version: str) -> None:
    fleet.be("web01")
    assert str(fleet.collections) in fleet.controller(version).command(["ansible-doc", "-F", "realip.toa"]).output
    steps = (
        ("plan", "pending", STOCK), ("rollout", "proved", TOA), ("verify", "converged", TOA), ("rollback", "rolled_back", STOCK), ("remove", "removed", STOCK),
    )  # fmt: skip
    for playbook, state, kernel in steps:
        run, report = fleet.play(version, playbook)
        assert run.rc == 0 and report["web01"]["state"] == state and fleet.host("web01")["kernel"] == kernel, (
            playbook,
            run.output,
        )
    assert (fleet.reports / "remove.html").is_file()
