# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter of the playbook detect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils import host_text
from ansible_collections.realip.toa.plugins.plugin_utils.channel.call import as_data
from ansible_collections.realip.toa.plugins.plugin_utils.detection import advice
from ansible_collections.realip.toa.plugins.plugin_utils.detection.findings import add_up
from ansible_collections.realip.toa.plugins.plugin_utils.detection.seen import seen_of


def toa_detected(results: Mapping[str, Any]) -> list[str]:
    """What all hosts saw, the lines to paste, and what to know about them."""
    good: dict[str, Mapping[str, Any]] = {}
    lost: list[str] = []
    for host, result in results.items():
        given = result if isinstance(result, Mapping) else {}
        if given.get("detect") and not given.get("failed"):
            good[host] = seen_of(given["detect"])
        else:
            lost.append(host_text.line(f"{host}: did not listen: {given.get('msg') or 'unreachable'}"))
    found = add_up(good)
    suggested = advice.lines(found)
    said = advice.summary(found)
    if suggested:
        said += ["For the inventory:", *(f"  {line}" for line in suggested)]
    said += advice.notes(found)
    own = {note for host in good for note in _own_notes(results[host])} - set(said)
    return list(as_data([*said, *sorted(own), *lost]))


def _own_notes(result: Mapping[str, Any]) -> list[str]:
    """Contradictions with what one host's inventory says; the rest is said of all together."""
    given = result.get("notes")
    return (
        [host_text.line(note) for note in given if isinstance(note, str) and "toa_" in note]
        if isinstance(given, list)
        else []
    )


class FilterModule:
    """Filters by name."""

    def filters(self) -> dict[str, Any]:
        return {"toa_detected": toa_detected}
