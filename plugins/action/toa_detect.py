# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_detect: which option the load balancer sends, from where, to which ports."""

from __future__ import annotations

import typing as t

from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.detection import advice
from ansible_collections.realip.toa.plugins.plugin_utils.detection.findings import add_up
from ansible_collections.realip.toa.plugins.plugin_utils.detection.seen import redacted, seen_of

# Seconds; the call itself is cut off after 600.
LONGEST = 500
# Beyond the time of listening: the start of Python on a slow host, and the table.
MARGIN = 60


class ActionModule(ToaAction):
    """Sends plugins/module_utils/programs/detect.py."""

    ENTRY = "programs.detect"
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "seconds": {"type": "int", "default": 30},
        "enough": {"type": "int", "default": 200},
        "redact": {"type": "bool", "default": False},
    }

    def act(self, args: Result, task_vars: Variables) -> Result:
        if not 1 <= args["seconds"] <= LONGEST:
            raise ToaError(
                "bad_option",
                f"seconds {args['seconds']}: expected seconds from 1 to {LONGEST}",
                "leave it out for 30 seconds (toa_detect_seconds in the playbook)",
            )
        if args["enough"] < 0:
            raise ToaError(
                "bad_option",
                f"enough {args['enough']}: expected a number of connections, or 0 for the whole time",
                "leave it out for 200",
            )
        redact = args.pop("redact")
        answer = self.call(args, task_vars, timeout=args["seconds"] + MARGIN)
        if answer.get("failed"):
            return answer
        seen = seen_of(answer.get("detect"))
        if redact:
            seen = redacted(seen)
        found = add_up({str(task_vars.get("inventory_hostname", "host")): seen})
        return {
            "changed": False,
            "detect": seen,
            "inventory": advice.lines(found),
            "notes": advice.notes(found, self._settings(task_vars)),
        }

    def _settings(self, task_vars: Variables) -> advice.Settings:
        kinds = self.variable("toa_option_kinds", task_vars)
        trusted = self.variable("toa_trusted_sources", task_vars)
        ports = self.variable("toa_ports", task_vars)
        return advice.Settings(
            vendor=str(self.variable("toa_vendor", task_vars) or ""),
            option_kinds=tuple(map(str, kinds)) if isinstance(kinds, list) else (),
            trusted_sources=tuple(map(str, trusted)) if isinstance(trusted, list) else None,
            ports=tuple(int(port) for port in ports if str(port).isdigit()) if isinstance(ports, list) else (),
        )
