# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The linter of the pages: what it finds, and what it leaves alone. `make lint` runs it over the pages."""

from __future__ import annotations

import pytest

from tests import style

LONG = "A host " + "goes on and " * 12 + "ends."


@pytest.mark.parametrize(
    "text, line, words",
    [
        (f"# Title\n\n{LONG}", 3, "a sentence of 39 words"),
        (f"* one\n* {LONG}\n", 2, "a sentence of 40 words"),
        (f"| a | b |\n|---|---|\n| x | {LONG} |\n", 3, "a sentence of 39 words"),
        ("Read on.\nIt can be\nhad there.", 1, "write available"),
        ("The boot guard.", 1, "write trial watchdog"),
        ("```\ncode\n```\n\nUtilize it.", 5, "write use"),
    ],
)
def test_what_is_found(text: str, line: int, words: str) -> None:
    ((seen, told),) = style.faults(text)
    assert seen == line and words in told


@pytest.mark.parametrize(
    "text",
    [
        f"```text\n{LONG} It can be had.\n```\n",
        f"A path:\n\n    {LONG}\n",
        "See [it](https://example.org/please/utilize).",
        f"Call `{LONG}`.",
        "One. " * 40,
        "behad unbelieved",
    ],
)
def test_what_is_left_alone(text: str) -> None:
    assert list(style.faults(text)) == []


def test_the_pages_are_in_the_house_style() -> None:
    told = [
        f"{path.relative_to(style.ROOT)}:{line}: {fault}"
        for path in style.pages()
        for line, fault in style.faults(path.read_text(encoding="utf-8"))
    ]
    assert len(style.pages()) > 30 and told == []
