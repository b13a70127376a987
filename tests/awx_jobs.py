# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as AWX runs them, without AWX: the templates and the workflow of awx/controller.yml under ansible-runner, with the variables that AWX gives."""

from __future__ import annotations

import json
import os
import re
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import ansible_runner
import jsonschema
import yaml
from ansible_collections.realip.toa.plugins.plugin_utils.report import writers

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
DATA = yaml.safe_load((ROOT / "awx" / "controller.yml").read_text())
TEMPLATES = {item["name"]: item for item in DATA["controller_templates"]}
WORKFLOWS = {item["name"]: item for item in DATA["controller_workflows"]}
# Seconds after which a job is given up. Nobody sits at its terminal.
TIME_LIMIT = 1500
SCHEMA = json.loads((writers.PAGE / "report.schema.json").read_text())

# What AWX gives every job beside what somebody has answered, under its present and its former name.
OWN = {"job_id": 7, "job_launch_type": "manual", "job_template_id": 9, "inventory_id": 3, "inventory_name": "web", "user_id": 1, "user_name": "ops",
       "user_email": "", "user_first_name": "", "user_last_name": "", "project_revision": "0" * 40, "project_scm_branch": "main"}  # fmt: skip


def answers(item: t.Mapping[str, t.Any], **given: t.Any) -> dict[str, t.Any]:
    """The survey of a template or a workflow, answered by somebody who leaves everything but `given` as it is.

    AWX passes no default that it would not take as an answer: an empty text where there is a shortest one, or what is not among the choices.
    """
    answered = {}
    for question in item["survey_spec"]["spec"]:
        default = question.get("default")
        refused = (question["type"] == "text" and len(default or "") < question.get("min", 0)) or (
            question["type"] == "multiplechoice" and default not in question["choices"])  # fmt: skip
        if default is not None and not refused:
            answered[question["variable"]] = default.split("\n") if question["type"] == "multiselect" else default
    return {**answered, **given}


@dataclass
class Job:
    """A job that has ended, by what it has left in its folder."""

    private: Path
    artefacts: Path

    @property
    def code(self) -> int:
        return int((self.artefacts / "rc").read_text())

    @property
    def status(self) -> str:
        return (self.artefacts / "status").read_text()

    @property
    def log(self) -> str:
        return (self.artefacts / "stdout").read_text()

    @property
    def events(self) -> list[dict[str, t.Any]]:
        """In their order."""
        found = [json.loads(path.read_text()) for path in (self.artefacts / "job_events").glob("[0-9]*.json")]
        return sorted(found, key=lambda event: event["counter"])

    @property
    def stats(self) -> dict[str, t.Any]:
        """What the last event says: hosts by what came of them, and `artifact_data`."""
        (told,) = [event["event_data"] for event in self.events if event["event"] == "playbook_on_stats"]
        return t.cast("dict[str, t.Any]", told)

    def results(self, action: str) -> list[dict[str, t.Any]]:
        """What the tasks of a module have returned."""
        told = [event.get("event_data", {}) for event in self.events]
        return [data["res"] for data in told if data.get("task_action", "").endswith(action) and "res" in data]

    def report(self, kind: str) -> dict[str, t.Any]:
        """The report that the job has made, which is as its schema says; {} where it ended before it made one."""
        path = self.private / "reports" / f"{kind}.json"
        made = json.loads(path.read_text()) if path.exists() else {}
        if made:
            jsonschema.validate(made, SCHEMA)
        return t.cast("dict[str, t.Any]", made)

    def check(self) -> None:
        """The artefacts of a job are whole, and say the same."""
        counters = [event["counter"] for event in self.events]
        assert counters == list(range(1, len(counters) + 1)), "events are missing"
        assert (self.status, self.code == 0) in (("successful", True), ("failed", False)), self.log
        failed = {host for host, count in self.stats["failures"].items() if count}
        assert bool(failed) == (self.status == "failed"), self.log
        # A host that goes away is lost for the report, and never unreachable for Ansible.
        assert self.stats["dark"] == {}, self.log


def launch(
    folder: Path,
    project: Path,
    template: str,
    inventory: t.Any,
    *,
    limit: str = "",
    check: bool = False,
    **variables: t.Any,
) -> Job:
    """What AWX does with a template: a private folder, the options of the template, its own variables beside those of the survey, ansible-runner.

    `folder` is where private folders are made, `project` a checkout, `inventory` a path or the inventory itself.
    """
    item = TEMPLATES[template]
    private = folder / re.sub(r"\W+", "-", template)
    private.mkdir(parents=True, exist_ok=True)
    ident = str(1 + len(list(private.glob("artifacts/*"))))
    settings = {"toa_report_dir": str(private / "reports"), "toa_lock_cache": str(private / "packages")}
    own = {
        f"{product}_{name}": value
        for product in ("awx", "tower")
        for name, value in {**OWN, "job_template_name": template}.items()
    }
    options = (
        ["--become"] * item.get("become_enabled", False)
        + ["--diff"] * item.get("diff_mode", False)
        + ["--check"] * check
    )
    ansible_runner.run(
        private_data_dir=str(private), ident=ident, project_dir=str(project), playbook=item["playbook"], inventory=inventory, limit=limit or None,
        forks=item["forks"], timeout=TIME_LIMIT, extravars={**own, **settings, **variables}, cmdline=" ".join(options) or None, quiet=True,
        # AWX puts what it installed for the project in front of what the project's ansible.cfg says.
        envvars={
            "PATH": f"{BIN}:{os.environ['PATH']}",
            # A container of AWX starts in the private folder.
            "PWD": str(private),
            "ANSIBLE_COLLECTIONS_PATH": f"{private}/requirements_collections:collections:~/.ansible/collections:/usr/share/ansible/collections",
        },
    )  # fmt: skip
    job = Job(private, private / "artifacts" / ident)
    print(job.log)
    return job


def nodes(workflow: str) -> t.Iterator[dict[str, t.Any]]:
    """The nodes of a workflow in the order in which they come when each succeeds."""
    known = {node["identifier"]: node for node in WORKFLOWS[workflow]["workflow_nodes"]}
    follows = {
        next_["identifier"] for node in known.values() for next_ in node.get("related", {}).get("success_nodes", [])
    }
    (at,) = set(known) - follows
    while at:
        yield known[at]
        following = known[at].get("related", {}).get("success_nodes", [])
        at = following[0]["identifier"] if following else ""


def run_workflow(
    folder: Path,
    project: Path,
    workflow: str,
    inventory: t.Any,
    approve: t.Callable[[Job], bool],
    *,
    limit: str = "",
    **given: t.Any,
) -> dict[str, Job]:
    """A workflow until its end, a failure, or until `approve`, asked with the job before, says no: {identifier of a node: its job}.

    What is `given` answers the survey, or was typed as a variable at the launch. Of what gives a job its variables the later wins in AWX: survey of the
    template, node, artefacts of the jobs before, the workflow (WorkflowJobNode.get_job_kwargs).
    """
    variables = answers(WORKFLOWS[workflow], **given)
    artefacts: dict[str, t.Any] = {}
    done: dict[str, Job] = {}
    for node in nodes(workflow):
        kind, name = node["unified_job_template"]["type"], node["unified_job_template"]["name"]
        if kind == "workflow_approval":
            if not approve(list(done.values())[-1]):
                break
            continue
        told = {**answers(TEMPLATES[name]), **node.get("extra_data", {}), **artefacts, **variables}
        job = launch(folder, project, name, inventory, limit=limit, **told)
        job.check()
        done[node["identifier"]] = job
        if job.status != "successful":
            break
        artefacts |= job.stats["artifact_data"]
    return done
