# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run is, in one line. Pure: what happens is told to it, with the time; it does not look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

# Ends of a host, in the order in which the line names them.
ENDS = (
    "proved",
    "rolled_back",
    "removed",
    "planned",
    "converged",
    "idle",
    "pending",
    "waiting",
    "blocked",
    "unsupported",
    "failed",
    "lost",
)


class Progress:
    """One run.

    First hosts are looked at (`looking`, `looked`), then those with something to do go through waves, cut into batches that run one after
    the other (`batch`, then `rebooting`, `back`, `ended` for its hosts, `batch_ended`). Times are seconds of any clock.
    """

    def __init__(self, forks: int = 5) -> None:
        self.forks = max(1, forks)
        self.began: float | None = None
        self.total = 0
        self.found: Counter[str] = Counter()
        self.ends: dict[str, str] = {}
        self.reboots: set[str] = set()
        self.sizes: list[int] = []
        self.current: list[str] = []
        self.turn: Mapping[str, object] = {}
        self.batch_began = 0.0
        self.units: list[float] = []

    # ---- what happens

    def looking(self, hosts: int, now: float) -> None:
        """`hosts` hosts are about to be looked at."""
        self.began = now if self.began is None else self.began
        self.total, self.found = hosts, Counter()

    def looked(self, state: str) -> None:
        """A host has been looked at: the state of its plan, failed or lost."""
        self.found[state] += 1

    def batch(self, hosts: Sequence[str], turn: Mapping[str, object], sizes: Sequence[int], now: float) -> None:
        """A batch begins. `turn` is where it stands ({wave, of, part}), `sizes` are those of all batches in order."""
        self.began = now if self.began is None else self.began
        self.current, self.turn, self.sizes, self.batch_began = list(hosts), turn, list(sizes), now
        self.reboots.clear()

    def rebooting(self, host: str) -> None:
        self.reboots.add(host)

    def back(self, host: str) -> None:
        self.reboots.discard(host)

    def ended(self, host: str, state: str) -> None:
        """A host has gone through its sequence."""
        self.reboots.discard(host)
        self.ends[host] = state

    def batch_ended(self, now: float) -> None:
        """What the batch took is the measure for those to come."""
        if self.current:
            self.units.append((now - self.batch_began) / self._rounds(len(self.current)))
        self.current = []
        self.reboots.clear()

    # ---- what to say

    def line(self, now: float) -> str:
        """Where the run is."""
        if not self.current:
            return self._looking(now)
        done = sum(host in self.ends for host in self.current)
        parts = [
            f"wave {self.turn.get('wave', 1)} of {self.turn.get('of', 1)}: {done} of {_hosts(len(self.current))} done"
        ]
        if self.reboots:
            parts[0] += f", {len(self.reboots)} rebooting"
        all_hosts = sum(self.sizes)
        if self.ends:
            parts.append(f"{_counts(Counter(self.ends.values()))} of {all_hosts:,} in all")
        left = self.left(now)
        parts.append("time left is known after the first wave" if left is None else f"about {span(left)} left")
        return "; ".join(parts)

    def summary(self, now: float) -> str:
        """What became of the run; an empty text for one that was not about TOA."""
        if self.began is None:
            return ""
        took = f" in {span(now - self.began)}"
        return (
            _counts(Counter(self.ends.values()))
            if self.ends
            else f"{_hosts(sum(self.found.values()))} looked at: {_counts(self.found)}"
        ) + took

    def left(self, now: float) -> float | None:
        """Seconds until the last batch ends, by what the batches before have taken; None before the first of them has ended.

        A batch of more hosts than forks takes that much longer.
        """
        if not self.units:
            return None
        unit = sum(self.units) / len(self.units)
        here = len(self.units)
        this = max(0.0, unit * self._rounds(len(self.current)) - (now - self.batch_began))
        return this + sum(unit * self._rounds(size) for size in self.sizes[here + 1 :])

    def _looking(self, now: float) -> str:
        done = sum(self.found.values())
        text = f"{done:,} of {_hosts(self.total)} looked at"
        if self.found:
            text += f": {_counts(self.found)}"
        if self.began is not None and 0 < done < self.total:
            text += f"; about {span((now - self.began) / done * (self.total - done))} left"
        return text

    def _rounds(self, hosts: int) -> int:
        return -(-hosts // self.forks)


def span(seconds: float) -> str:
    """A length of time as people say it."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole < 600 and whole % 60 else "")
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _hosts(count: int) -> str:
    return f"{count:,} host" + ("" if count == 1 else "s")


def _counts(states: Counter[str]) -> str:
    return ", ".join(
        f"{states[state]:,} {state}" for state in (*ENDS, *sorted(set(states) - set(ENDS))) if states[state]
    )
