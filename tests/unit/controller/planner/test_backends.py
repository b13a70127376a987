# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One backend is one class in one file, in the table, with a role of its name."""

from __future__ import annotations

import dataclasses
import importlib
import re
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backend import Backend
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends import registry
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.packaged_kernel import (
    PackagedKernel,
    backend_of,
)
from ansible_collections.realip.toa.plugins.plugin_utils.planner.policy import POLICY

ROOT = Path(__file__).resolve().parents[4]
PLANNER = ROOT / "plugins" / "plugin_utils" / "planner"
PACKAGE = "ansible_collections.realip.toa.plugins.plugin_utils.planner.backends"


def named_in(file):
    """Names of the backends whose classes stand in a file; a class without a name is shared by others."""
    module = importlib.import_module(f"{PACKAGE}.{file.stem}")
    return [
        kind.name
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Backend) and kind.__module__ == module.__name__ and hasattr(kind, "name")
    ]  # fmt: skip


def test_every_class_of_the_folder_is_in_the_table():
    files = sorted((PLANNER / "backends").glob("*.py"))
    found = {file.stem: named_in(file) for file in files}
    assert {name for names in found.values() for name in names} == set(registry.BACKENDS)
    assert all(names in ([], [stem]) for stem, names in found.items()), found


@pytest.mark.parametrize("name", registry.BACKENDS)
def test_a_backend_has_its_variables_and_a_role(name):
    backend = registry.REGISTRY[name]
    assert all(POLICY[key] == default for key, default in backend.policy.items())
    # The rollout calls both by name: what one has done the other undoes.
    assert all((ROOT / "roles" / name / "tasks" / f"{stage}.yml").is_file() for stage in ("main", "revert"))


def test_two_backends_agree_on_the_default_of_a_variable_that_both_read():
    seen = {}
    for backend in registry.REGISTRY.values():
        for key, default in backend.policy.items():
            assert seen.setdefault(key, default) == default, key
    assert seen


@pytest.mark.parametrize("backend", registry.BACKENDS)
@pytest.mark.parametrize("packing", ["deb", "rpm", "tree"])
def test_a_kernel_of_the_catalog_is_for_one_backend_or_named(backend, packing):
    entry = dataclasses.replace(catalog.load()[0], backend=backend, format=packing)
    takers = [
        name for name, item in registry.REGISTRY.items() if isinstance(item, PackagedKernel) and item.takes(entry)
    ]
    assert len(takers) <= 1
    if takers:
        assert backend_of(entry) == takers[0]
        return
    with pytest.raises(catalog.CatalogError, match=f"`backend` is '{backend}'"):
        backend_of(entry)


@pytest.mark.parametrize("name", registry.BACKENDS)
def test_a_backend_that_leaves_something_has_a_role_that_takes_it_away(name):
    says_so = type(registry.REGISTRY[name]).left is not Backend.left
    assert says_so == (ROOT / "roles" / name / "tasks" / "remove.yml").is_file()


def test_the_decision_knows_no_backend_by_name():
    # What a host has of eBPF is a section of its facts.
    words = re.compile("|".join(rf'(?<!facts\[)"{name}"' for name in registry.BACKENDS))
    for file in ("policy.py", "plan.py", "backend.py", "decide.py", "removal.py", "checks.py"):
        text = (PLANNER / file).read_text(encoding="utf-8")
        assert text and not words.search(text), file
