# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of toa_boot (plugins/modules/toa_boot.py has the documentation)."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables

_TIMEOUT_VARIABLE = "toa_confirm_timeout"


class ActionModule(ToaAction):
    ENTRY = "programs.boot"
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state": {"type": "str", "required": True, "choices": ["default", "armed", "confirmed", "reverted"]},
        "kernel": {"type": "str"},
        "confirm_timeout": {"type": "int"},
        "panic": {"type": "int", "default": 30},
        "watchdog": {"type": "bool", "default": True},
        "accept_no_fallback": {"type": "bool", "default": False},
        "restore": {"type": "bool", "default": False},
    }
    RULES: t.ClassVar[dict[str, t.Any]] = {
        "required_if": [
            ("state", "default", ["kernel"]),
            ("state", "armed", ["kernel"]),
            ("state", "confirmed", ["kernel"]),
        ],
    }

    def prepare(self, args: Result, task_vars: Variables) -> Result:
        if args["confirm_timeout"] is None:
            args["confirm_timeout"] = self._timeout_of_host(task_vars)
        return args

    def _timeout_of_host(self, task_vars: Variables) -> int | None:
        value = self._templar.template(task_vars.get(_TIMEOUT_VARIABLE))
        if value is None:
            return None
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,6}", str(value)):
            raise ToaError(
                "bad_option",
                f"{_TIMEOUT_VARIABLE} is {value!r}; expected seconds, as a whole number",
                f"correct {_TIMEOUT_VARIABLE}",
            )
        return int(value)
