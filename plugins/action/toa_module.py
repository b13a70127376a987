# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_module: load or unload a TOA module, and detect one that is loaded but not working."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils.action import ToaAction


class ActionModule(ToaAction):
    ENTRY = "programs.module"
    SPEC = {
        "name": {"type": "str", "default": "toa"},
        "state": {"type": "str", "choices": ["loaded", "unloaded", "status"], "default": "loaded"},
        "params": {"type": "dict", "default": {}},
        "kernel": {"type": "str"},
        "reload": {"type": "bool", "default": False},
        "force": {"type": "bool", "default": False},
    }
    TIMEOUT = 180
