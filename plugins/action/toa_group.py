# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_group: put a host of the inventory into a group of a run. Asks no host."""

from __future__ import annotations

import typing as t

from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import records


class ActionModule(ToaAction):
    """What ansible.builtin.add_host does, by the name that the inventory has: to that one, `web1:2222` is a host web1 that did not exist before."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "host": {"type": "str", "required": True},
        "group": {"type": "str", "default": ""},
        "attention": {"type": "str", "default": ""},
    }
    _requires_connection = False

    def act(self, args: Result, task_vars: Variables) -> Result:
        name = args["host"]
        if name not in task_vars["hostvars"]:
            raise ToaError("no_such_host", f"there is no host {name!r:.200} in the inventory", "name one that there is")
        groups = [args["group"]] if args["group"] else []
        variables = {}
        if args["attention"]:
            variables[records.ATTENTION] = args["attention"]
        # Since 2.21 Ansible does it by a call; before, by what the result says.
        if hasattr(self, "add_host"):
            self.add_host(host_name=name, parent_group_names=groups, host_vars=variables)
        return {"changed": False, "add_host": {"host_name": name, "groups": groups, "host_vars": variables}}
