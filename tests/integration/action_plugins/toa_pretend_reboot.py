# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_reboot for target/pretend_reboot.py."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.realip.toa.plugins.action.toa_reboot import ActionModule as Reboot


class ActionModule(Reboot):
    ENTRY = "pretend_reboot"
    SEARCH = (str(Path(__file__).parent.parent / "target"),)
