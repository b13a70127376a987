# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo as a picture, out of what a real one has printed: `lab/demo 2>&1 | tee demo.log; python3 -m lab.picture demo.log`.

It keeps the lines that say what happens, in docs/images/demo.txt, and draws them into docs/images/demo.svg. A test holds the two equal, and both to the demo.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
TEXT, PICTURE = IMAGES / "demo.txt", IMAGES / "demo.svg"

TYPED = "$ make demo"
HEADING = "== demo: "
RESULT = f"{HEADING}result"
# The end of a wave, and of the run.
PROGRESS = re.compile(r"TOA: (wave \d+ of \d+: (\d+) of \2 hosts? done; .*|\d+ proved\b.* in .*)")
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")

SIZE, WIDTH, HEIGHT, MARGIN = 14, 8.43, 20, 18
GOOD = re.compile(r"\b(\d+ proved\b|translating$)")
STYLE = """\
.back { fill: #f6f8fa; stroke: #d0d7de }
text { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1f2328; white-space: pre }
.typed, .heading { font-weight: 700 }
.heading { fill: #0550ae }
.good { fill: #116329 }
@media (prefers-color-scheme: dark) {
.back { fill: #0d1117; stroke: #30363d }
text { fill: #e6edf3 }
.heading { fill: #79b8ff }
.good { fill: #3fb950 }
}
"""


def chosen(log: str) -> list[str]:
    """The lines of a demo's output that the picture shows."""
    lines = [ESCAPES.sub("", line).rstrip() for line in log.splitlines()]
    return [TYPED, *_told(lines[: lines.index(RESULT)]), RESULT, *_table(lines[lines.index(RESULT) + 1 :])]


def _told(lines: Iterable[str]) -> Iterator[str]:
    """Headings, and of the progress what was reached. A wave may say its end more than once."""
    before = ""
    for line in lines:
        wave = line.partition(";")[0]
        if line.startswith(HEADING) or (PROGRESS.fullmatch(line) and wave != before):
            yield line
            before = wave


def _table(lines: Iterable[str]) -> Iterator[str]:
    """One line for each machine, until something else begins."""
    for line in lines:
        if not line.endswith("translating"):
            return
        yield line


def svg(lines: Sequence[str]) -> str:
    """Text on the background of whoever looks at it, light or dark; as wide as its longest line."""
    width = round(max(map(len, lines)) * WIDTH + 2 * MARGIN)
    height = len(lines) * HEIGHT + 2 * MARGIN
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="title">'
    drawn = [_line(line, MARGIN + SIZE + number * HEIGHT) for number, line in enumerate(lines)]
    return "\n".join([
        head, "<!-- Copyright (c) 2026 The realip.toa authors. SPDX-License-Identifier: GPL-3.0-or-later. Drawn by lab/picture.py. -->",
        f"<title id=\"title\">{escape(lines[0])}: {sum(line.endswith('translating') for line in lines)} machines, each translating at the end</title>",
        f"<style>\n{STYLE}</style>", f'<rect class="back" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>', *drawn, "</svg>", "",
    ])  # fmt: skip


def _line(line: str, y: int) -> str:
    kind = ' class="typed"' if line == TYPED else ' class="heading"' if line.startswith(HEADING) else ""
    text = GOOD.sub(r'<tspan class="good">\1</tspan>', escape(line, quote=False))
    # Whatever font is found, columns stay columns.
    return f'<text{kind} x="{MARGIN}" y="{y}" textLength="{len(line) * WIDTH:.1f}" lengthAdjust="spacingAndGlyphs" xml:space="preserve">{text}</text>'


def main(words: Sequence[str]) -> int:
    """Exit code 0; an error where the log is not that of a demo which has ended well."""
    lines = chosen(Path(words[0]).read_text(encoding="utf-8", errors="replace"))
    TEXT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    PICTURE.write_text(svg(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
