# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_look_again: a host that was rolled out is looked at again, by whichever host of its wave has its turn."""

from __future__ import annotations

import typing as t

from ansible.template import Templar
from ansible_collections.realip.toa.plugins.action.toa_plan import ActionModule as Plan
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import records, soak
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.looked_at import facts_of


class ActionModule(Plan):
    """The look of toa_plan, and what it says about a host that has had its turn."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "host": {"type": "str", "required": True},
        "wait_for_traffic": {"type": "int", "default": 0},
    }

    def act(self, args: Result, task_vars: Variables) -> Result:
        host, wait = args["host"], args["wait_for_traffic"]
        variables = (task_vars.get("ansible_delegated_vars") or {}).get(host) or task_vars
        # Its own variables count, and not those of the host that looks.
        self._templar = Templar(loader=self._loader, variables=dict(variables))
        args = {**self.options(variables, Plan.SPEC, {}), "check": args["check"]}
        answer = super().act(args, {**variables, "ansible_delegated_vars": task_vars.get("ansible_delegated_vars")})
        if wait and not answer.get("failed"):
            # What a connection takes on top of the wait is little.
            waited = self.call({"seconds": wait}, task_vars, entry="programs.traffic", timeout=wait + 60)
            answer = {**answer, "waited": {**waited, "seconds": wait}}
        known = task_vars["hostvars"].raw_get(host)
        return {"changed": False, "host": host, "why": soak.trouble(records.of(known), facts_of(known), answer)}
