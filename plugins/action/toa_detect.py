# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_detect: which option the load balancer sends, from where, to which ports."""

from __future__ import annotations

import typing as t

from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.detection import advice
from ansible_collections.realip.toa.plugins.plugin_utils.detection.findings import add_up
from ansible_collections.realip.toa.plugins.plugin_utils.detection.seen import redacted, seen_of
from ansible_collections.realip.toa.plugins.plugin_utils.variables import table

# Seconds; the call itself is cut off after 600.
LONGEST = 500
# Variables that what is seen is compared with.
TOLD = ("vendor", "option_kinds", "ports")
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
        redact, settings = args.pop("redact"), self._settings(task_vars)
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
            "notes": advice.notes(found, settings),
        }

    def _settings(self, task_vars: Variables) -> advice.Settings:
        """What the inventory says, in its types; a wrong value is told as such before anybody listens."""
        said = {name: self.setting(f"toa_{name}", table.SPECS[f"toa_{name}"], task_vars) for name in TOLD}
        try:
            trusted = self.trusted_sources(None, task_vars)
        except ValueError:
            trusted = None  # a list that was not reviewed yet: what is seen here helps with that
        return advice.Settings(
            vendor=said["vendor"] or "",
            option_kinds=tuple(said["option_kinds"] or ()),
            trusted_sources=None if trusted is None else tuple(trusted),
            ports=tuple(said["ports"] or ()),
        )
