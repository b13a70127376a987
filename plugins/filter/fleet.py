# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that the playbooks use to look at a fleet as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.realip.toa.plugins.plugin_utils import lockfile, report
from ansible_collections.realip.toa.plugins.plugin_utils.channel import as_data
from ansible_collections.realip.toa.plugins.plugin_utils.selection import SelectionError, matching


def toa_hosts(hostvars: Mapping[str, Any], state: str = "pending", only: str = "") -> list[str]:
    """Hosts whose plan has `state`, narrowed by the JMESPath expression `only`."""
    chosen = report.select(hostvars, state)
    try:
        return matching(chosen, only) if only else list(chosen)
    except SelectionError as problem:
        raise AnsibleFilterError(str(problem)) from problem


def toa_report(hostvars: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The report of a run as plain data."""
    try:
        # Texts that hosts gave are in there: never to be taken for templates, on any core.
        return as_data(report.build(hostvars, kind))
    except ValueError as problem:
        raise AnsibleFilterError(str(problem)) from problem


def toa_pick(value: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Those of `keys` that a mapping has."""
    return as_data({key: value[key] for key in keys if key in value})


def toa_packages(hostvars: Mapping[str, Any], mirror: str = "") -> list[dict[str, str]]:
    """Every package that a plan of this run names, with the address to fetch it from."""
    try:
        return lockfile.wanted_packages(hostvars, mirror)
    except ValueError as problem:
        raise AnsibleFilterError(str(problem)) from problem


def toa_lock(fetched: Iterable[Mapping[str, Any]], before: str, update: bool = False) -> str:
    """The text of the lock file after these packages were fetched."""
    try:
        return lockfile.render(fetched, before, update)
    except ValueError as problem:
        raise AnsibleFilterError(str(problem)) from problem


class FilterModule:
    """Filters over a fleet."""

    def filters(self) -> dict[str, Any]:
        return {
            "toa_hosts": toa_hosts,
            "toa_lock": toa_lock,
            "toa_packages": toa_packages,
            "toa_pick": toa_pick,
            "toa_report": toa_report,
            "toa_unproven": report.unproven,
        }
