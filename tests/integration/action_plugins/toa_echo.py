# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of target/echo.py."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.realip.toa.plugins.plugin_utils.action import ToaAction


class ActionModule(ToaAction):
    ENTRY = "echo"
    SEARCH = (str(Path(__file__).parent.parent / "target"),)
    SPEC = {
        "say": {"type": "raw"},
        "mode": {"type": "str", "default": "plain"},
        "count": {"type": "int", "default": 1},
        "time": {"type": "int"},
    }

    def act(self, args, task_vars):
        self.TIMEOUT = args["time"]
        return super().act(args, task_vars)
