# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script of the trial watchdog with what it touches elsewhere. What is left on hosts has no such switches, which anybody could set."""

from __future__ import annotations

import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.watchdog_files import SCRIPT_TEXT

SWITCHES = ("dir", "proc", "kmsg", "console", "poll", "grace", "reboot", "force")


def script() -> str:
    """The script, in which WATCHDOG_DIR and the like take the place of each of these."""
    text = SCRIPT_TEXT
    for name in SWITCHES:
        text, found = re.subn(
            rf"(?m)^{name}=(.*)$",
            lambda match, name=name: f"{name}=${{WATCHDOG_{name.upper()}:-{match[1]}}}",
            text,
            count=1,
        )
        assert found, name
    return text
