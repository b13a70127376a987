# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role report and the playbook report on every ansible-core: files, exit code, what changed, and words of hosts that look like templates."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.report import writers
from sshd import ROOT, VENVS

from tests import report_samples

SCHEMA = json.loads((writers.PAGE / "report.schema.json").read_text())
PLAYBOOK = [{"hosts": "all", "gather_facts": False, "tasks": [
    # What a task of a play registers or sets is data; so is this, on every core.
    {"ansible.builtin.set_fact": {"__toa": "{{ (lookup('file', folder ~ '/hosts.json') | from_json)[inventory_hostname] }}", "cacheable": False}},
    {"ansible.builtin.import_role": {"name": "realip.toa.report", "rolespec_validate": False}, "vars": {"report_kind": "plan"},
     "run_once": True, "delegate_to": "localhost"},
]}]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of three hosts; one could not be looked at, and one has words that would be commands."""
    words = "{{ lookup('pipe', 'touch " + str(tmp_path / "owned") + "') }} </script>"
    plans = {"web1": report_samples.host(1)["__toa"], "web2": report_samples.host(4)["__toa"]}
    plans["web1"]["plan"]["reasons"] = [
        {"code": "no_digest", "severity": "block", "message": words, "remedy": words, "backend": ""}
    ]
    plans["web1"]["plan"]["state"] = "blocked"
    plans["web3"] = {"failed": True, "toa_state": "lost", "msg": "gone", "remedy": "look"}
    (tmp_path / "hosts.json").write_text(json.dumps(plans))
    (tmp_path / "inventory.json").write_text(
        json.dumps({"all": {"hosts": {host: {"ansible_connection": "local"} for host in plans}}})
    )
    (tmp_path / "run.yml").write_text(json.dumps(PLAYBOOK))
    return tmp_path


def run(core: str, folder: Path, playbook: str, *options: str, **variables: object) -> tuple[int, str]:
    given = {"folder": str(folder), "toa_report_dir": str(folder / "reports"), **variables}
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
    }
    done = subprocess.run([str(VENVS / core / "bin" / "ansible-playbook"), "-i", "inventory.json", playbook, *options, "-e", json.dumps(given)],
                          cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_run_and_what_is_made_of_it_afterwards(core: str, folder: Path) -> None:
    code, output = run(core, folder, "run.yml", toa_report_formats="html,json,csv,junit")
    assert code == 2 and "plan: 1 of 3 hosts need attention: web3" in output, output
    files = sorted(path.name for path in (folder / "reports").iterdir() if not path.is_dir())
    assert files == ["plan.csv", "plan.html", "plan.json", "plan.xml"]
    assert [path.name for path in (folder / "reports").iterdir() if path.is_dir()] == ["plan"]
    made = json.loads((folder / "reports" / "plan.json").read_text())
    jsonschema.validate(made, SCHEMA)
    assert {entry["host"]: entry["state"] for entry in made["hosts"]} == {
        "web1": "blocked",
        "web2": "pending",
        "web3": "lost",
    }
    assert made["hosts"][0]["why"].startswith("{{ lookup('pipe'") and not (folder / "owned").exists()
    assert made["changes"] is None

    # The host has come back: the run is well, and says what is new.
    plans = json.loads((folder / "hosts.json").read_text())
    plans["web3"] = plans["web2"]
    (folder / "hosts.json").write_text(json.dumps(plans))
    code, output = run(core, folder, "run.yml")
    assert code == 0, output
    made = json.loads((folder / "reports" / "plan.json").read_text())
    assert [
        (change["host"], change["before"]["state"], change["after"]["state"]) for change in made["changes"]["hosts"]
    ] == [("web3", "lost", "pending")]

    # Other files of the same run, of some hosts, without the run.
    code, output = run(
        core,
        folder,
        "realip.toa.report",
        toa_report_formats=["csv"],
        toa_only="state == 'blocked'",
        toa_report_kinds=["plan", "verify"],
    )
    assert code == 0 and "no report of a verify in" in output, output
    assert [line.split(",")[0] for line in (folder / "reports" / "plan.csv").read_text().splitlines()] == [
        "host",
        "web1",
    ]
    assert json.loads((folder / "reports" / "plan.json").read_text()) == made
    assert not (folder / "owned").exists()


def test_a_folder_that_cannot_be_written_to(core: str, folder: Path) -> None:
    (folder / "file").write_text("")
    code, output = run(core, folder, "run.yml", toa_report_dir=str(folder / "file" / "reports"))
    assert (
        code == 2
        and "the report cannot be written to" in output
        and "set toa_report_dir to a folder you may write to" in output
    )


def kept(folder: Path, kind: str = "rollout") -> list[dict]:
    """Every report of a kind that is in the history, the oldest first."""
    found = [path for path in (folder / "reports" / kind).iterdir() if not path.is_symlink()]
    return [json.loads((path / f"{kind}.json").read_text()) for path in sorted(found)]


def test_a_dry_run_and_a_run_of_some_hosts_take_nobodys_place(core: str, folder: Path) -> None:
    plans = json.loads((folder / "hosts.json").read_text())
    # What a dry run says of the kernel that it would boot is not what runs.
    record = {
        **plans["web2"],
        "outcome": {"state": "planned", "boot": {"kernel": "9.9.9-toa"}},
        "times": {"began": "2026-11-22T01:00:00Z"},
    }
    plans["web2"] = record
    (folder / "hosts.json").write_text(json.dumps(plans))
    playbook = json.dumps(PLAYBOOK).replace('"report_kind": "plan"', '"report_kind": "rollout"')
    (folder / "run.yml").write_text(playbook)
    reports = folder / "reports"
    run(core, folder, "run.yml")
    whole = (reports / "rollout.json").read_text(), (reports / "rollout.html").read_text()
    for options in (["--check"], ["--limit", "web2"], ["--check", "--limit", "web1,web2"]):
        code, output = run(core, folder, "run.yml", *options)
        assert ((reports / "rollout.json").read_text(), (reports / "rollout.html").read_text()) == whole, output
        assert (reports / "rollout" / "latest" / "rollout.json").read_text() == whole[0]
    run(core, folder, "run.yml", toa_only="plan.state == 'pending'")
    assert (reports / "rollout.json").read_text() == whole[0]
    made = kept(folder)
    assert [(one["check"], one["ran"]["limit"], len(one["hosts"])) for one in made] == [
        (False, "", 3), (True, "", 3), (False, "web2", 1), (True, "web1,web2", 2), (False, "", 2)]  # fmt: skip
    kernels = [next(host["kernel"] for host in one["hosts"] if host["host"] == "web2") for one in made]
    assert [kernel == "9.9.9-toa" for kernel in kernels] == [True, False, True, False, True]
    # A whole run does.
    run(core, folder, "run.yml")
    assert (
        (reports / "rollout.json").read_text()
        == (reports / "rollout" / "latest" / "rollout.json").read_text()
        != whole[0]
    )


def test_who_ran_what_is_in_the_head(core: str, folder: Path) -> None:
    code, output = run(
        core,
        folder,
        "run.yml",
        "--limit",
        "web2",
        toa_hosts="all",
        awx_user_name="ops",
        awx_job_id=7,
        awx_job_template_name="TOA plan",
    )
    (made,) = kept(folder, "plan")
    jsonschema.validate(made, SCHEMA)
    ran = made["ran"]
    assert (ran["by"], ran["playbook"], ran["limit"], ran["hosts"], ran["job"]) == (
        "ops",
        "run.yml",
        "web2",
        "",
        "job 7 TOA plan",
    )
    assert ran["inventory"].endswith("/inventory.json") and ran["on"]
    assert (
        f"plan | by ops@{ran['on']} | playbook run.yml | inventory {ran['inventory']} | limit web2 | job 7 TOA plan"
        in output
    )


UPLOAD = """
- ansible.builtin.copy:
    content: "{{ report_written.folder }} {{ report_written.files | length }} {{ report_said.verdict }}"
    dest: "{{ folder }}/uploaded"
"""


def test_the_operators_tasks_come_after_the_files_and_before_the_end(core: str, folder: Path) -> None:
    (folder / "upload.yml").write_text(UPLOAD)
    code, output = run(core, folder, "run.yml", toa_report_tasks="upload.yml", ansible_become=True)
    assert code == 2, output
    told = (folder / "uploaded").read_text()
    assert told.startswith(str(folder / "reports" / "plan")) and told.endswith(
        " 2 plan: 1 of 3 hosts need attention: web3"
    )
    # What goes wrong there is said beside what is wrong with hosts.
    (folder / "upload.yml").write_text("- ansible.builtin.fail: {msg: the store is full}")
    code, output = run(core, folder, "run.yml", toa_report_tasks="upload.yml")
    assert code == 2 and "need attention: web3; the store is full" in output, output


def test_the_hosts_are_told_before_the_files_are_written(core: str, folder: Path) -> None:
    """Also where the folder has gone during the run."""
    (folder / "file").write_text("")
    code, output = run(core, folder, "run.yml", toa_report_dir=str(folder / "file" / "reports"))
    assert code == 2
    assert 0 < output.index("web2: pending") < output.index("the report cannot be written to")
    assert "1 of 3 hosts need attention: web3; the report cannot be written to" in output
