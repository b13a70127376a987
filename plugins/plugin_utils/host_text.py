# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of hosts, made fit for terminals, files and messages. This is the only cleaner: everything that a host says goes through it.

What cannot be printed becomes U+FFFD: C0 and C1 control characters, which move a terminal's cursor or set its title, marks that change
the direction of what follows, and what UTF-8 cannot carry.
"""

from __future__ import annotations

from collections.abc import Sequence

LIMIT = 2000
"""Characters of a message."""


def line(text: str) -> str:
    """The same text on one line."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "\ufffd" for char in text)


def lines(text: str) -> str:
    """The same text; line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text.replace("\r\n", "\n"))


def some(names: Sequence[str], most: int) -> str:
    """ "a, b and 3 more" of names of which at most so many are told."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
