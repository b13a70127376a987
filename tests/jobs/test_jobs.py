# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make jobs`: the templates and the workflow of awx/controller.yml as AWX runs them, for machines of the lab, and what they leave in their artefacts.

Debian 12 and 13 take the eBPF programs; debian8 is dressed as Debian 8, and has a kernel exchanged. Each test needs the one before.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests import awx_jobs
from tests.lab.conftest import Lab
from tests.newcomer import galaxy

STOCK = {"debian12": "6.1.", "debian13": "6.12.", "debian8": "3.16.0-11-amd64"}
EXCHANGED = "debian8"
KERNEL = "3.16.43.toa"
INSTALLED = f"dpkg-query -W -f '${{db:Status-Status}}' linux-image-{KERNEL} 2>/dev/null"


@dataclasses.dataclass
class Controller:
    """Machines from stock, and a checkout as a project of AWX."""

    lab: Lab
    project: Path

    def job(self, template: str, *hosts: str, **answers: t.Any) -> awx_jobs.Job:
        given = awx_jobs.answers(awx_jobs.TEMPLATES[template], toa_lockfile=str(self.lab.lockfile), **answers)
        job = awx_jobs.launch(
            self.lab.work,
            self.project,
            template,
            str(self.lab.inventory),
            limit=",".join(hosts or self.lab.hosts),
            **given,
        )
        job.check()
        assert job.status == "successful", job.log
        return job

    def workflow(self, approve: Callable[[awx_jobs.Job], bool]) -> dict[str, awx_jobs.Job]:
        return awx_jobs.run_workflow(self.lab.work, self.project, "TOA rollout with approval", str(self.lab.inventory), approve,
                                     limit=",".join(self.lab.hosts), toa_lockfile=str(self.lab.lockfile))  # fmt: skip

    def kernels(self) -> dict[str, str]:
        return {host: self.lab.one_line(host, "uname -r") for host in self.lab.hosts}


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Controller]:
    lab = Lab(tuple(STOCK), tmp_path_factory.mktemp("jobs"))
    lab.command("up", *lab.hosts)
    lab.reset()
    yield Controller(lab, galaxy.exported(lab.work / "project", without=("tests/", "lab/")))
    lab.command("down", *lab.hosts)


def states(job: awx_jobs.Job, kind: str) -> dict[str, str]:
    """{host: state} of the report of a job, which says the same as its artefacts and lies there as a page too."""
    report = job.report(kind)
    assert job.stats["artifact_data"]["toa_report"]["summary"] == report["summary"]
    assert (job.private / "reports" / f"{kind}.html").stat().st_mtime >= (job.artefacts / "command").stat().st_mtime
    return {entry["host"]: entry["state"] for entry in report["hosts"]}


def test_lock(controller: Controller) -> None:
    job = controller.job("TOA lock")
    packages = yaml.safe_load(controller.lab.lockfile.read_text())["packages"]
    assert [package["file"] for package in packages] == [f"linux-image-{KERNEL}_1.0_amd64.deb"]
    # The file ends with the job in AWX: its text is in the log.
    assert packages[0]["sha256"] in job.log


def test_the_workflow(controller: Controller) -> None:
    asked: list[dict[str, str]] = []

    def approve(canary: awx_jobs.Job) -> bool:
        asked.append(states(canary, "rollout"))
        assert controller.kernels()[EXCHANGED] == STOCK[EXCHANGED], "nobody has approved yet"
        return True

    done = controller.workflow(approve)
    assert asked == [{"debian12": "proved", "debian13": "pending", "debian8": "pending"}]
    assert list(done) == ["plan", "canary", "rollout", "verify"]
    assert states(done["plan"], "plan") == dict.fromkeys(STOCK, "pending")
    assert states(done["rollout"], "rollout") == {"debian12": "converged", "debian13": "proved", "debian8": "proved"}
    assert {entry["verdict"] for entry in done["verify"].report("verify")["hosts"]} == {"translating"}
    assert controller.kernels()[EXCHANGED] == KERNEL
    assert any("TOA: wave 1 of" in event.get("stdout", "") for event in done["rollout"].events)


def test_rollback(controller: Controller) -> None:
    assert states(controller.job("TOA rollback", EXCHANGED), "rollback") == {EXCHANGED: "rolled_back"}
    assert controller.kernels()[EXCHANGED] == STOCK[EXCHANGED]
    assert controller.lab.one_line(EXCHANGED, INSTALLED) == "installed"


def test_remove(controller: Controller) -> None:
    assert states(controller.job("TOA remove"), "remove") == dict.fromkeys(STOCK, "removed")
    assert all(kernel.startswith(STOCK[host]) for host, kernel in controller.kernels().items())
    assert controller.lab.ssh(EXCHANGED, INSTALLED, check=False) == ""
