# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX and Ansible Automation Platform: the data against awx.awx's own specs and against our variables, the execution environment, the pattern, and jobs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import awx_collection
import jsonschema
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.realip.toa.plugins.action.toa_plan import ActionModule as Plan
from ansible_collections.realip.toa.plugins.plugin_utils.planner import policy as policy_module
from fleet import Fleet
from pretend_controller import Controller
from sshd import ROOT, VENVS

from tests import awx_jobs, derived
from tests.awx_jobs import DATA, TEMPLATES
from tests.found import found
from tests.newcomer import galaxy

BIN = Path(sys.executable).parent
KINDS = {
    "controller_labels": "label", "controller_execution_environments": "execution_environment", "controller_projects": "project",
    "controller_templates": "job_template", "controller_workflows": "workflow_job_template", "controller_schedules": "schedule",
}  # fmt: skip
ITEMS = [(kind, item) for name, kind in KINDS.items() for item in DATA[name]]
SURVEYED = [*DATA["controller_templates"], *DATA["controller_workflows"]]
QUESTIONS = {question["variable"]: question for item in SURVEYED for question in item["survey_spec"].get("spec", [])}

# What AWX takes as a question (documentation of its API, job_template_survey_spec).
QUESTION_TYPES = {
    "text": str,
    "textarea": str,
    "integer": int,
    "float": float,
    "multiplechoice": str,
    "multiselect": str,
}
QUESTION_KEYS = {
    "question_name",
    "question_description",
    "variable",
    "type",
    "choices",
    "min",
    "max",
    "default",
    "required",
}

# Variables whose spec says `raw`: what a text has to be is for the code that reads it, and the jobs below run with it.
RAW = {"toa_waves": "1,5%,25%,100%", "toa_max_failures": "0", "toa_window": ""}


def variables() -> dict[str, dict[str, t.Any]]:
    """Every variable that a role, toa_plan or a playbook by itself documents, as {type, default, choices}."""
    known = {
        f"toa_{name}": {**Plan.SPEC[name], "default": default}
        for name, default in policy_module.POLICY.items()
        if name in Plan.SPEC
    }
    for path in found(ROOT, "roles/*/meta/argument_specs.yml"):
        known.update(yaml.safe_load(path.read_text())["argument_specs"]["main"].get("options") or {})
    known.update({name: option for name, (_reader, option) in derived.ELSEWHERE.items() if isinstance(option, dict)})
    return known


# ---- data


@pytest.mark.parametrize("kind, item", ITEMS, ids=[f"{kind}: {item['name']}" for kind, item in ITEMS])
def test_awx_awx_takes_it(kind: str, item: dict) -> None:
    checked = ArgumentSpecValidator(awx_collection.argument_spec(kind)).validate(item)
    assert checked.error_messages == []


def test_the_check_would_find_a_mistake() -> None:
    wrong = {**TEMPLATES["TOA plan"], "playbok": "x", "forks": "many"}
    assert len(ArgumentSpecValidator(awx_collection.argument_spec("job_template")).validate(wrong).error_messages) == 2


def test_applying_it(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        **awx_collection.stand_in(tmp_path, KINDS.values()),
        "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
    }
    done = subprocess.run([str(BIN / "ansible-playbook"), "-i", "localhost,", str(ROOT / "awx" / "apply.yml")],
                          env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"localhost +: ok=6 +changed=6 ", done.stdout)


def apply(folder: Path, controller: Controller) -> list[str]:
    """Run awx/apply.yml with the real modules of awx.awx: the requests that change something, in order."""
    awx_collection.modules()
    environment = {
        **os.environ,
        **controller.environment,
        "ANSIBLE_CONFIG": str(folder / "none.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(awx_collection.CACHE),
    }
    controller.changes = []
    command = [str(BIN / "ansible-playbook"), "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run([*command, str(ROOT / "awx" / "apply.yml")], env=environment, cwd=folder, capture_output=True, text=True,
                          timeout=600, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return controller.changes


def test_applying_it_twice_to_a_controller(tmp_path: Path) -> None:
    """All is there after the first time, and nothing changes the second time: what somebody has switched on stays on."""
    with Controller() as controller:
        apply(tmp_path, controller)
        for name, kind in (("controller_templates", "job_templates"), ("controller_projects", "projects"), ("controller_labels", "labels")):  # fmt: skip
            assert {item["name"] for item in controller.kept[kind].values()} == {item["name"] for item in DATA[name]}
        for template in TEMPLATES.values():
            made = controller.named("job_templates", template["name"])
            assert controller.surveys["job_templates", made["id"]] == template["survey_spec"]
            assert controller.kept["projects"][made["project"]]["name"] == template["project"]
        (workflow,) = controller.kept["workflow_job_templates"].values()
        assert controller.surveys["workflow_job_templates", workflow["id"]]["spec"]
        order, node = [], controller.named("workflow_job_template_nodes", "plan")
        while node:
            order.append(node["identifier"])
            after = controller.ties.get(("workflow_job_template_nodes", node["id"], "success_nodes"), [])
            node = controller.kept["workflow_job_template_nodes"][after[0]] if after else None
        assert order == ["plan", "canary", "approval", "rollout", "verify"]
        (schedule,) = controller.kept["schedules"].values()
        assert schedule["enabled"] is False
        # Somebody gives it an inventory, and switches it on; and has changed the rest as well.
        schedule.update(
            enabled=True, inventory=5, rrule="DTSTART;TZID=Etc/UTC:20260101T041500 RRULE:FREQ=DAILY;INTERVAL=1"
        )
        controller.named("job_templates", "TOA plan")["forks"] = 1
        before = controller.state()
        again = apply(tmp_path, controller)
        # awx.awx writes an approval node each time, with what it has; what is ours is put right, and nothing else is touched.
        assert sorted(request.rstrip("/0123456789") for request in again) == [
            "PATCH /api/v2/job_templates", "PATCH /api/v2/workflow_approval_templates"]  # fmt: skip
        assert controller.named("job_templates", "TOA plan").pop("forks") == TEMPLATES["TOA plan"]["forks"]
        for place in before["job_templates"].values():
            place.pop("forks", None) if place["name"] == "TOA plan" else None
        assert controller.state() == before


def test_dispatch_is_a_role(tmp_path: Path) -> None:
    """Of infra.aap_configuration, which reads variables of these names (its own list, dispatch/defaults/main.yml) and is handed each of ours."""
    role = tmp_path / "ansible_collections" / "infra" / "aap_configuration" / "roles" / "dispatch" / "tasks"
    role.mkdir(parents=True)
    names = [
        f"controller_{what}"
        for what in ("labels", "execution_environments", "projects", "templates", "workflows", "schedules")
    ]
    assert set(names) == {name for name in DATA if name.startswith("controller_")}
    shown = ", ".join(f"({name} | length)" for name in names)
    (role / "main.yml").write_text(
        yaml.safe_dump([{"ansible.builtin.debug": {"msg": f"{{{{ [aap_hostname, aap_token, {shown}] }}}}"}}])
    )
    environment = {**os.environ, "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
                   "CONTROLLER_HOST": "https://awx.example", "CONTROLLER_OAUTH_TOKEN": "secret"}  # fmt: skip
    done = subprocess.run([str(BIN / "ansible-playbook"), "-i", "localhost,", str(ROOT / "awx" / "dispatch.yml")], env=environment, cwd=tmp_path,
                          capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(re.search(r"=> (\{.*\})", done.stdout, re.DOTALL)[1])["msg"]
    assert told == ["https://awx.example", "secret", *(len(DATA[name]) for name in names)]


def test_what_is_named_is_there() -> None:
    labels = {item["name"] for item in DATA["controller_labels"]}
    projects = {item["name"] for item in DATA["controller_projects"]}
    environments = {item["name"] for item in DATA["controller_execution_environments"]}
    for template in TEMPLATES.values():
        assert (ROOT / template["playbook"]).is_file(), template["playbook"]
        assert (
            set(template["labels"]) <= labels
            and template["project"] in projects
            and template["execution_environment"] in environments
        )
    for schedule in DATA["controller_schedules"]:
        assert schedule["unified_job_template"] in TEMPLATES
        assert re.fullmatch(r"DTSTART;TZID=Etc/UTC:\d{8}T\d{6} RRULE:FREQ=DAILY;INTERVAL=1", schedule["rrule"])


PROJECT = ROOT / "awx" / "project"


def test_a_project_of_ones_own() -> None:
    """The skeleton pins this version, and has every playbook of the templates: each hands over to the collection's own."""
    (wanted,) = yaml.safe_load((PROJECT / "collections" / "requirements.yml").read_text())["collections"]
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    assert wanted == {"name": "realip.toa", "version": version}
    wrapped = {
        path.relative_to(PROJECT).as_posix()
        for path in [*found(PROJECT / "playbooks", "*.yml"), PROJECT / "rollout.yml"]
    }
    assert {template["playbook"] for template in TEMPLATES.values()} <= wrapped
    for name in wrapped:
        (play,) = yaml.safe_load((PROJECT / name).read_text())
        assert play["ansible.builtin.import_playbook"] == f"realip.toa.{Path(name).stem}"
        assert (ROOT / "playbooks" / f"{Path(name).stem}.yml").is_file()
    ours = (ROOT / "ansible.cfg").read_text().splitlines()
    assert set((PROJECT / "ansible.cfg").read_text().splitlines()) <= set(ours)


STORE = """
import http.server, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        pathlib.Path(sys.argv[1], self.path.strip("/").replace("/", "_")).write_bytes(body)
        self.send_response(201); self.end_headers()
    def log_message(self, *told): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def test_a_job_of_ones_own_project(core: str, tmp_path: Path) -> None:
    """It plans, leaves its substance behind in the artefacts, and uploads the report before its container goes."""
    project, store = tmp_path / "project", tmp_path / "store"
    shutil.copytree(PROJECT, project)
    store.mkdir()
    server = subprocess.Popen([sys.executable, "-c", STORE, str(store)], stdout=subprocess.PIPE, text=True)
    try:
        port = t.cast("t.IO[str]", server.stdout).readline().strip()
        # Nobody is there; and a daemon has another PWD.
        environment = {**os.environ, "PWD": "/", "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
        command = [str(VENVS / core / "bin" / "ansible-playbook"), "-i", "inventory", "playbooks/plan.yml", "-e", f"report_store=http://127.0.0.1:{port}/toa",
                   "-e", "ansible_ssh_executable=/bin/false"]  # fmt: skip
        done = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
    finally:
        server.kill()
    output = done.stdout + done.stderr
    assert done.returncode == 2 and "2 unreachable" in output and output.count("plan: lost: ") >= 2, output
    (run,) = [path for path in (project / "reports" / "plan").iterdir() if not path.is_symlink()]
    assert sorted(path.name for path in store.iterdir()) == [f"toa_{run.name}_plan.html", f"toa_{run.name}_plan.json"]
    assert (store / f"toa_{run.name}_plan.json").read_text() == (project / "reports" / "plan.json").read_text()


def test_every_playbook_has_a_template() -> None:
    """But `report`, whose files a job would leave behind in its container, and `image`, which whoever builds images calls."""
    playbooks = {path.name for path in found(ROOT / "playbooks", "*.yml")} - {"report.yml", "image.yml"}
    assert {Path(template["playbook"]).name for template in TEMPLATES.values()} == playbooks


def test_the_workflow_asks_after_the_first_wave() -> None:
    (workflow,) = DATA["controller_workflows"]
    documented = awx_collection.documentation("workflow_job_template")["workflow_nodes"]["suboptions"]
    nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
    asked_once = {question["variable"] for question in workflow["survey_spec"]["spec"]}
    for node in nodes.values():
        assert set(node) <= set(documented)
        assert set(node["unified_job_template"]) <= set(documented["unified_job_template"]["suboptions"])
        if node["unified_job_template"]["type"] == "job_template":
            asked = {
                question["variable"]
                for question in TEMPLATES[node["unified_job_template"]["name"]]["survey_spec"]["spec"]
            }
            # What the workflow asks for wins over its nodes in AWX.
            assert set(node.get("extra_data", {})) <= asked - asked_once
        # Whatever fails ends the workflow: nothing follows but on success.
        assert set(node.get("related", {})) <= {"success_nodes"}
    path = [node["identifier"] for node in awx_jobs.nodes(workflow["name"])]
    assert path == ["plan", "canary", "approval", "rollout", "verify"] and set(path) == set(nodes)
    assert nodes["approval"]["unified_job_template"]["type"] == "workflow_approval"
    assert (nodes["canary"]["extra_data"], nodes["rollout"]["extra_data"]) == (
        {"toa_pause_after_canary": "true"},
        {"toa_pause_after_canary": "false"},
    )


# ---- surveys


@pytest.mark.parametrize("variable", QUESTIONS)
def test_a_question_is_a_variable_with_its_type_choices_and_default(variable: str) -> None:
    question, option = QUESTIONS[variable], variables()[variable]
    default, choices = option.get("default"), [choice for choice in option.get("choices") or [] if choice]
    kind = option.get("type", "str")
    if kind == "bool":
        expected = ("multiplechoice", ["false", "true"], str(default).lower())
    elif kind == "int":
        expected = ("integer", None, default)
    elif kind == "list" and choices:
        expected = ("multiselect", choices, "\n".join(default))
    elif kind == "dict":
        # YAML, on several lines; what is not given is not set.
        assert default in (None, {})
        expected = ("textarea", None, None)
    elif kind == "raw":
        expected = ("text", None, RAW[variable])
        assert default == (RAW[variable].split(",") if isinstance(default, list) else RAW[variable]) or str(default) == RAW[variable] or [
            str(item) for item in default] == RAW[variable].split(",")  # fmt: skip
    else:
        expected = ("multiplechoice" if choices else "text", choices or None, default)
    assert (question["type"], question.get("choices"), question.get("default")) == expected


@pytest.mark.parametrize("item", SURVEYED, ids=lambda item: item["name"])
def test_surveys_are_what_awx_takes(item: dict) -> None:
    survey = item["survey_spec"]
    if not item["survey_enabled"]:
        assert survey == {}
        return
    assert set(survey) == {"name", "description", "spec"} and survey["spec"]
    names = [question["variable"] for question in survey["spec"]]
    assert len(set(names)) == len(names)
    for question in survey["spec"]:
        assert set(question) <= QUESTION_KEYS
        # What has a default may be left out, and what must be answered has none.
        assert question["required"] is ("default" not in question)
        assert question["required"] or isinstance(question["default"], QUESTION_TYPES[question["type"]])
        assert ("choices" in question) == (question["type"] in ("multiplechoice", "multiselect"))


@pytest.mark.parametrize("item", SURVEYED, ids=lambda item: item["name"])
def test_who_answers_nothing_overrides_nothing(item: dict) -> None:
    """An answer is an extra variable, and wins over the inventory: consents are not asked for, and what is left empty is not passed."""
    given = awx_jobs.answers(item)
    assert "" not in given.values()
    assert not {
        name
        for name in given
        if name.startswith(("toa_accept", "toa_trusted_")) or name in ("toa_vendor", "toa_only", "toa_window")
    }


# ---- the pattern and the execution environment


def test_the_pattern_asks_what_the_template_asks() -> None:
    folder = ROOT / "extensions" / "patterns" / "toa_rollout"
    pattern = json.loads((folder / "meta" / "pattern.json").read_text())
    assert pattern["name"] == folder.name and (folder / "README.md").is_file()
    resources = pattern["aap_resources"]
    (template,) = resources["controller_job_templates"]
    assert (folder / "playbooks" / template["playbook"]).is_file()
    assert template["execution_environment"] == resources["controller_execution_environment"]["name"]
    asked = TEMPLATES[template["name"]]["survey_spec"]["spec"]
    assert template["survey"]["spec"] == [{**question, "default": str(question["default"])} for question in asked]


def test_ansible_builder_makes_a_context(tmp_path: Path) -> None:
    definition = yaml.safe_load((ROOT / "execution-environment.yml").read_text())
    schema = next(Path(sys.prefix).glob("lib/python*/site-packages/ansiblelint/schemas/execution-environment.json"))
    jsonschema.validate(definition, json.loads(schema.read_text()))
    context = tmp_path / "context"
    done = subprocess.run([str(BIN / "ansible-builder"), "create", "-f", str(ROOT / "execution-environment.yml"), "-c", str(context),
                           "--output-filename", "Containerfile"], capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    text = (context / "Containerfile").read_text()
    assert "quay.io/centos/centos:stream10" in text and "ansible-core>=2.21" in text
    assert yaml.safe_load((context / "_build" / "requirements.yml").read_text()) == {
        "collections": [{"name": "realip.toa", "version": "1.0.0"}]
    }
    # The context's own script finds what the collection needs, as it would inside of the build.
    answer = subprocess.run([sys.executable, str(context / "_build" / "scripts" / "introspect.py"), "introspect", str(ROOT / "collections")],
                            capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    found = yaml.safe_load(answer.stdout)
    assert [line.split("#")[0].strip() for line in found["python"]] == ["jmespath>=1.0"]
    assert {line.split("#")[0].strip() for line in found["system"]} == {
        "openssh-clients [platform:rpm]",
        "openssh-client [platform:dpkg]",
        "sshpass",
    }


# ---- jobs


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return galaxy.exported(tmp_path_factory.mktemp("awx") / "project", without=("tests/", "lab/"))


# This machine stands for a host; nothing below changes one.
HERE = {"all": {"hosts": {"web1": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}}


@pytest.mark.parametrize("template, check", [("TOA plan", False), ("TOA rollout", True), ("TOA rollback", True)])
def test_a_job(project: Path, template: str, check: bool) -> None:
    # A workflow gives the artefacts of the job before as variables.
    before = {"kind": "plan", "summary": {"pending": 1}, "attention": False, "verdict": ""}
    job = awx_jobs.launch(
        project.parent, project, template, HERE, check=check, **awx_jobs.answers(TEMPLATES[template]), toa_report=before
    )
    job.check()
    kind = template.split()[1]
    made = job.report(kind)
    assert [entry["host"] for entry in made["hosts"]] == ["web1"] and made["check"] == check
    # Of what this machine is, the plan alone is sure to be able to tell.
    assert not made["failed"] or kind == "rollout", job.log
    assert job.status == ("failed" if made["failed"] else "successful"), job.log
    assert (job.private / "reports" / f"{kind}.html").is_file()
    # What a workflow can go by, in the job's artefacts.
    told = job.stats["artifact_data"]["toa_report"]
    assert told["hosts"] == {made["hosts"][0]["state"]: ["web1"]} and told["ran"]["by"] == "ops"
    assert told["summary"] == made["summary"] and told["attention"] is made["failed"]
    assert "TOA: " in job.log


def test_nobody_is_asked_at_the_terminal_of_a_job(project: Path, tmp_path: Path) -> None:
    """Jobs have one, and nobody sits there. The canary is proved, the other host waits for the job behind the approval."""
    with Fleet(tmp_path, net=62, size=2) as fleet:
        told = awx_jobs.answers(TEMPLATES["TOA rollout"], toa_pause_after_canary="true")
        canary = awx_jobs.launch(tmp_path, project, "TOA rollout", fleet.inventory(fleet.names, {}), **told)
        canary.check()
        assert (canary.status, canary.report("rollout")["summary"]) == ("successful", {"proved": 1, "pending": 1})


def test_a_job_with_a_wrong_answer_says_so_once(project: Path) -> None:
    job = awx_jobs.launch(project.parent, project, "TOA plan", HERE, toa_only="plan.stat == 'pending'")
    assert job.status == "failed"
    assert 1 <= job.log.count("there is no plan.stat; did you mean plan.state?") <= 2
    assert job.results("toa_plan") == []


def test_a_build_host_that_is_not_meant_builds_nothing(project: Path) -> None:
    job = awx_jobs.launch(
        project.parent,
        project,
        "TOA build_kernel",
        HERE,
        toa_only="facts.os.id == 'nothing'",
        toa_hosts="web1",
        toa_kernel="source: /x\nsha256:",
    )
    assert job.status == "successful" and len(job.results("toa_plan")) == 1
    assert job.results("toa_source") == []
