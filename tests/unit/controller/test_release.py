# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a release is made: nothing by a name that somebody can move, and no secret where something is built. `make release-check` rehearses it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
RELEASE = ROOT / ".github" / "workflows" / "release.yml"


def jobs(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_and_images_are_named_by_digest(path: Path) -> None:
    for name, job in jobs(path).items():
        image = (job.get("container") or {}).get("image")
        assert image is None or re.fullmatch(r"[\w./:-]+@sha256:[0-9a-f]{64}", image), (name, image)
        for step in job["steps"]:
            assert "uses" not in step or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]), (name, step)
            for line in step.get("run", "").splitlines():
                assert "pip install" not in line or "--require-hashes" in line, (name, line)


def test_what_builds_has_no_secret_and_what_has_one_builds_nothing() -> None:
    text = {name: yaml.safe_dump(job) for name, job in jobs(RELEASE).items()}
    assert sorted(text) == ["build", "publish"]
    assert "secrets." not in text["build"] and jobs(RELEASE)["build"]["permissions"] == {"contents": "read"}
    assert "secrets.GALAXY_TOKEN" in text["publish"] and "secrets.SIGNING_KEY" in text["publish"]
    for word in (".ci/run", "make ", "nox", "release.sh build", "collection build"):
        assert word not in text["publish"]
    assert jobs(RELEASE)["publish"]["needs"] == "build" and jobs(RELEASE)["publish"]["environment"]
    assert yaml.safe_load(RELEASE.read_text())["permissions"] == {}
    for path in WORKFLOWS:
        if path != RELEASE:
            assert "secrets." not in path.read_text()
    assert all("persist-credentials: false" in yaml.safe_dump(job) for job in jobs(RELEASE).values())


def test_it_is_signed_verified_and_attested_before_it_is_published() -> None:
    steps = [step.get("run", "") + step.get("uses", "") for step in jobs(RELEASE)["publish"]["steps"]]
    order = ["release.sh sign", "release.sh verify", "attest-build-provenance", "release.sh publish"]
    places = [(number, text.index(word)) for word in order for number, text in enumerate(steps) if word in text]
    assert len(places) == len(order) and places == sorted(places)


@pytest.mark.parametrize("folder", ["release", ".ci"])
def test_every_tool_has_its_digests(folder: str) -> None:
    text = (ROOT / folder / "requirements.txt").read_text()
    named = re.findall(r"(?m)^([\w.-]+)(?:\[[\w,-]+\])?==\S+.*\\$", text)
    assert len(named) > 3
    assert len(re.findall(r"(?m)^[\w.-]", text)) == len(named), "a line without a digest"
    wanted = [line for line in (ROOT / folder / "requirements.in").read_text().splitlines() if line and line[0] != "#"]
    assert {re.split(r"[\[<>=!~]", line)[0] for line in wanted} <= set(named)


def test_awx_takes_a_version_and_not_what_is_newest() -> None:
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    data = yaml.safe_load((ROOT / "awx" / "controller.yml").read_text())
    assert [image["image"].rpartition(":")[2] for image in data["controller_execution_environments"]] == [version]
    assert [project["scm_branch"] for project in data["controller_projects"]] == [f"v{version}"]
    environment = yaml.safe_load((ROOT / "execution-environment.yml").read_text())
    assert environment["dependencies"]["galaxy"]["collections"] == [{"name": "realip.toa", "version": version}]
