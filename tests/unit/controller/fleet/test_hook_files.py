# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's files of tasks: found before any host is asked, and never in a role of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.hook_files import problem, resolve

TASKS = "- name: Out of the pool\n  ansible.builtin.debug:\n"


def test_the_first_folder_that_has_it(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    (two / "drain.yml").write_text(TASKS)
    assert resolve("drain.yml", [one, two]) == two / "drain.yml"
    (one / "drain.yml").write_text(TASKS)
    assert resolve("drain.yml", [one, two]) == one / "drain.yml"
    assert resolve(str(two / "drain.yml"), [one]) == two / "drain.yml"


def test_where_it_was_looked_for_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"there is no file drain.yml; looked for {tmp_path}/drain.yml"):
        resolve("drain.yml", [tmp_path])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TASKS, ""),
        ("", ""),
        ("- name: x\n  ansible.builtin.debug:\n    msg: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n", ""),
        ("name: x\n", "is no list of tasks"),
        ("just words\n", "is no list of tasks"),
        ("- name: [x\n", "is no YAML"),
        (None, "there is no file drain.yml"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_the_variable(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "drain.yml").write_text(content)
    found = problem({"toa_hooks.health": "", "toa_hooks.drain": "drain.yml"}, [tmp_path])
    assert (
        (found == "") if not said else (said in found and found.startswith("toa_hooks.drain: ") and "\n" not in found)
    )


@pytest.mark.parametrize("value", [["drain.yml"], {"a": 1}, 7, True])
def test_what_is_no_path_is_said(tmp_path: Path, value: object) -> None:
    assert problem({"toa_hooks.drain": value}, [tmp_path]).startswith("toa_hooks.drain is ")
