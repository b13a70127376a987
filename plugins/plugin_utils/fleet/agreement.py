# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that are about a run and not about a host. An inventory may still set them for some hosts only: then the strictest counts. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.realip.toa.plugins.plugin_utils import host_text
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.limits import (
    FleetError,
    amount,
    seconds,
    wave_targets,
    whole,
)

# Held equal to the roles' defaults by a test.
DEFAULTS: dict[str, Any] = {
    "toa_waves": [1, "5%", "25%", "100%"],
    "toa_max_failures": 0,
    "toa_max_rebooting": 0,
    "toa_max_unavailable": "",
    "toa_pause_after_canary": False,
    "toa_soak": 0,
    "toa_wait_for_traffic": 0,
}


NO_LIMIT = 1 << 30


def strictest(name: str, values: Mapping[str, Any], total: int) -> tuple[Any, str]:
    """(the value of a run-wide variable that counts, a sentence where hosts differ). `values`: {host: value}, `total`: hosts of the run.

    Raises FleetError for a value that cannot be used.
    """
    hosts: dict[str, list[str]] = {}
    distinct: dict[str, Any] = {}
    for host, value in values.items():
        text = shown(value)
        hosts.setdefault(text, []).append(host)
        distinct[text] = value
    if not distinct:
        return DEFAULTS[name], ""
    rank = _RANKS[name]
    chosen = min(distinct.values(), key=lambda value: rank(value, total))
    if len(distinct) == 1:
        return chosen, ""
    named = "; ".join(f"{text} for {_few(members)}" for text, members in sorted(hosts.items()))
    return chosen, f"{name} is not the same for all hosts: {named}. The strictest counts for the run: {shown(chosen)}"


def shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _few(hosts: list[str]) -> str:
    return host_text.some(hosts, 3)


def flag(value: Any, name: str) -> bool:
    try:
        return bool(boolean(value))
    except TypeError:
        raise FleetError(f"{name} is {value!r:.80}; expected true or false") from None


_RANKS: dict[str, Callable[[Any, int], Any]] = {
    "toa_waves": lambda value, total: wave_targets(total, value),
    "toa_max_failures": lambda value, total: amount(value, total, "toa_max_failures"),
    "toa_max_rebooting": lambda value, total: whole(value, "toa_max_rebooting") or NO_LIMIT,
    "toa_max_unavailable": lambda value, total: (
        NO_LIMIT if value in (None, "") else amount(value, total, "toa_max_unavailable")
    ),
    "toa_pause_after_canary": lambda value, total: not flag(value, "toa_pause_after_canary"),
    "toa_soak": lambda value, total: -seconds(value, "toa_soak"),
    "toa_wait_for_traffic": lambda value, total: -seconds(value, "toa_wait_for_traffic"),
}
