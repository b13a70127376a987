# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waves and their gates. Pure: no I/O, no clock.

A wave is cut into parts of at most `toa_max_rebooting` hosts, each a batch of the play. The gate looks after each part: it closes as soon as
more hosts of the wave than `toa_max_failures` have not ended well, whatever the reason, those that vanished from the play included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from ansible_collections.realip.toa.plugins.plugin_utils.fleet import records

Variables: TypeAlias = Mapping[str, Any]

# Outcomes with which a host is no failure of its wave. `pending`, `converged`: nothing was begun with it; its change window is
# over, or another run has been here since it was planned.
FINE = ("proved", "planned", "removed", "rolled_back", "pending", "converged")
APPROVAL = "to go on, run again with toa_pause_after_canary: false; in AWX that is the node behind an approval node"

_PERCENT = re.compile(r"(\d{1,3})\s*%")


class FleetError(ValueError):
    """An option that cannot be used; the text names it and what was expected."""


# ---- waves


def schedule(hosts: Sequence[str], waves: Any, max_failures: Any = 0, max_rebooting: Any = 0) -> list[dict[str, Any]]:
    """Each host with its turn, in order: [{host, turn: {wave, of, part, size, allowed, first, until}}]. `first` is the place of the wave's first
    host among all, `until` the place after the last of the part.

    `waves`: sizes, as numbers or percentages of all hosts, the last one repeating. `max_failures`: a number, or a percentage of a wave.
    `max_rebooting`: the most hosts of one part, 0 for no limit. Raises FleetError.
    """
    limit = whole(max_rebooting, "toa_max_rebooting")
    sizes = wave_sizes(len(hosts), waves)
    turns, left = [], list(hosts)
    part = first = 0
    for number, size in enumerate(sizes, 1):
        members, left = left[:size], left[size:]
        allowed = amount(max_failures, len(members), "toa_max_failures")
        for start in range(0, len(members), limit or len(members)):
            part += 1
            chosen = members[start : start + (limit or len(members))]
            turn = {
                "wave": number, "of": len(sizes), "part": part, "size": len(members), "allowed": allowed,
                "first": first, "until": first + start + len(chosen),
            }  # fmt: skip
            turns += [{"host": host, "turn": turn} for host in chosen]
        first += len(members)
    return turns


def wave_sizes(total: int, waves: Any) -> list[int]:
    """Sizes of the waves that `total` hosts make; a percentage is rounded down, and is at least one host."""
    # A survey of AWX gives a text.
    wanted = (
        [part.strip() for part in waves.split(",")]
        if isinstance(waves, str)
        else [waves]
        if isinstance(waves, int)
        else list(waves or [])
    )
    if not wanted:
        raise FleetError('toa_waves is empty; expected sizes such as [1, "5%", "25%", "100%"]')
    sizes = [max(1, amount(item, total, "toa_waves")) for item in wanted]
    if any(amount(item, 1000, "toa_waves") == 0 for item in wanted):
        raise FleetError(
            f"toa_waves is {wanted!r:.120}: a wave without hosts never ends; expected numbers from 1 or percentages from 1%"
        )
    found: list[int] = []
    left = total
    while left > 0:
        size = min(left, sizes[min(len(found), len(sizes) - 1)])
        found.append(size)
        left -= size
    return found


def amount(value: Any, total: int, name: str) -> int:
    """A number, or a percentage of `total`, rounded down."""
    percent = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if percent and int(percent[1]) <= 100:
        return total * int(percent[1]) // 100
    return whole(value, name, " or a percentage such as 10%")


def whole(value: Any, name: str, more: str = "") -> int:
    """A whole number from 0, as a number or as a text (extra variables are texts)."""
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,7}", text):
        raise FleetError(f"{name} is {value!r:.80}; expected a whole number from 0{more}")
    return int(text)


def batches(turns: Iterable[Mapping[str, Any]]) -> list[int]:
    """How many hosts each part has, for a play's `serial`."""
    sizes: dict[int, int] = {}
    for turn in turns:
        sizes[turn["part"]] = sizes.get(turn["part"], 0) + 1
    return [sizes[part] for part in sorted(sizes)] or [1]


# ---- the group of a run

GROUP = "toa_pending"
# Matches no host, and is not an error where a pattern that matches nothing is one.
NOBODY = "all:!all"


def group_of(run: str) -> str:
    """The group of the hosts that have a turn in this run. Groups outlive their playbook, so the name is the run's own."""
    return f"{GROUP}_{run}" if run else GROUP


def current_group(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Variables]) -> str:
    """The group whose waves are to begin; a pattern without hosts where there is none.

    Ansible keeps groups in the order in which they came. The last one is spent when its first host has begun, or was looked at again since.
    """
    names = [name for name in groups if name == GROUP or name.startswith(f"{GROUP}_")]
    if not names or not groups[names[-1]] or not hostvars:
        return NOBODY
    found = records.of(hostvars[groups[names[-1]][0]])
    return NOBODY if found["outcome"] or group_of(found["run"]) != names[-1] else names[-1]


# ---- gates


def gate(
    hosts: Sequence[str], hostvars: Mapping[str, Variables], turn: Mapping[str, Any], ask: bool = False
) -> dict[str, Any]:
    """What is behind the part that has just ended: {open, ask, wave, why, remedy, unproven, left: [{host, outcome}]}.

    `hosts`: all of the play, in its order. `ask`: somebody wants to be asked after the first wave. `left` are those that do not begin if the run
    ends here. Only hosts of this wave are looked at: their variables are dear.
    """
    begun, waiting = hosts[turn["first"] : turn["until"]], hosts[turn["until"] :]
    states = {host: str(records.of(hostvars[host])["outcome"].get("state") or "lost") for host in begun}
    unproven = [host for host in begun if states[host] not in FINE]
    closed = len(unproven) > turn["allowed"]
    why = ""
    if closed:
        named = ", ".join(f"{host} ({states[host]})" for host in unproven[:20]) + (
            " and more" if len(unproven) > 20 else ""
        )
        why = (
            f"wave {turn['wave']} of {turn['of']}: {len(unproven)} of {turn['size']} hosts did not end well, and toa_max_failures allows "
            f"{turn['allowed']}: {named}; {_hosts(len(waiting))} not begun"
        )
    last = turn["until"] == turn["first"] + turn["size"]
    asked = ask and turn["wave"] == 1 and last and bool(waiting) and not closed
    if asked:
        why = f"the canary has ended well; {_hosts(len(waiting))} not begun, because toa_pause_after_canary is set"
    words: dict[str, str] = {
        "state": "waiting",
        "code": "gate_closed",
        "message": why,
        "remedy": "put right what failed, and run again",
    }
    if asked:
        words = {"state": "pending", "code": "awaiting_approval", "message": why, "remedy": APPROVAL}
    left = [{"host": host, "outcome": words} for host in waiting] if why else []
    return {
        "open": not closed,
        "ask": asked,
        "wave": turn["wave"],
        "why": why,
        "unproven": unproven,
        "remedy": words["remedy"],
        "left": left,
    }


def outside(reason: str) -> dict[str, str]:
    """The outcome of a host whose change window is not open, for that `reason`."""
    return {
        "state": "pending",
        "code": "outside_window",
        "message": reason,
        "remedy": "run again within the change window",
    }


def _hosts(count: int) -> str:
    return "1 host is" if count == 1 else f"{count} hosts are"
