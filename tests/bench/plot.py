# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Line charts as small SVG files that can be read in light and in dark."""

from __future__ import annotations

import math
import typing as t
from html import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 170, 44, 52
# One for each playbook, told apart by lightness as well (Okabe and Ito's palette).
COLOURS = {"rollout": "#0072b2", "raw": "#999999", "ping": "#d55e00", "setup": "#009e73", "by hand": "#cc79a7"}
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f } .small { font-size: 11px } .title { font-size: 15px; font-weight: 600 }
.axis { stroke: #57606a } .grid { stroke: #d0d7de; stroke-width: .5 } .limit { stroke: #cf222e; stroke-dasharray: 2 3 }
path { fill: none; stroke-width: 2 } .older { stroke-dasharray: 6 4 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .axis { stroke: #8b949e } .grid { stroke: #30363d } }
"""


class Series(t.NamedTuple):
    name: str
    kind: str
    """A key of COLOURS."""
    dashed: bool
    points: list[tuple[float, float]]


class Axis:
    """Values to pixels, from `low` at the pixel `begin` to `high` at `end`."""

    def __init__(self, low: float, high: float, begin: float, end: float, logarithmic: bool) -> None:
        self._scale = math.log10 if logarithmic else float
        self._low, self._high = self._scale(low), self._scale(high)
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        share = (self._scale(value) - self._low) / ((self._high - self._low) or 1)
        return round(self._begin + share * (self._end - self._begin), 1)


def ticks(low: float, high: float, logarithmic: bool) -> list[float]:
    """Round numbers between the two."""
    if logarithmic:
        steps = [base * 10.0**power for power in range(-2, 7) for base in (1, 2, 5)]
        return [step for step in steps if low <= step <= high]
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(step * factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 6)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def apart(places: list[float], least: float) -> list[float]:
    """The same places, moved down where two would touch; in their order."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + least) if moved else place)
    return moved


def chart(
    title: str,
    across: str,
    up: str,
    series: list[Series],
    logarithmic: bool = False,
    limit: tuple[float, str] | None = None,
) -> str:
    """An SVG with a line for each series, named at its end; `limit` is a line of its own."""
    values = [point for one in series for point in one.points] or [(1.0, 1.0)]
    most = max([y for _x, y in values] + ([limit[0]] if limit else []))
    low_x, high_x = min(x for x, _y in values), max(x for x, _y in values)
    low_y = min(y for _x, y in values) / 1.3 if logarithmic else 0.0
    x_axis = Axis(low_x, high_x, LEFT, WIDTH - RIGHT, logarithmic)
    y_axis = Axis(low_y, most * (1.3 if logarithmic else 1.1), HEIGHT - BOTTOM, TOP, logarithmic)
    parts = [f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>']
    for value in ticks(low_y, most * 1.1, logarithmic):
        parts.append(f'<path class="grid" d="M{LEFT} {y_axis.at(value)}H{WIDTH - RIGHT}"/>')
        parts.append(
            f'<text class="small" text-anchor="end" x="{LEFT - 8}" y="{y_axis.at(value) + 4}">{value:g}</text>'
        )
    for value in sorted({x for x, _y in values}):
        parts.append(
            f'<text class="small" text-anchor="middle" x="{x_axis.at(value)}" y="{HEIGHT - BOTTOM + 18}">{value:,.0f}</text>'
        )
    parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) // 2}" y="{HEIGHT - 14}" text-anchor="middle">{escape(across)}</text>'
    )
    parts.append(f'<text x="14" y="{TOP - 6}">{escape(up)}</text>')
    if limit:
        parts.append(f'<path class="limit" d="M{LEFT} {y_axis.at(limit[0])}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="small" x="{LEFT + 8}" y="{y_axis.at(limit[0]) - 5}">{escape(limit[1])}</text>')
    ends = []
    for one in series:
        line = "L".join(f"{x_axis.at(x)} {y_axis.at(y)}" for x, y in one.points)
        style = ' class="older"' if one.dashed else ""
        parts.append(f'<path{style} stroke="{COLOURS[one.kind]}" d="M{line}"/>')
        parts += [
            f'<circle r="3" fill="{COLOURS[one.kind]}" cx="{x_axis.at(x)}" cy="{y_axis.at(y)}"/>' for x, y in one.points
        ]
        ends.append((y_axis.at(one.points[-1][1]), one))
    ends.sort(key=lambda end: end[0])
    for place, (_end, one) in zip(apart([end for end, _one in ends], 15), ends, strict=True):
        parts.append(
            f'<text class="small" style="fill: {COLOURS[one.kind]}" x="{WIDTH - RIGHT + 10}" y="{place + 4}">{escape(one.name)}</text>'
        )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(title)}</title><style>{STYLE}</style>'
    return "\n".join([head, *parts, "</svg>", ""])
