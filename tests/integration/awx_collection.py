# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What awx.awx says of its own modules, out of the PyPI package `ansible` that carries it (tests/requirements-awx.txt); nothing else of it is kept."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
import typing as t
import zipfile
from pathlib import Path

import yaml
from sshd import ROOT

REQUIREMENT = (ROOT / "tests" / "requirements-awx.txt").read_text().strip()
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "realip-toa" / REQUIREMENT.replace("==", "-")
PLUGINS = "ansible_collections/awx/awx/plugins/"
INSIDE = f"{PLUGINS}modules/"
PARTS = ("modules", "module_utils", "doc_fragments")


def modules() -> Path:
    """The folder with the modules of awx.awx; fetched once."""
    folder = CACHE / INSIDE
    if not (CACHE / PLUGINS / "module_utils").is_dir():
        with tempfile.TemporaryDirectory() as wheels:
            # The wheel is for any Python; which one it was made for matters to pip alone.
            command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
                       "--python-version", "3.11", "-d", wheels, REQUIREMENT]  # fmt: skip
            subprocess.run(command, check=True, capture_output=True, timeout=600)
            (wheel,) = Path(wheels).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(
                    CACHE,
                    [
                        name
                        for name in archive.namelist()
                        if name.startswith(tuple(f"{PLUGINS}{part}/" for part in PARTS)) and name.endswith(".py")
                    ],
                )
    return folder


def argument_spec(module: str) -> dict[str, t.Any]:
    """The dict(...) that a module gives to ControllerAPIModule, read and not run."""
    tree = ast.parse((modules() / f"{module}.py").read_text())
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "argument_spec"
        ):
            return t.cast("dict[str, t.Any]", _value(node.value))
    raise LookupError(f"awx.awx.{module} has no argument_spec")


def documentation(module: str) -> dict[str, t.Any]:
    """The options of a module as it documents them."""
    tree = ast.parse((modules() / f"{module}.py").read_text())
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "DOCUMENTATION"
        ):
            return t.cast("dict[str, t.Any]", yaml.safe_load(ast.literal_eval(node.value))["options"])
    raise LookupError(f"awx.awx.{module} documents nothing")


def _value(node: ast.expr) -> t.Any:
    if isinstance(node, ast.Call):
        return {keyword.arg: _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item) for item in node.elts]
    return ast.literal_eval(node)


ACTION = '''
import json
import os

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Checks the options as the module would, and does nothing."""

    def run(self, tmp=None, task_vars=None):
        with open(os.environ["AWX_SPECS"], encoding="utf-8") as file:
            spec = json.load(file)[self._task.action.rpartition(".")[2]]
        checked = ArgumentSpecValidator(spec).validate(dict(self._task.args))
        return {"changed": True, "failed": bool(checked.error_messages), "msg": "; ".join(checked.error_messages)}
'''


def stand_in(folder: Path, names: t.Iterable[str]) -> dict[str, str]:
    """A collection awx.awx whose modules check their options against the real ones' specs; returns the variables that make Ansible use it."""
    plugins = folder / "ansible_collections" / "awx" / "awx" / "plugins"
    for kind in ("action", "modules"):
        (plugins / kind).mkdir(parents=True)
    for name in names:
        (plugins / "action" / f"{name}.py").write_text(ACTION)
        (plugins / "modules" / f"{name}.py").write_text("")
    (folder / "specs.json").write_text(json.dumps({name: argument_spec(name) for name in names}))
    return {"ANSIBLE_COLLECTIONS_PATH": str(folder), "AWX_SPECS": str(folder / "specs.json")}
