# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_record: the one record of a host's run, `__toa`, with what has just happened in it. Asks no host."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import records


class ActionModule(ToaAction):
    """Runs on the controller alone. Its result is the whole record, and is registered as `__toa`."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "step": {"type": "str", "choices": ["begin", "note", "end"], "default": "note"},
        "undo": {"type": "str", "default": ""},
        "undone": {"type": "str", "default": ""},
        "drained": {"type": "bool"},
        "changed_since": {"type": "list", "elements": "str"},
        "plan": {"type": "dict", "default": {}},
        "trouble": {"type": "dict", "default": {}},
        "reverted": {"type": "dict", "default": {}},
        "outcome": {"type": "dict", "default": {}},
        "later": {"type": "dict", "default": {}},
    }
    _requires_connection = False

    def act(self, args: Result, task_vars: Variables) -> Result:
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        step = args["step"]
        before = records.begun(task_vars, now) if step == "begin" else records.of(task_vars)
        after = records.noted(before, args)
        if step == "end":
            after["times"] = {**after["times"], "ended": now}
        return {**after, "changed": False, "failed": False}
