# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which roles read the variables of the collection, and find the operator's files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.realip.toa.plugins.plugin_utils import places
from ansible_collections.realip.toa.plugins.plugin_utils.channel.call import as_data
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import hook_files
from ansible_collections.realip.toa.plugins.plugin_utils.variables import table


def toa_setting(value: Any, name: str) -> Any:
    """The value of a variable in the type of its argument spec; its default where it is null or empty."""
    if name not in table.SPECS:
        raise AnsibleFilterError(f"{name} is not a variable of realip.toa")
    try:
        return as_data(table.setting(name, value))
    except ValueError as problem:
        raise AnsibleFilterError(str(problem)) from problem


def _folders(playbook_dir: str, inventories: Iterable[str], inventory_dir: str | None) -> list[Path]:
    """Where a file of the operator is looked for, in this order."""
    return places.folders({
        "playbook_dir": playbook_dir,
        "ansible_inventory_sources": list(inventories or []),
        "inventory_dir": inventory_dir,
    })  # fmt: skip


def toa_place(
    name: str, playbook_dir: str = "", inventories: Iterable[str] = (), inventory_dir: str | None = ""
) -> str:
    """The absolute path of a file or folder on the controller: where it is, or where it is to be."""
    return str(places.target(name, _folders(playbook_dir, inventories, inventory_dir)))


def toa_hook_file(
    name: str, playbook_dir: str = "", inventories: Iterable[str] = (), inventory_dir: str | None = ""
) -> str:
    """The absolute path of an operator's file of tasks, which is there."""
    try:
        return str(hook_files.resolve(name, _folders(playbook_dir, inventories, inventory_dir)))
    except ValueError as problem:
        raise AnsibleFilterError(str(problem)) from problem


class FilterModule:
    """Filters over variables."""

    def filters(self) -> dict[str, Any]:
        return {"toa_hook_file": toa_hook_file, "toa_place": toa_place, "toa_setting": toa_setting}
