# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who goes when: waves that prove every kind of host by a canary, and never take more out of a failure domain than it can spare. Pure.

Hosts are of one kind if they are alike in what decides whether a new kernel or module works on them (fleet/kinds.py). The rules:

* A kind of which no host has been proved sends its first host ahead, in a wave of canaries. Such a wave holds nothing else; one that does not
  use up the size of its wave is an additional wave.
* A wave is cut into parts, whose hosts may all be out at once. A part holds at most `max_rebooting` hosts, and of a failure domain at most
  what is left of its limit after those that are out of service already. Those that are out go first.
* Hosts through which others are reached come last, one at a time, and never in a wave with a host that is reached through them.

All of this assumes that every host ends well. What does not is the gate's affair: fleet/waves.py.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from ansible_collections.realip.toa.plugins.plugin_utils.fleet.limits import amount, wave_targets, whole


class Candidate(NamedTuple):
    """A host that has something to do."""

    host: str
    kind: str
    domain: str = ""
    """Its failure domain; "" is none, and has no limit."""
    out: bool = False
    """Whether it is out of service already, so that working on it takes nothing from its domain."""
    level: int = 0
    """0 for a host through which no other one of the run is reached, else one more than those that are reached through it."""


class Schedule(NamedTuple):
    """Every candidate is in one of these, once."""

    turns: list[dict[str, Any]]
    """In order: [{host, turn: {wave, of, part, size, allowed, first, until, kind, canary, domain}}]. `first` is the place of the wave's first host
    among all, `until` the place after the last of the part."""
    held: list[str]
    """Hosts that cannot begin, for so many of their domain are out already that none may be taken out beside them."""


def schedule(
    candidates: Sequence[Candidate],
    waves: Any,
    max_failures: Any = 0,
    max_rebooting: Any = 0,
    spare: Mapping[str, int] | None = None,
    proved: Collection[str] = (),
) -> Schedule:
    """Turns for hosts in their order of preference.

    `waves`: sizes, as numbers or percentages of all hosts, the last one repeating. `max_failures`: a number, or a percentage of a wave.
    `max_rebooting`: the most hosts of one part, 0 for no limit. `spare`: how many hosts of a domain may be taken out, beside those that are
    out now; domains that are not in it have no limit. `proved`: kinds that need no canary. Raises FleetError.
    """
    sizes = wave_targets(len(candidates), waves)
    most = whole(max_rebooting, "toa_max_rebooting")
    amount(max_failures, 100, "toa_max_failures")
    room, known = dict(spare or {}), set(proved)
    turns: list[dict[str, Any]] = []
    held: list[str] = []
    step = number = part = 0
    for level in sorted({candidate.level for candidate in candidates}):
        line = _Line([candidate for candidate in candidates if candidate.level == level], known, room)
        while True:
            size = sizes[min(step, len(sizes) - 1)]
            members = line.canaries(size)
            canary = bool(members)
            members = members or line.take(size)
            if not members:
                break
            step += not canary or len(members) == size
            number += 1
            cut = _parts(members, room, 1 if level else most)
            allowed, first, until = amount(max_failures, len(members), "toa_max_failures"), len(turns), len(turns)
            for chosen in cut:
                part, until = part + 1, until + len(chosen)
                turns += [
                    {
                        "host": member.host,
                        "turn": {
                            "wave": number, "of": 0, "part": part, "size": len(members), "allowed": allowed, "first": first,
                            "until": until, "kind": member.kind, "canary": canary, "domain": member.domain,
                        },
                    }
                    for member in chosen
                ]  # fmt: skip
            line.ended(members)
        held += line.parked_hosts()
    for item in turns:
        item["turn"]["of"] = number
    return Schedule(turns, held)


def batches(turns: Iterable[Mapping[str, Any]]) -> list[int]:
    """How many hosts each part has, for a play's `serial`."""
    sizes: dict[int, int] = {}
    for turn in turns:
        sizes[turn["part"]] = sizes.get(turn["part"], 0) + 1
    return [sizes[part] for part in sorted(sizes)] or [1]


class _Line:
    """The hosts of one level that are still to come. A host is moved a few times at most, so that a large fleet takes no longer than its size."""

    def __init__(self, members: Sequence[Candidate], proved: set[str], room: dict[str, int]) -> None:
        self._members, self._proved, self._room = members, proved, room
        # Places in the line. Those that are out go first.
        self._ready: list[tuple[bool, int]] = []
        self._unproved: OrderedDict[str, list[tuple[bool, int]]] = OrderedDict()
        self._parked: dict[str, list[tuple[bool, int]]] = {}
        for number, member in enumerate(members):
            self._enter((not member.out, number))

    def _enter(self, place: tuple[bool, int]) -> None:
        kind = self._members[place[1]].kind
        heapq.heappush(self._ready if kind in self._proved else self._unproved.setdefault(kind, []), place)

    def _first(self, heap: list[tuple[bool, int]]) -> Candidate | None:
        """The first host that may be taken out; those before it whose domain can spare nobody step aside."""
        while heap:
            place = heapq.heappop(heap)
            member = self._members[place[1]]
            if member.out or self._room.get(member.domain, 1) > 0:
                return member
            self._parked.setdefault(member.domain, []).append(place)
        return None

    def canaries(self, most: int) -> list[Candidate]:
        """One host of each kind that has not been proved."""
        chosen: list[Candidate] = []
        while self._unproved and len(chosen) < most:
            kind, heap = self._unproved.popitem(last=False)
            member = self._first(heap)
            if member:
                chosen.append(member)
                self._proved.add(kind)
                # Others of the kind come in later waves.
                for place in heap:
                    self._enter(place)
        return chosen

    def take(self, most: int) -> list[Candidate]:
        """The next hosts of kinds that have been proved."""
        chosen: list[Candidate] = []
        while len(chosen) < most and (member := self._first(self._ready)):
            chosen.append(member)
        return chosen

    def ended(self, members: Iterable[Candidate]) -> None:
        """Those that were out of service are back, so that others of their domain may go."""
        for domain in [member.domain for member in members if member.out and member.domain in self._room]:
            self._room[domain] += 1
            if self._room[domain] > 0:
                for place in self._parked.pop(domain, []):
                    self._enter(place)

    def parked_hosts(self) -> list[str]:
        """Those that never came, in order."""
        return [self._members[number].host for _out, number in sorted(chain.from_iterable(self._parked.values()))]


def _parts(members: Sequence[Candidate], room: Mapping[str, int], most: int) -> list[list[Candidate]]:
    """Cut a wave: each host goes into the first part in which there is a place for it."""
    parts: list[list[Candidate]] = []
    # Part -> the next one that is not full; domain -> its current part and how many of it are in there.
    onward: dict[int, int] = {}
    current: dict[str, tuple[int, int]] = {}

    def not_full(number: int) -> int:
        passed = []
        while number in onward:
            passed.append(number)
            number = onward[number]
        onward.update(dict.fromkeys(passed, number))
        return number

    for member in members:
        limit = 0 if member.out else room.get(member.domain, 0)
        number, used = current.get(member.domain, (0, 0)) if limit else (0, 0)
        found = not_full(number + 1 if limit and used >= limit else number)
        if limit:
            current[member.domain] = (found, used + 1 if found == number else 1)
        while len(parts) <= found:
            parts.append([])
        parts[found].append(member)
        if most and len(parts[found]) >= most:
            onward[found] = found + 1
    return parts
