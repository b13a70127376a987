# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guide has people write and type, in its order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUICK_START = ROOT / "docs" / "guides" / "quick-start.md"

FENCED = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A command, or (with `file`) a file and its text."""

    text: str
    file: str = ""


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of every fenced block; that of lists is indented."""
    found = FENCED.findall(page.read_text(encoding="utf-8"))
    return [
        (language, "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True)))
        for indent, language, text in found
    ]


def steps(page: Path) -> list[Step]:
    """Commands are what stands behind `$ ` in console blocks; a file is a block of YAML or INI whose first line is a comment with its name."""
    made = []
    for language, text in blocks(page):
        named = re.match(r"# ([\w./-]+\.\w+)\n", text)
        if language == "console":
            made += [
                Step(line.removeprefix("$ ").split("  #")[0].rstrip())
                for line in text.splitlines()
                if line.startswith("$ ")
            ]
        elif named:
            made.append(Step(text, file=named[1]))
    return made
