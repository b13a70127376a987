# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the playbook build_kernel; what they do is in plugin_utils/catalog/built_kernels.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import built_kernels
from ansible_collections.realip.toa.plugins.plugin_utils.channel.call import as_data


def toa_built(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The packages of `packages` of toa_source that a rollout may install, with their roles."""
    return as_data(_said(built_kernels.packages, results))


def toa_built_catalog(
    packages: Sequence[Mapping[str, Any]],
    match: Mapping[str, Any],
    option_kinds: Sequence[str],
    source: str,
    before: str,
) -> str:
    """The text of toa.catalog.yml with these packages as an entry."""
    return as_data(_said(built_kernels.render_catalog, packages, match, option_kinds, source, before))


def toa_built_lock(packages: Sequence[Mapping[str, Any]], before: str) -> str:
    """The text of the lock file with these packages."""
    return as_data(_said(built_kernels.render_lock, packages, before))


def _said(function: Any, *args: Any) -> Any:
    try:
        return function(*map(_native, args))
    except ValueError as problem:
        raise AnsibleFilterError(str(problem)) from problem


def _native(value: Any) -> Any:
    """The same in types of Python's own: those of Ansible 2.19 and later are templated when they are read, and no YAML writer knows them."""
    if isinstance(value, Mapping):
        return {_native(key): _native(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_native(item) for item in value]
    return (
        str.__str__(value)
        if isinstance(value, str)
        else int(value)
        if isinstance(value, int) and not isinstance(value, bool)
        else value
    )


class FilterModule:
    """Filters over what was built."""

    def filters(self) -> dict[str, Any]:
        return {"toa_built": toa_built, "toa_built_catalog": toa_built_catalog, "toa_built_lock": toa_built_lock}
