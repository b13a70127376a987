# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the playbook build_kernel; what they do is in plugin_utils/built.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.realip.toa.plugins.plugin_utils import built
from ansible_collections.realip.toa.plugins.plugin_utils.channel import as_data


def toa_built(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The packages of RV(results) of toa_source that a rollout may install, with their roles."""
    return as_data(_said(built.packages, results))


def toa_built_catalog(packages: Sequence[Mapping[str, Any]], match: Mapping[str, Any], option_kinds: Sequence[str], source: str, before: str) -> str:
    """The text of toa.catalog.yml with these packages as an entry."""
    return as_data(_said(built.render_catalog, packages, match, option_kinds, source, before))


def toa_built_lock(packages: Sequence[Mapping[str, Any]], before: str) -> str:
    """The text of the lock file with these packages."""
    return as_data(_said(built.render_lock, packages, before))


def _said(function: Any, *args: Any) -> Any:
    try:
        return function(*args)
    except ValueError as problem:
        raise AnsibleFilterError(str(problem)) from problem


class FilterModule:
    """Filters over what was built."""

    def filters(self) -> dict[str, Any]:
        return {"toa_built": toa_built, "toa_built_catalog": toa_built_catalog, "toa_built_lock": toa_built_lock}
