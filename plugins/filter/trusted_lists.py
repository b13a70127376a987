# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the playbook lock over published lists of networks; what they do is in plugin_utils/trusted_lists.py."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.realip.toa.plugins.plugin_utils import trusted_lists
from ansible_collections.realip.toa.plugins.plugin_utils.channel.call import as_data


def toa_published(variables: Sequence[Any]) -> list[dict[str, str]]:
    """The lists that these values of toa_trusted_sources_url name, each once, as {url, select}."""
    found = dict.fromkeys(one for value in variables for one in _said(trusted_lists.published, _plain(value)))
    return list(as_data([one._asdict() for one in found]))


def toa_sources(results: Sequence[Mapping[str, Any]], before: str) -> dict[str, Any]:
    """What was fetched, results of ansible.builtin.uri over toa_published: {text: of toa.sources.yml, changes: sentences}."""
    lists = _said(trusted_lists.read, str(before))
    old = dict(lists)
    for result in results:
        item = _plain(result["item"])
        of = trusted_lists.Published(item["url"], item["select"])
        networks = _said(trusted_lists.networks_in, str(result.get("content") or ""), of)
        lists[of.url] = {"fetched": datetime.datetime.now(datetime.timezone.utc).date(), "networks": networks}
    return dict(as_data({"text": trusted_lists.write(lists), "changes": trusted_lists.changes(old, lists)}))


def _said(function: Any, *args: Any) -> Any:
    try:
        return function(*args)
    except ValueError as problem:
        raise AnsibleFilterError(str(problem)) from problem


def _plain(value: Any) -> Any:
    """The same in types of Python's own: YAML writers know no others."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


class FilterModule:
    """Filters by name."""

    def filters(self) -> dict[str, Any]:
        return {"toa_published": toa_published, "toa_sources": toa_sources}
