# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent is the program that was written: the same statements on the same lines, without comments and docstrings."""

from __future__ import annotations

import ast

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle
from ansible_collections.realip.toa.plugins.plugin_utils.channel.shrink import shrunk

from tests.found import found

SOURCES = found(bundle.TARGET_DIR, "**/*.py")


def statements(source: bytes) -> list[str]:
    """Every statement and expression with its line, but for strings that stand alone."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(getattr(node, "body", None), list):
            node.body = [item for item in node.body if not stands_alone(item)]
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.stmt | ast.expr)]
    return [f"{ast.dump(node)} {node.lineno}" for node in nodes]


def stands_alone(item: ast.stmt) -> bool:
    return isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_same_statements_on_the_same_lines(path) -> None:
    source = path.read_bytes()
    assert statements(shrunk(source)) == statements(source)
    assert len(shrunk(source).splitlines()) == len(source.splitlines())


def test_what_only_looks_like_a_comment_stays() -> None:
    source = b'''# one\n# two\n"""Docs\n# of it."""\nSCRIPT = """\n#!/bin/sh\n# kept\n"""  # goes\n\n\ndef f():\n    """Only docs."""\n\n\nf("#")\n'''
    text = shrunk(source).decode()
    assert "# kept" in text and "#!/bin/sh" in text and 'f("#")' in text
    assert "goes" not in text and "Only docs" not in text and "of it" not in text
    assert text.splitlines()[10] == "def f():"


def test_all_of_it_is_smaller() -> None:
    before = sum(len(path.read_bytes()) for path in SOURCES)
    after = sum(len(shrunk(path.read_bytes())) for path in SOURCES)
    assert after < 0.85 * before, after / before


def test_what_is_no_program_is_said_so() -> None:
    with pytest.raises(SyntaxError):
        shrunk(b"def f(:\n  '''")
