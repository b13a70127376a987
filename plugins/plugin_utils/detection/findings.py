# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What many hosts saw, added up: option formats, who sends them, on which ports; and who is left out because he sends next to nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.detection.prefixes import cover
from ansible_collections.realip.toa.plugins.plugin_utils.option_formats import Format

# The least number of established connections that says something.
FEW = 3
# A source, port or format counts where it has this part of what the typical one has: a handful of forged packets is named, and not suggested.
PART = 0.1


@dataclass
class Sent:
    """One option format, and what arrived with it on established connections to the hosts' own addresses."""

    format: Format
    packets: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    ports: Counter[int] = field(default_factory=Counter)
    versions: set[int] = field(default_factory=set)
    samples: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    unproved: Counter[str] = field(default_factory=Counter)
    """By source: connections that nobody was seen to answer, so that the source may be forged."""
    several: int = 0
    """Connections on which it stood beside another option of its kind in one header."""

    @property
    def connections(self) -> int:
        return max(self.packets.values(), default=0)


@dataclass
class Findings:
    """All of it."""

    hosts: tuple[str, ...] = ()
    sent: list[Sent] = field(default_factory=list)
    """Formats worth a suggestion, the most used first."""
    rare: list[Sent] = field(default_factory=list)
    """Formats that came so seldom, or so unproved, that they suggest nothing."""
    sources: list[str] = field(default_factory=list)
    """The shortest list of networks that holds the balancers' addresses."""
    rare_sources: Counter[str] = field(default_factory=Counter)
    plain_sources: Counter[str] = field(default_factory=Counter)
    """Who connects without any option, by source."""
    ports: list[int] = field(default_factory=list)
    totals: Counter[str] = field(default_factory=Counter)
    elsewhere: Counter[str] = field(default_factory=Counter)
    """Formats on connections to addresses that are no host's own: containers, virtual machines."""
    proxy: Counter[tuple[int, int]] = field(default_factory=Counter)
    seconds: float = 0.0


TOTALS = (
    "established", "half_open", "with_option", "without_option", "for_others", "begun_before", "udp_datagrams", "dropped", "forgotten_rows",
)  # fmt: skip


def add_up(hosts: Mapping[str, Mapping[str, Any]]) -> Findings:
    """Findings out of `seen_of()` of each host."""
    found = Findings(tuple(hosts), seconds=max((seen["seconds"] for seen in hosts.values()), default=0.0))
    formats: dict[Format, Sent] = {}
    for host, seen in hosts.items():
        for name in TOTALS:
            found.totals[name] += seen[name]
        found.totals["sampled"] += seen["share"] > 1 or seen["plain_share"] > 1
        for item in seen["proxy_protocol"]:
            found.proxy[item["port"], item["version"]] += item["connections"]
        for row in seen["rows"]:
            _add(found, formats, host, row)
    _sort_out(found, formats.values())
    return found


def _add(found: Findings, formats: dict[Format, Sent], host: str, row: Mapping[str, Any]) -> None:
    if not row["kind"]:
        if row["here"]:
            found.plain_sources[row["source"]] += row["established"]
        return
    option = Format(row["kind"], row["length"])
    if not row["here"]:
        found.elsewhere[str(option)] += row["established"]
        return
    sent = formats.setdefault(option, Sent(option))
    if row["version"] is not None:
        sent.versions.add(row["version"])
    sent.several += row["several"]
    if row["unproved"]:
        sent.unproved[row["source"]] += row["unproved"]
    if not row["established"]:
        return
    sent.hosts.add(host)
    sent.packets[row["packet"]] += row["established"]
    # One connection may carry the option on several packets: it counts once, as often as on the packet that has it most.
    sent.sources[row["source"]] = max(sent.sources[row["source"]], row["established"])
    sent.ports[row["port"]] = max(sent.ports[row["port"]], row["established"])
    sent.samples += [sample for sample in row["samples"] if sample not in sent.samples][: 5 - len(sent.samples)]


def _sort_out(found: Findings, formats: Iterable[Sent]) -> None:
    ordered = sorted(formats, key=lambda sent: (-sent.connections, sent.format))
    kept = enough(Counter({sent.format: sent.connections for sent in ordered}))
    found.sent = [sent for sent in ordered if sent.format in kept]
    found.rare = [sent for sent in ordered if sent.format not in kept]
    sources: Counter[str] = Counter()
    ports: Counter[int] = Counter()
    for sent in found.sent:
        sources.update(sent.sources)
        ports.update(sent.ports)
    balancers = enough(sources)
    found.rare_sources = Counter({source: number for source, number in sources.items() if source not in balancers})
    for sent in found.rare:
        found.rare_sources.update(sent.sources)
    strangers = (set(found.plain_sources) | set(found.rare_sources)) - balancers
    found.sources = cover(balancers, strangers)
    found.ports = sorted(enough(ports))


def enough(counts: Counter[Any]) -> set[Any]:
    """What has at least FEW, and a tenth of what the typical one has: the one that half of all connections are at or above."""
    total, reached = sum(counts.values()), 0
    for _name, number in counts.most_common():
        reached += number
        if reached * 2 >= total:
            return {name for name, mine in counts.items() if mine >= max(FEW, number * PART)}
    return set()
