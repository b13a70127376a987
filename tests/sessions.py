# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sessions of noxfile.py as targets of make, for `make help`: reads what `nox --list` says."""

from __future__ import annotations

import re
import sys
import typing as t

# As in: - unit_target(3.6) [test] -> what it does
SESSION = re.compile(r"[*-] (?P<name>\w+)(?:\((?P<part>[^)]*)\))?(?: \[[^]]*\])? -> (?P<what>.*)")


def targets(listed: t.Iterable[str]) -> dict[str, tuple[str, list[str]]]:
    """By target: what it does, and the names of what it consists of, where that is more than one session."""
    found: dict[str, tuple[str, list[str]]] = {}
    for match in filter(None, map(SESSION.match, listed)):
        _what, parts = found.setdefault(match["name"].replace("_", "-"), (match["what"], []))
        if match["part"]:
            parts.append(match["part"])
    return found


def lines(listed: t.Iterable[str]) -> list[str]:
    """One line for each target."""
    return [
        f"  {name:18} {what}" + (f" ({', '.join(parts)})" if parts else "")
        for name, (what, parts) in targets(listed).items()
    ]


if __name__ == "__main__":
    print("\n".join(lines(sys.stdin) or sys.exit("make help: nox --list names no session")))
