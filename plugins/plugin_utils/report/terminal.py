# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as lines for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.report.trust import sentences


def lines(report: Mapping[str, Any], most: int = 50) -> list[str]:
    """For terminals: how it ended, a line for each host or, of more hosts than `most`, for each group of those that need attention; warnings."""
    hosts = report["hosts"]
    told = [report["headline"]]
    if len(hosts) <= most:
        told += [_line(entry) for entry in hosts]
    else:
        told += [_group_line(group) for group in report["groups"]]
        told.append(", ".join(f"{count} {state}" for state, count in report["summary"].items()))
    told += [f"warning: {_named(warning['hosts'])}: {warning['message']}" for warning in report["warnings"]]
    return [*told, *sentences(report["trusting_all"])]


def _group_line(group: Mapping[str, Any]) -> str:
    parts = [f"{group['state']} ({group['code']})", _named(group["hosts"]), group["why"]]
    if group["sentences"] > 1:
        parts.append(f"and {group['sentences'] - 1} sentences like it")
    if group["remedy"]:
        parts.append(f"-> {group['remedy']}")
    return " | ".join(parts)


def _named(hosts: Sequence[str], most: int = 10) -> str:
    named = ", ".join(hosts[:most])
    return f"{len(hosts)} hosts: {named}, …" if len(hosts) > most else named


def _line(entry: Mapping[str, Any]) -> str:
    parts = [
        f"{entry['host']}: {entry['state']}",
        entry["os"],
        entry["kernel"],
        entry["backend"],
        entry["verdict"],
        entry["traffic"],
        entry["why"],
    ]
    if entry["why"] and entry["remedy"]:
        parts.append(f"-> {entry['remedy']}")
    return " | ".join(part for part in parts if part)
