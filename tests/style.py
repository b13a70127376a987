# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house style of the pages that people read: `python tests/style.py` names each line that is against tests/style.yml.

vale has no package that installs without fetching its program at first use, and textlint would bring Node.js and some hundred packages.
"""

from __future__ import annotations

import re
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
# As a script it has its own folder on the path, and not the checkout.
sys.path.insert(0, str(ROOT))
from tests.found import found  # noqa: E402

RULES: dict[str, t.Any] = yaml.safe_load((ROOT / "tests" / "style.yml").read_text(encoding="utf-8"))
# Made by programs, of what other files say.
MADE = ("docs/variables.md", "docs/faults.md", "docs/benchmarks.md")

_BLOCK = re.compile(r"^(```|~~~)")
# What begins a paragraph of its own: an item, a heading, a row of a table, a quotation.
_OWN = re.compile(r"\s*(?:[*+-] |\d+\. |#|\||>)")
_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9(*`\"'])|(?<=[:;])\s+")


class Piece(t.NamedTuple):
    """A paragraph, an item or a cell of a table."""

    line: int
    text: str


def pieces(text: str) -> Iterator[Piece]:
    """The prose of a page, without its blocks of code."""
    lines: list[str] = []
    began, code = 0, False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        is_fence = bool(_BLOCK.match(line.strip()))
        if is_fence or code or not line.strip() or _OWN.match(line) or (line.startswith("    ") and not lines):
            if lines:
                yield Piece(began, " ".join(lines))
            lines = []
        code ^= is_fence
        if is_fence or code or not line.strip() or (line.startswith("    ") and not lines and not _OWN.match(line)):
            continue
        if line.lstrip().startswith("|"):
            yield from (Piece(number, cell.strip()) for cell in re.split(r"(?<!\\)\|", line) if cell.strip(" -"))
            continue
        began = number if not lines else began
        lines.append(line.strip())


def plain(text: str) -> str:
    """Words as people read them: a link is its text, what stands in code is one word."""
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"`[^`]+`", "CODE", text)


def faults(text: str) -> Iterator[tuple[int, str]]:
    """(line, sentence) for each fault of a page."""
    for piece in pieces(text):
        words = plain(piece.text)
        for sentence in _END.split(words):
            count = len(sentence.split())
            if count > RULES["words"]:
                yield piece.line, f"a sentence of {count} words, at most {RULES['words']}: {sentence[:60]}..."
        for kind in ("phrases", "terms"):
            for phrase, instead in RULES[kind].items():
                for seen in re.finditer(rf"(?<![\w-])(?:{phrase})(?![\w-])", words, re.IGNORECASE):
                    yield piece.line, f"{seen[0]!r}: write {instead}"


def pages() -> list[Path]:
    """What is held to it."""
    named = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    files = [*named, *found(ROOT, "docs/**/*.md"), *found(ROOT, "roles/*/README.md")]
    return [path for path in files if path.relative_to(ROOT).as_posix() not in MADE and "_site" not in path.parts]


def main() -> int:
    told = [
        f"{path.relative_to(ROOT)}:{line}: {fault}"
        for path in pages()
        for line, fault in faults(path.read_text(encoding="utf-8"))
    ]
    print("\n".join(told))
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
