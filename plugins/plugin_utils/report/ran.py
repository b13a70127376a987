# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who ran what on which inventory with which limit: the head of a report. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils import redaction
from ansible_collections.realip.toa.plugins.plugin_utils.report.values import text

KEYS = ("by", "on", "playbook", "inventory", "hosts", "limit", "job")


def who_ran(given: Mapping[str, Any]) -> dict[str, str]:
    """{key: text} with every key; a password in the address of an inventory is not kept."""
    return {key: str(redaction.anything(text(given.get(key)))) for key in KEYS}


def line(report: Mapping[str, Any]) -> str:
    """The head in one line, for terminals."""
    ran = report.get("ran") or who_ran({})
    said = [
        report["kind"] + (", dry run" if report["check"] else ""),
        f"by {ran['by']}@{ran['on']}" if ran["by"] else "",
        *(f"{key} {ran[key]}" for key in ("playbook", "inventory", "hosts", "limit") if ran[key]),
        f"hosts where {report['only']}" if report["only"] else "",
        ran["job"],
    ]
    return " | ".join(part for part in said if part)
