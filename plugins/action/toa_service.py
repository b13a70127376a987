# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_service: the service of vtoa, as systemctl does it, with the unit found out from the package."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils.action import ToaAction


class ActionModule(ToaAction):
    ENTRY = "programs.service"
    SPEC = {
        "name": {"type": "str", "default": "vtoa"},
        "state": {
            "type": "str",
            "choices": ["started", "stopped", "restarted", "enabled", "disabled", "status"],
            "default": "started",
        },
        "unit": {"type": "str"},
    }
