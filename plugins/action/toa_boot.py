# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of toa_boot (plugins/modules/toa_boot.py has the documentation)."""

from __future__ import annotations

import typing as t

from ansible_collections.realip.toa.plugins.plugin_utils.action import ToaAction


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
    VARIABLES: t.ClassVar[dict[str, str]] = {"confirm_timeout": "toa_confirm_timeout"}
