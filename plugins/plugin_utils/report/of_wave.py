# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a wave, by the report of the last rollout. An empty choice is refused: to Ansible it would mean all hosts, or nobody in silence."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any


def hosts_of(wave: Any, report: Mapping[str, Any] | None, folder: Path, known: Container[str]) -> list[str]:
    """Those of them that the inventory knows. ValueError, with the variable's name, where there are none."""
    if isinstance(wave, bool) or not re.fullmatch(r"0*[1-9]\d{0,5}", str(wave).strip()):
        raise ValueError(
            f"toa_wave is {wave!r:.80}; expected the number of a wave, from 1, as the report of the rollout has it"
        )
    number = int(str(wave).strip())
    if report is None:
        raise ValueError(
            f"toa_wave is {number}, and there is no report of a rollout in {folder} that would know its hosts; "
            "say with toa_report_dir where it is, or name the hosts with --limit"
        )
    waves: dict[int, list[str]] = {}
    for entry in report["hosts"]:
        if isinstance(entry, Mapping) and isinstance(entry.get("wave"), int) and entry["wave"] > 0:
            waves.setdefault(entry["wave"], []).append(str(entry["host"]))
    at = str(report.get("at") or "an unknown time")
    if number not in waves:
        there = f"waves 1 to {max(waves)}" if waves else "no waves"
        raise ValueError(f"toa_wave is {number}, and the rollout of {at} had {there} ({folder})")
    found = [host for host in waves[number] if host in known]
    if not found:
        named = ", ".join(waves[number][:5])
        raise ValueError(f"toa_wave is {number}, and none of its hosts is in the inventory: {named}")
    return found
