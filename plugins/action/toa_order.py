# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_order: who goes when in a run, worked out once for all of its hosts, on the controller. Asks no host."""

from __future__ import annotations

import datetime
import functools
import os
import sys
import typing as t
from collections.abc import Callable

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.template import Templar
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.channel import ssh_config
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import change_window, go_on, records, run_order
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.agreement import DEFAULTS
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.host_variables import HostVariables
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.looked_at import facts_of
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.selection import matching

# Run-wide variables, and those that each host may have its own of but that a play may set as well.
GIVEN = (*DEFAULTS, "toa_domain", "toa_window")


class ActionModule(ToaAction):
    """Runs on the controller alone. Its result is registered as `__toa_order`, and shared by all hosts of the play."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "only": {"type": "str", "default": ""},
        "begins": {"type": "bool", "default": True},
    }
    VARIABLES: t.ClassVar[dict[str, str]] = {"only": "toa_only"}
    _requires_connection = False

    def act(self, args: Result, task_vars: Variables) -> Result:
        reader = HostVariables(task_vars["hostvars"], lambda value, host: self._template(value, host, task_vars))
        here = str(task_vars["inventory_hostname"])
        reader.take_from_the_play(here, {name: (task_vars.get(name), self.variable(name, task_vars)) for name in GIVEN})
        # Not of the host that this runs on: its variables may be broken.
        run = records.run_of(task_vars.get("ansible_play_hosts_all") or [], task_vars["hostvars"])
        hosts = [str(host) for host in task_vars.get("ansible_play_hosts_all") or [here]]
        try:
            members = self._members(hosts, reader, run, args["only"])
            tasks = bool(self.variable("toa_wave_tasks", task_vars))
            go = _go_on() if args["begins"] else ("", "")
            made = run_order.order(members, _with_global_ways(reader, hosts), run, _shut(reader), go, tasks)
        except ValueError as problem:
            raise ToaError(
                "bad_order", str(problem), "correct what is named; docs/rollout.md has the rules"
            ) from problem
        return {"changed": False, **made, "lines": run_order.lines(made)}

    def _template(self, value: t.Any, host: str, task_vars: Variables) -> t.Any:
        """What a play has set, as it is for one host."""
        variables = {**task_vars["hostvars"].raw_get(host), "hostvars": task_vars["hostvars"]}
        return Templar(loader=self._loader, variables=variables).template(value)

    def _members(self, hosts: list[str], reader: HostVariables, run: str, only: str) -> dict[str, run_order.Member]:
        seen = {host: records.looked(reader.raw(host)) for host in hosts}
        found = {host: record for host, record in seen.items() if record is not None and record.get("run") == run}
        known = {
            host: {"facts": facts_of(reader.raw(host)), "plan": record["plan"]}
            for host, record in found.items()
            if isinstance(record.get("plan"), t.Mapping)
        }
        chosen = set(matching(known, only)) if only else set(known)
        return {
            host: run_order.Member(
                known[host]["plan"] if host in known else {},
                known[host]["facts"] if host in known else {},
                record.get("toa_state") == "lost",
                host in chosen,
            )
            for host, record in found.items()
        }


def _shut(reader: HostVariables) -> Callable[[str], str]:
    now = datetime.datetime.now(datetime.timezone.utc)
    return lambda host: change_window.closed(reader.value(host, "toa_window"), now)


def _go_on() -> tuple[str, str]:
    words = [str(word) for word in sys.argv]
    return go_on.command(words, os.environ), go_on.command(words, os.environ, {"toa_pause_after_canary": "false"})


def _with_global_ways(reader: HostVariables, hosts: list[str]) -> Callable[[str, str], t.Any]:
    """Variables of hosts; for arguments of ssh that the inventory does not set, what ansible.cfg and the environment say, and ssh's own files."""
    common = {f"ansible_{name}": _of_ssh(name) for name in ("ssh_args", "ssh_common_args", "ssh_extra_args")}

    def target(host: str) -> str:
        return str(next(filter(None, (reader.value(host, name) for name in run_order.NAMES)), host))

    @functools.cache
    def files() -> dict[str, str]:
        return ssh_config.ways(target(host) for host in hosts)

    def value(host: str, name: str) -> t.Any:
        if name == run_order.FROM_FILES:
            return files().get(target(host)) if files() else None
        found = reader.value(host, name)
        return common.get(name) if found is None else found

    return value


def _of_ssh(option: str) -> str:
    try:
        return str(C.config.get_config_value(option, plugin_type="connection", plugin_name="ssh") or "")
    except (AnsibleError, KeyError):
        return ""
