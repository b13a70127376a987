# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_variables: whether the variables of a run are right, once for all of its hosts, on the controller. Asks no host."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.template import Templar
from ansible_collections.realip.toa.plugins.plugin_utils import places, typed
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.variables import check, table


class ActionModule(ToaAction):
    """Runs on the controller alone."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "by_type": {"type": "list", "elements": "str", "default": []},
        "required": {"type": "list", "elements": "str", "default": []},
        "folders": {"type": "list", "elements": "str", "default": []},
        "files": {"type": "list", "elements": "str", "default": []},
    }
    _requires_connection = False

    def act(self, args: Result, task_vars: Variables) -> Result:
        where = places.folders(task_vars)
        hosts = self._hosts(task_vars)
        found = check.problems(hosts, where, args["by_type"]) or check.missing(hosts, args["required"])
        if not found:
            found = list(self._unwritable(args, next(iter(hosts.values()), {}), where))
        if found:
            several = f"{len(found)} variables are not right: " if len(found) > 1 else ""
            raise ToaError(
                "bad_variable",
                several + "; ".join(found),
                "correct what is named; docs/variables.md has every variable",
            )
        return {"changed": False, "hosts": len(hosts)}

    def _unwritable(self, args: Result, values: Mapping[str, t.Any], where: list[Path]) -> t.Iterator[str]:
        """A sentence for each place that cannot be written, found by writing there."""
        for name in (*args["folders"], *args["files"]):
            path = places.target(str(table.setting_of(values, name)), where)
            if problem := places.problem(path, folder=name in args["folders"]):
                yield f"{name}: {problem}"

    # ---- values

    def _hosts(self, task_vars: Variables) -> dict[str, dict[str, t.Any]]:
        """The variables of the collection that each host of the play has, with their templates resolved."""
        hostvars, here = task_vars["hostvars"], str(task_vars.get("inventory_hostname"))
        names = [str(host) for host in task_vars.get("ansible_play_hosts_all") or [here]]
        own = hostvars.raw_get(here) if here in hostvars else {}
        # What the play itself sets, which is the same for all of its hosts and is in no inventory.
        play = {name: value for name, value in _ours(task_vars).items() if not _is_same(own.get(name), value)}
        seen: dict[str, dict[str, t.Any]] = {}
        found = {}
        for host in names:
            variables = hostvars.raw_get(host)
            given = {**_ours(variables), **play}
            # Whole groups have the same; what has no template is the same text for each of them.
            key = repr(sorted(given.items(), key=lambda item: item[0]))
            if not _has_template(key):
                if key not in seen:
                    seen[key] = self._resolved(given, {})
                found[host] = seen[key]
            else:
                found[host] = self._resolved(given, {**variables, **play, "hostvars": hostvars})
        return found

    def _resolved(self, given: Mapping[str, t.Any], variables: Mapping[str, t.Any]) -> dict[str, t.Any]:
        templar = Templar(loader=self._loader, variables=dict(variables))
        return {name: _value(templar, value, variables.get("omit")) for name, value in given.items()}


def _ours(variables: Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        name: value for name, value in variables.items() if str(name).startswith("toa_") and name not in table.RESULTS
    }


def _is_same(one: t.Any, other: t.Any) -> bool:
    """Texts of ansible-vault are compared by what they hold, which takes a password; the same object is the same without."""
    return one is other or bool(one == other)


def _has_template(text: str) -> bool:
    return any(mark in text for mark in ("{{", "{%", "{#"))


def _value(templar: t.Any, value: t.Any, omit: t.Any) -> t.Any:
    try:
        found = templar.template(value)
    except (AnsibleError, RecursionError) as problem:
        return check.Broken(str(value), _one_line(problem))
    if omit is not None and found == omit:
        return None
    return typed.Secret(found) if typed.is_encrypted(value) else found


def _one_line(problem: BaseException) -> str:
    return " ".join(str(problem).split())[:300]
