# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worked examples of docs/extending.md, followed to the letter in a copy of the checkout: patches, plans, units."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from sshd import ROOT
from test_docs import blocks

PAGE = "docs/extending.md"
EXAMPLES = ["To add an option format", "To add a distribution", "To add a vendor's package", "To add a backend"]
LEFT_OUT = shutil.ignore_patterns(".git", ".lab", ".nox", ".*_cache", ".hypothesis", "__pycache__", "_site", "reports")


class Example(t.NamedTuple):
    title: str
    patches: list[str]
    asked: dict[str, t.Any]
    """Options of toa_plan."""
    said: dict[str, t.Any]
    """What the page says comes of it: parts of the answer."""


def examples(text: str, folder: Path) -> list[Example]:
    section = text.split("\n## Worked examples\n")[1].split("\n## ")[0]
    found = []
    for part in section.split("\n### ")[1:]:
        title, _newline, body = part.partition("\n")
        (page := folder / "part.md").write_text(body)
        asked, said = map(yaml.safe_load, blocks(page, "yaml"))
        found.append(Example(title, blocks(page, "diff"), asked, said))
    return found


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout with every example applied."""
    folder = tmp_path_factory.mktemp("followed") / "toa"
    shutil.copytree(ROOT, folder, symlinks=True, ignore=LEFT_OUT)
    followed = examples((ROOT / PAGE).read_text(encoding="utf-8"), folder.parent)
    assert [example.title for example in followed] == EXAMPLES
    for example in followed:
        for patch in example.patches:
            done = subprocess.run(
                ["patch", "-p1", "--no-backup-if-mismatch"],
                cwd=folder,
                input=patch,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (example.title, done.stdout, done.stderr)
    (script,) = re.findall(r"`python (tests/\w+\.py)`", (ROOT / PAGE).read_text(encoding="utf-8"))
    run(folder, folder / script)
    return folder


def run(copy: Path, *words: str | Path) -> str:
    """What a module of Python, or a script, prints in the copy."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(copy / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(copy / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONPATH": str(copy / "collections"),
    }
    module = [] if isinstance(words[0], Path) else ["-m"]
    done = subprocess.run(
        [sys.executable, *module, *map(str, words)],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=EXAMPLES)
def test_the_plan_is_what_the_page_says(copy: Path, number: int) -> None:
    example = examples((copy / PAGE).read_text(encoding="utf-8"), copy.parent)[number]
    said = example.said
    output = run(copy, "ansible", "adhoc", "localhost", "-m", "realip.toa.toa_plan", "-a", json.dumps(example.asked))
    answer = json.loads(output[output.index("=> {") + 3 :])
    plan, system = answer["plan"], answer["ansible_facts"]["toa"]["os"]
    assert {key: plan[key] for key in said["plan"]} == said["plan"]
    assert {key: system[key] for key in said.get("os", {})} == said.get("os", {})
    assert set(said.get("reasons", [])) <= {
        reason["code"] for reason in plan["reasons"] if reason["severity"] == "block"
    }


LEFT = Path("/run/acme-address.conf")
PLAN = {
    "state": "pending", "goal": "install", "backend": "built_in", "option_kinds": ["77/8"], "module": "", "service": "", "kernel_target": "", "reboot": False,
    "packages": [], "option_filter": False, "filters_sources": False, "monitor": False,
}  # fmt: skip


def role(name: str, tasks: str, **variables: t.Any) -> dict[str, t.Any]:
    given = {"name": f"realip.toa.{name}", "tasks_from": tasks, "rolespec_validate": False}
    return {"name": f"{name} {tasks}", "ansible.builtin.include_role": given, "vars": variables}


def played(copy: Path, *tasks: dict[str, t.Any]) -> str:
    facts = {"name": "facts", "realip.toa.toa_facts": {}}
    begin = {"name": "begin", "realip.toa.toa_record": {"step": "begin"}, "register": "__toa"}
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [facts, begin, *tasks]}]
    (copy / "followed.yml").write_text(yaml.safe_dump(play, sort_keys=False), encoding="utf-8")
    return run(copy, "ansible", "playbook", "followed.yml")


INSTALLED = {"name": "installed", "ansible.builtin.command": f"cat {LEFT}", "changed_when": False}


def test_a_backend_that_fails_its_proof_leaves_nothing(copy: Path) -> None:
    stage = {"name": "backend", "role": "built_in", "do": "main", "undo": "revert"}
    unproved = {"name": "unproved", "ansible.builtin.fail": {"msg": "the proof failed"}}
    sequence = {
        "block": [role("rollout", "stage", rollout_plan=PLAN, rollout_stage=stage), INSTALLED, unproved],
        "rescue": [role("rollout", "revert", rollout_plan=PLAN)],
    }
    told = played(copy, sequence)
    # Installed, refused by the proof, taken back.
    assert re.search(r"rescued=1 ", told) and "the proof failed" in told, told
    assert not LEFT.exists(), told


def test_a_backend_says_what_it_has_left_and_its_role_takes_that_away(copy: Path) -> None:
    ask = (
        "from ansible_collections.realip.toa.plugins.plugin_utils.facts.assumed import assumed_facts as facts\n"
        "from ansible_collections.realip.toa.plugins.plugin_utils.planner import removal\n"
        "known = facts('ID=acmeos\\nVERSION_ID=8.1\\n', '4.18.0-553.el8.x86_64', '')\n"
        "known['state'] = {'proof': {'backend': 'built_in'}}\n"
        "print([removal.decide(known, {}, [], goal)['left'] for goal in ('remove', 'rollback')])\n"
    )
    (copy / "ask.py").write_text(ask)
    assert run(copy, copy / "ask.py").strip() == "[['built_in'], ['built_in']]"
    told = played(
        copy, role("built_in", "main", backend_plan=PLAN), INSTALLED, role("built_in", "remove", backend_plan=PLAN)
    )
    assert not LEFT.exists(), told


def test_the_units_pass(copy: Path) -> None:
    units = ["test_house.py", "planner", "catalog", "facts", "test_traps.py"]
    told = run(copy, "pytest", "-p", "no:cacheprovider", "-q", *(f"tests/unit/controller/{unit}" for unit in units))
    assert re.search(r"^\d+ passed in ", told, re.MULTILINE), told


def test_documentation_knows_the_newcomers(copy: Path) -> None:
    shown = json.loads(run(copy, "ansible", "doc", "-j", "realip.toa.toa_plan"))["realip.toa.toa_plan"]["doc"][
        "options"
    ]
    assert "acme" in shown["vendor"]["choices"] and "built_in" in shown["backends"]["choices"]
    told = run(
        copy,
        "pytest",
        "-p",
        "no:cacheprovider",
        "-q",
        "tests/integration/test_awx.py",
        "-k",
        "(question and vendor) or survey or pattern",
    )
    assert re.search(r"^\d+ passed", told, re.MULTILINE), told
