# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that a run is started on is a host like others until it has to reboot, which would end the run. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import BLOCKED, PENDING, Facts, Plan
from ansible_collections.realip.toa.plugins.plugin_utils.planner.reasons import reason


def checked(plan: Plan, facts: Facts, boot_id: str) -> Plan:
    """The plan, blocked where it would reboot the kernel that the controller runs on: `boot_id` is the controller's, "" where it is not known."""
    boot = facts.get("boot")
    theirs = boot.get("boot_id") if isinstance(boot, Mapping) else ""
    if plan["state"] != PENDING or not plan["reboot"] or not boot_id or theirs != boot_id:
        return plan
    why = reason("controller_itself")
    return {**plan, "state": BLOCKED, "reasons": [*plan["reasons"], why], "remedy": why["remedy"]}
