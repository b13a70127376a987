# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/benchmarks.md and its plots, out of the raw figures (figures.json): `python tests/bench/page.py` fills in what stands between the page's marks.

The words of the page are written by hand; every number in a table is computed here, so that no figure can be prettier than what was measured.
"""

from __future__ import annotations

import re
import statistics
import typing as t
from pathlib import Path

import ledger
import plot

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
IMAGES = ROOT / "docs" / "images"

CROWDED = 0.05
"""Share of the machine that others may use before a figure is marked."""
ORDER = ("rollout", "raw", "ping", "setup", "by hand")
CORES = ("core-2.16", "core-2.21")
SIZES = (100, 400, 1000)
PAPER = 10_000
PROMISED = {
    "converged fleet against one ping": "≤ 0.8",
    "converged fleet against the documents by hand": "≤ 0.1",
    "growth": "≤ 1.1",
    "memory of the controller": "≤ 200 MiB at 1,000 hosts",
    "first rollout of a kernel package against a bare script": "≤ 1.25",
    "accepted connections with the eBPF backend against none": "≥ 0.97",
    "probe matrix": "≤ 150 ms",
    "one look": "≤ 60 ms",
    "building a module": "≤ 1.1",
    "decision": "≤ 10 s",
}
"""What the page has to say something about, by the first words of its rows; what has no figure is said to have none."""

Figures = dict[str, dict[str, ledger.Entry]]


class Goal(t.NamedTuple):
    """One promise of the design and what came of it."""

    words: str
    limit: float
    figure: float
    unit: str
    at_least: bool = False
    crowded: bool = False

    def row(self) -> str:
        met = self.figure >= self.limit if self.at_least else self.figure <= self.limit
        over = abs(self.figure - self.limit) / self.limit
        sign = "≥" if self.at_least else "≤"
        verdict = "met" if met else f"**missed by {over:.0%}**" if over >= 0.01 else "**missed by less than 1%**"
        return f"| {self.words} | {sign} {number(self.limit)}{self.unit} | {number(self.figure)}{self.unit}{'†' if self.crowded else ''} | {verdict} |"


def number(value: float) -> str:
    """Three figures that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: str, rows: t.Iterable[str]) -> str:
    columns, lines = head.count("|") - 1, list(rows)
    if not lines:
        return "Not measured yet."
    return "\n".join([head, "|---|" + "---:|" * (columns - 1), *lines])


class Fleet:
    """One ansible-core and one size."""

    def __init__(self, entry: ledger.Entry) -> None:
        self.core = entry["core"].removeprefix("core-")
        self.hosts: int = entry["hosts"]
        self.runs: dict[str, list[dict[str, float]]] = entry["runs"]

    def middle(self, playbook: str, which: str) -> float:
        return statistics.median(run[which] for run in self.runs[playbook])

    def ratio(self, playbook: str, which: str) -> float:
        """Ours to another playbook."""
        return self.middle("rollout", which) / self.middle(playbook, which)

    def crowded(self, playbook: str) -> bool:
        return self.middle(playbook, "others") > CROWDED


def fleets(figures: Figures) -> list[Fleet]:
    found = figures.get("fleet", {})
    return [Fleet(found[f"{core} {size}"]) for core in CORES for size in SIZES if f"{core} {size}" in found]


def of_core(figures: Figures, core: str) -> dict[int, Fleet]:
    return {fleet.hosts: fleet for fleet in fleets(figures) if fleet.core == core.removeprefix("core-")}


# ---- blocks of the page, by the names of their marks


def setup(figures: Figures) -> str:
    entries = [entry for pieces in figures.values() for entry in pieces.values()]
    machines = sorted(
        {
            f"{one['cpus']} CPUs ({one['model']}), {one['memory']}, Linux {one['kernel']}, {one['openssh'].split(',')[0]}, the hosts' {one['python']}"
            for one in (entry["machine"] for entry in entries)
        }
    )
    cores = sorted({f"{entry['version']} on {entry['python']}" for entry in figures.get("fleet", {}).values()})
    when = sorted(entry["at"] for entry in entries)
    rows = [
        ("machine", "; ".join(machines)),
        ("controllers", "; ".join(cores)),
        ("forks", ", ".join(forks(figures))),
        ("taken", f"{when[0]} to {when[-1]}"),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def forks(figures: Figures) -> list[str]:
    return sorted({str(entry["forks"]) for entry in figures.get("fleet", {}).values()})


def goals(figures: Figures) -> str:
    found = [goal for core in CORES for goal in goals_of_core(of_core(figures, core))] + [*other_goals(figures)]
    missing = [
        f"| {words} | {limit} | not measured | |"
        for words, limit in PROMISED.items()
        if not any(goal.words.startswith(words) for goal in found)
    ]
    return table("| | goal | measured | |", [*(goal.row() for goal in found), *missing])


def goals_of_core(by_size: dict[int, Fleet]) -> t.Iterator[Goal]:
    for size, fleet in by_size.items():
        where = f"core {fleet.core}, {size:,} hosts"
        for which, words in (("wall", "wall"), ("cpu", "CPU of the controller")) if "ping" in fleet.runs else ():
            yield Goal(
                f"converged fleet against one ping, {words}: {where}",
                0.8,
                fleet.ratio("ping", which),
                "",
                crowded=fleet.crowded("rollout"),
            )
        if "by hand" in fleet.runs:
            for which, words in (("wall", "wall"), ("cpu", "CPU of the controller")):
                words = f"converged fleet against the documents by hand, {words}: {where}"
                yield Goal(words, 0.1, fleet.ratio("by hand", which), "", crowded=fleet.crowded("by hand"))
    least, most = min(by_size, default=0), max(by_size, default=0)
    if least < most:
        for which, words in (("wall", "wall"), ("cpu", "CPU of the controller")):
            growth = per_host(by_size[most], which) / per_host(by_size[least], which)
            words = f"growth, {words} a host at {most:,} hosts against {least:,}: core {by_size[most].core}"
            yield Goal(words, 1.1, growth, "", crowded=by_size[most].crowded("rollout"))
    if most >= 1000:
        yield Goal(
            f"memory of the controller: core {by_size[most].core}, {most:,} hosts",
            200,
            by_size[most].middle("rollout", "rss"),
            " MiB",
        )


def other_goals(figures: Figures) -> t.Iterator[Goal]:
    for entry in figures.get("first rollout", {}).values():
        ratio = entry["rollout"]["wall"] / entry["script"]["wall"]
        crowded = max(entry[which]["others"] for which in ("rollout", "script")) > CROWDED
        yield Goal(
            f"first rollout of a kernel package against a bare script, wall: {entry['hosts']}",
            1.25,
            ratio,
            "",
            crowded=crowded,
        )
    for name, entry in figures.get("ebpf", {}).items():
        if name.startswith("nginx"):
            yield Goal(
                f"accepted connections with the eBPF backend against none: {name}",
                0.97,
                statistics.median(entry["ratios"]),
                "",
                at_least=True,
            )
    for entry in figures.get("host", {}).values():
        crowded = entry["others"] > CROWDED
        yield Goal(
            f"probe matrix, default case ({entry['cases']} cases)",
            150,
            statistics.median(entry["matrix"]),
            " ms",
            crowded=crowded,
        )
        yield Goal(
            "one look (`toa_facts`), CPU of the host",
            60,
            statistics.median(entry["programs"]["toa_facts"]["cpu"]),
            " ms",
            crowded=crowded,
        )
    for entry in figures.get("module build", {}).values():
        ratio = statistics.median(ours / make for make, ours in zip(entry["make"], entry["ours"], strict=True))
        yield Goal("building a module (`toa_source`) against `make` alone, wall", 1.1, ratio, "")
    for entry in figures.get("decision", {}).values():
        yield Goal(f"decision for {entry['hosts']:,} hosts on one core", 10, entry["seconds"]["decide"], " s")


def per_host(fleet: Fleet, which: str, playbook: str = "rollout") -> float:
    return fleet.middle(playbook, which) / fleet.hosts


def runs(figures: Figures) -> str:
    head = "| core, hosts | playbook | wall s | CPU s | of it main process s | CPU of the hosts s | MiB | rollout to it, wall | CPU |"
    rows = []
    for fleet in fleets(figures):
        for name in ORDER:
            if name in fleet.runs:
                mark = "†" if fleet.crowded(name) else ""
                wall, cpu, main, hosts, rss = (
                    number(fleet.middle(name, which)) for which in ("wall", "cpu", "main", "hosts", "rss")
                )
                ratio = (
                    ["", ""] if name == "rollout" else [f"{fleet.ratio(name, which):.2f}" for which in ("wall", "cpu")]
                )
                rows.append(
                    f"| {fleet.core}, {fleet.hosts:,} | {name}{mark} | {wall} | {cpu} | {main} | {hosts} | {rss} | {ratio[0]} | {ratio[1]} |"
                )
    return table(head, rows)


def floor(figures: Figures) -> str:
    """What a ping, and so the goal, leaves room for."""
    lines = []
    for fleet in fleets(figures):
        if {"raw", "ping"} <= fleet.runs.keys():
            ping, raw, ours = (fleet.middle(name, "cpu") / fleet.hosts * 1000 for name in ("ping", "raw", "rollout"))
            room = 0.8 * ping - raw
            left = f"leaves {room:.0f} ms" if room >= 0 else "leaves nothing"
            lines.append(
                f"* core {fleet.core}, {fleet.hosts:,} hosts: a ping takes {ping:.0f} ms of the controller's CPU for each host, and `raw`, the least that"
                f" Ansible can do with one, {raw:.0f} ({raw / ping:.2f}). The goal {left} for facts, proof, decision and report, which take {ours - raw:.0f}."
            )
    return "\n".join(lines)


def growth(figures: Figures) -> str:
    if max((len(of_core(figures, core)) for core in CORES), default=0) < 2:
        return "Only one size of fleet has been measured so far, so there is nothing to say about growth."
    return "\n".join([
        "![Wall time of a whole run, by the number of hosts](images/bench-growth.svg)", "",
        "![Memory of the controller, by the number of hosts](images/bench-memory.svg)", "", growth_table(figures),
    ])  # fmt: skip


def growth_table(figures: Figures) -> str:
    head = (
        "| core | | "
        + " | ".join(f"{size:,} hosts" for size in SIZES)
        + f" | each further host | {PAPER:,} hosts on paper |"
    )
    rows = []
    for core in CORES:
        by_size = of_core(figures, core)
        if len(by_size) < 2:
            continue
        for which, words, unit in (
            ("wall", "wall", "s"), ("cpu", "CPU of the controller", "s"), ("main", "of it the main process", "s"), ("rss", "memory, largest process", "MiB"),
        ):  # fmt: skip
            cells = [
                f"{number(by_size[size].middle('rollout', which))} {unit}" if size in by_size else "" for size in SIZES
            ]
            each = slope(by_size, which)
            small = f"{each * 1000:.1f} ms" if unit == "s" else f"{each * 1024:.0f} KiB"
            most = max(by_size)
            paper = by_size[most].middle("rollout", which) + each * (PAPER - most)
            told = f"{paper / 60:.1f} min" if unit == "s" else f"{paper:,.0f} MiB"
            rows.append(f"| {core.removeprefix('core-')} | {words} | " + " | ".join(cells) + f" | {small} | {told} |")
    return table(head, rows)


def slope(by_size: dict[int, Fleet], which: str) -> float:
    """What one host more costs, by the two largest fleets."""
    more, most = sorted(by_size)[-2:]
    return (by_size[most].middle("rollout", which) - by_size[more].middle("rollout", which)) / (most - more)


def host(figures: Figures) -> str:
    head = "| program | CPU ms | wall ms | bytes sent | bytes back |"
    rows = []
    for entry in figures.get("host", {}).values():
        for name in ("nothing", "toa_facts", "toa_probe", "toa_plan"):
            one = entry["programs"][name]
            label = "`pass`" if name == "nothing" else f"`{name}`"
            rows.append(
                f"| {label} | {statistics.median(one['cpu']):.1f} | {statistics.median(one['wall']):.1f} | {one['sent']:,} | {one['answer']:,} |"
            )  # fmt: skip
    return table(head, rows)


def decision(figures: Figures) -> str:
    rows = []
    for entry in figures.get("decision", {}).values():
        words = {
            "facts": "facts out of the hosts' answers, checked",
            "decide": "the decision",
            "report": "the report's data",
        }
        rows = [f"| {words[name]} | {seconds:.2f} |" for name, seconds in entry["seconds"].items()]
    return table(f"| for {PAPER:,} hosts, on one core | s |", rows)


def ebpf(figures: Figures) -> str:
    head = "| server | ratio | accepted a second without | cost of a connection |"
    rows = []
    for name, entry in sorted(figures.get("ebpf", {}).items(), reverse=True):
        ratio, rate = statistics.median(entry["ratios"]), statistics.median(entry["rates"])
        rows.append(f"| {name} | {ratio:.3f} | {rate:,.0f} | {1e6 / rate * (1 / ratio - 1):+.2f} µs |")
    return table(head, rows)


def first_rollout(figures: Figures) -> str:
    rows = []
    for entry in figures.get("first rollout", {}).values():
        for name in ("script", "rollout"):
            one = entry[name]
            mark = "†" if one["others"] > CROWDED else ""
            rows.append(f"| {entry['hosts']} | {name}{mark} | {one['wall']:.0f} | {one.get('reboot', 0):.0f} |")
    return table("| hosts | | wall s | of it the reboot s |", rows)


def raw(figures: Figures) -> str:
    """Every round of what was run more than once."""
    rows = []
    for fleet in fleets(figures):
        for name in ORDER:
            for which in ("wall", "cpu"):
                if len(fleet.runs.get(name, [])) > 1:
                    rows.append(
                        f"| {fleet.core}, {fleet.hosts:,} | {name}, {which} s | "
                        + ", ".join(number(run[which]) for run in fleet.runs[name])
                        + " |"
                    )
    return table("| core, hosts | | rounds |", rows)


BLOCKS: dict[str, t.Callable[[Figures], str]] = {
    "setup": setup, "goals": goals, "runs": runs, "floor": floor, "growth": growth, "host": host, "decision": decision, "ebpf": ebpf,
    "first rollout": first_rollout, "raw": raw,
}  # fmt: skip


# ---- plots


def plots(figures: Figures) -> dict[str, str]:
    """{file name: SVG}; none where there is no line to be drawn."""
    if "images/" not in growth(figures):
        return {}
    series = [
        plot.Series(f"{name}, core {core.removeprefix('core-')}", name, core == CORES[0], points)
        for core in CORES for name in ORDER
        if len(points := [(float(size), fleet.middle(name, "wall")) for size, fleet in of_core(figures, core).items() if name in fleet.runs]) > 1
    ]  # fmt: skip
    memory = [
        plot.Series(f"{name}, core {core.removeprefix('core-')}", name, core == CORES[0], points)
        for core in CORES for name in ("rollout", "ping", "setup")
        if (points := [(float(size), fleet.middle(name, "rss")) for size, fleet in of_core(figures, core).items() if name in fleet.runs])
    ]  # fmt: skip
    return {
        "bench-growth.svg": plot.chart("Wall time of a whole run", "hosts", "seconds", series, logarithmic=True),
        "bench-memory.svg": plot.chart(
            "Memory of the controller, largest process", "hosts", "MiB", memory, limit=(200.0, "goal: 200 MiB")
        ),
    }


def filled(page: str, figures: Figures) -> str:
    """The page with its blocks made anew. KeyError for a mark that names no block."""

    def block(found: re.Match[str]) -> str:
        return f"<!-- figures: {found[1]} -->\n{BLOCKS[found[1]](figures)}\n<!-- end -->"

    return re.sub(r"<!-- figures: ([a-z ]+) -->\n.*?<!-- end -->", block, page, flags=re.DOTALL)


def main() -> None:
    figures = ledger.load()
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")
    for name, image in plots(figures).items():
        (IMAGES / name).write_text(image, encoding="utf-8")


if __name__ == "__main__":
    main()
