# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Source of target code without comments and docstrings: a third of what is sent. Lines keep their numbers, for tracebacks."""

from __future__ import annotations

import functools
import io
import tokenize
import typing as t

Position = tuple[int, int]

# A string that is a statement by itself comes after one of these.
_BEGINS = (tokenize.ENCODING, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
# The encoding is named in one of the first two lines (PEP 263).
_HEAD = 2


@functools.cache
def shrunk(source: bytes) -> bytes:
    """The same program in fewer bytes. Raises SyntaxError for what is none."""
    try:
        tokens = list(tokenize.tokenize(io.BytesIO(source).readline))
    except tokenize.TokenError as problem:
        raise SyntaxError(str(problem)) from problem
    lines = source.decode("utf-8").splitlines(keepends=True)
    for begin, end, text in sorted(_cuts(tokens), reverse=True):
        _replace(lines, begin, end, text)
    return "".join(line if line.strip() else "\n" for line in lines).encode("utf-8")


def _cuts(tokens: list[tokenize.TokenInfo]) -> t.Iterator[tuple[Position, Position, str]]:
    """(begin, end, what comes in its place) of each comment and docstring; a body that has nothing else keeps an empty string."""
    for token in tokens:
        if token.type == tokenize.COMMENT and token.start[0] > _HEAD:
            yield token.start, token.end, ""
    told = [token for token in tokens if token.type not in (tokenize.NL, tokenize.COMMENT)]
    for before, token, after in zip(told, told[1:], told[2:], strict=False):
        if token.type == tokenize.STRING and before.type in _BEGINS and after.type == tokenize.NEWLINE:
            yield token.start, token.end, '""'


def _replace(lines: list[str], begin: Position, end: Position, text: str) -> None:
    (first, left), (last, right) = begin, end
    # Behind a docstring of several lines nothing follows but the end of its line.
    lines[first - 1] = lines[first - 1][:left] + text + (lines[first - 1][right:] if first == last else "\n")
    for number in range(first, last):
        lines[number] = "\n"
