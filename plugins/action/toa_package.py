# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_package: fetch, check, install, hold and remove kernel packages, and install what comes from a host's own repositories."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils.action import ToaAction


class ActionModule(ToaAction):
    ENTRY = "packages"
    SPEC = {
        "packages": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "file": {"type": "str"},
                "url": {"type": "str"},
                "sha256": {"type": "str"},
                "size": {"type": "int"},
                "format": {"type": "str", "choices": ["deb", "rpm"]},
                "role": {"type": "str"},
                "release": {"type": "str"},
                "repository": {"type": "bool", "default": False},
            },
        },
        "state": {"type": "str", "choices": ["present", "absent", "held", "unheld", "staged"], "default": "present"},
        "accept_unverified": {"type": "bool", "default": False},
        "accept_downgrade": {"type": "bool", "default": False},
        "src": {"type": "str"},
        "timeout": {"type": "int", "default": 600},
        "lock_timeout": {"type": "int", "default": 120},
    }
    RULES = {"required_if": [("state", "present", ("packages",)), ("state", "staged", ("packages",))]}
    # A kernel's installation may wait for a lock, and then makes an initramfs on a slow machine.
    TIMEOUT = 3600
