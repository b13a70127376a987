# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_persistence: load a TOA module at every boot, in the one place that works on this host."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils.action import ToaAction


class ActionModule(ToaAction):
    ENTRY = "programs.persistence"
    SPEC = {
        "name": {"type": "str", "default": "toa"},
        "method": {
            "type": "str",
            "choices": ["auto", "modules_load", "rc_local", "sysconfig_modules", "systemd", "service"],
            "default": "auto",
        },
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    TIMEOUT = 120
