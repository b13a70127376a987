# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of many hosts, read once each. Reading `hostvars` is slow, and templating what is no template slower still."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ansible_collections.realip.toa.plugins.plugin_utils import typed
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.agreement import DEFAULTS, shown

Variables: TypeAlias = Mapping[str, Any]


class HostVariables:
    """`hostvars` is Ansible's, or a mapping of mappings. `template(value, host)` resolves what a play sets and no host has."""

    def __init__(
        self, hostvars: Mapping[str, Variables], template: Callable[[Any, str], Any] = lambda value, host: value
    ) -> None:
        self._hostvars, self._template = hostvars, template
        self._raw: dict[str, Variables] = {}
        self._of_the_play: dict[str, Any] = {}

    def raw(self, host: str) -> Variables:
        """The variables of a host, templates unresolved. What hosts have said is data, and has none."""
        if host not in self._raw:
            get = getattr(self._hostvars, "raw_get", None)
            self._raw[host] = get(host) if get else self._hostvars[host]
        return self._raw[host]

    def value(self, host: str, name: str) -> Any:
        """A variable of a host, None where it is not set or empty; a list that was written as a text is a list."""
        if name in self._of_the_play:
            found = self._of_the_play[name]
            found = self._template(found, host) if _is_template(found) else found
        else:
            found = self.raw(host).get(name)
            found = self._hostvars[host].get(name) if _is_template(found) else found
        return None if typed.is_unset(found) else typed.convert(found, {"type": "raw"})

    def take_from_the_play(self, host: str, given: Mapping[str, tuple[Any, Any]]) -> None:
        """`given`, {name: (as it is written, its value)}, is what a task of `host` sees. What the play has brought, and not the inventory, counts for all."""
        for name, (written, value) in given.items():
            own = self.value(host, name)
            if value is not None and shown(value) != shown(DEFAULTS.get(name, "") if own is None else own):
                self._of_the_play[name] = written


def _is_template(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(map(_is_template, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_is_template, value))
