# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/security.md and SECURITY.md: what they promise is tried by tests that are there, and what they name exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.realip.toa.plugins.module_utils.option_filter import rules
from ansible_collections.realip.toa.plugins.plugin_utils.planner.reasons import REASONS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
POLICY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
MODEL = PAGE.split("## Threat model\n")[1].split("\n## ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in MODEL.splitlines() if line.startswith("| ")]


def test_the_threat_model_is_a_page_of_complete_rows() -> None:
    head, *rows = ROWS
    assert head == ["who", "controls", "what holds", "what does not hold", "tried by"]
    assert len(rows) >= 8 and all(len(row) == len(head) and all(row) for row in rows)
    assert len(MODEL.split()) < 900, "one page"


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[\w/.]+(?:::\w+)?)`", PAGE))))
def test_what_tries_it_is_there(named: str) -> None:
    name, _colons, function = named.partition("::")
    names = {
        node.name
        for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert function in names if function else any(found.startswith("test_") for found in names)


def test_every_row_is_tried() -> None:
    for row in ROWS[1:]:
        assert re.search(r"`tests/", row[-1]), row[0]


def test_the_codes_and_files_that_the_page_names() -> None:
    for code in (
        "spoofable",
        "filter_partial",
        "option_filter_unusable",
        "no_digest",
        "no_signature",
        "signed_by_repository",
    ):
        assert code in REASONS and f"`{code}`" in PAGE
    assert rules.SERVICE in PAGE and rules.FOLDER in PAGE
    watched = re.findall(r"`([\w-]+)`", PAGE.split("`systemctl restart` or `reload`")[1].split("which flush")[0])
    assert {f"{name}.service" for name in watched} == set(rules.FIREWALLS)


def test_the_policy_is_about_this_release_and_leads_to_the_model() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    assert f"{galaxy['version'].partition('.')[0]}.x" in POLICY
    assert galaxy["repository"] + "/security/advisories/new" in POLICY and galaxy["issues"] in POLICY
    assert "docs/security.md#threat-model" in POLICY and "\n## Threat model\n" in PAGE
    assert "SECURITY.md" not in galaxy["build_ignore"]
