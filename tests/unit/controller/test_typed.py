# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as inventories, surveys and command lines give them."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils import typed
from hypothesis import given
from hypothesis import strategies as some

LIST = {"type": "list", "elements": "str"}


@pytest.mark.parametrize(
    "value, spec, expected",
    [
        ("false", {"type": "bool"}, False),
        ("False", {"type": "bool"}, False),
        (" no ", {"type": "bool"}, False),
        ("off", {"type": "bool"}, False),
        (0, {"type": "bool"}, False),
        ("yes", {"type": "bool"}, True),
        (1, {"type": "bool"}, True),
        ("900", {"type": "int"}, 900),
        (" 900 ", {"type": "int"}, 900),
        (900.0, {"type": "int"}, 900),
        ("-5", {"type": "int"}, -5),
        (7, {"type": "str"}, "7"),
        ("tencent ", {"type": "str", "choices": ["tencent"]}, "tencent"),
        ("a,b", LIST, ["a", "b"]),
        ("html\njson", LIST, ["html", "json"]),
        ("a, ,b,", LIST, ["a", "b"]),
        ('["a", "b"]', LIST, ["a", "b"]),
        ("[200/8]", LIST, ["200/8"]),
        ("[]", LIST, []),
        (("a",), LIST, ["a"]),
        (443, {"type": "list", "elements": "int"}, [443]),
        ("80,443", {"type": "list", "elements": "int"}, [80, 443]),
        ("{a: 1}", {"type": "dict"}, {"a": 1}),
        ('[1, "5%"]', {"type": "raw"}, [1, "5%"]),
        ("1,5%", {"type": "raw"}, "1,5%"),
        (None, {"type": "raw"}, None),
    ],
)
def test_a_value_in_its_type(value: t.Any, spec: dict, expected: t.Any) -> None:
    found = typed.convert(value, spec)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    "value, spec, words",
    [
        ("fals", {"type": "bool"}, "expected true or false"),
        (2, {"type": "bool"}, "expected true or false"),
        ([], {"type": "bool"}, "expected true or false"),
        (True, {"type": "int"}, "expected a whole number"),
        ("15m", {"type": "int"}, "expected a whole number"),
        ("1_000", {"type": "int"}, "expected a whole number"),
        ("\u0663", {"type": "int"}, "expected a whole number"),
        (1.5, {"type": "int"}, "expected a whole number"),
        (["a"], {"type": "str"}, "expected a text"),
        ({"a": 1}, {"type": "path"}, "expected a path"),
        (1.1, {"type": "str"}, "in quotes"),
        (True, {"type": "str"}, "in quotes"),
        ("Tencnt", {"type": "str", "choices": ["tencent", "f5"]}, "expected one of tencent, f5; did you mean tencent?"),
        ({"a": 1}, LIST, "expected a list of texts"),
        (["a", None], LIST, "item 2 is null; expected a list of texts"),
        ([["a"]], LIST, "item 1 is ['a']; expected a text"),
        (["htm"], {**LIST, "choices": ["html", "json"]}, "did you mean html?"),
        ("a", {"type": "dict"}, "expected a mapping"),
        (["a"], {"type": "dict"}, "expected a mapping"),
    ],
)
def test_a_value_that_is_none_of_its_type(value: t.Any, spec: dict, words: str) -> None:
    with pytest.raises(ValueError) as problem:
        typed.convert(value, spec)
    assert words in str(problem.value)


@pytest.mark.parametrize("value, fine", [(1, True), (59, True), (0, False), (60, False), ("-1", False)])
def test_a_number_within_its_bounds(value: t.Any, fine: bool) -> None:
    if fine:
        assert typed.convert(value, {"type": "int"}, (1, 59)) == value
    else:
        with pytest.raises(ValueError, match="a whole number from 1 to 59"):
            typed.convert(value, {"type": "int"}, (1, 59))


VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(max_size=20),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KINDS: dict[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "str": (str,), "path": (str,), "list": (list,), "dict": (dict,)}  # fmt: skip


@given(VALUES, some.sampled_from(sorted(KINDS)), some.sampled_from(["str", "int", "dict", "bool"]))
def test_whatever_is_given_there_is_a_value_of_the_type_or_one_sentence(value: t.Any, kind: str, elements: str) -> None:
    spec = {"type": kind, "elements": elements} if kind == "list" else {"type": kind}
    try:
        found = typed.convert(value, spec)
    except ValueError as problem:
        assert "expected" in str(problem) and "\n" not in str(problem)
        return
    assert isinstance(found, KINDS[kind]) and (kind != "int" or not isinstance(found, bool))
    # What was converted once is what it is.
    if kind != "path":
        assert typed.convert(found, spec) == found


@given(
    some.booleans()
    | some.integers(min_value=-(10**17), max_value=10**17)
    | some.lists(some.from_regex(r"[a-z]{1,5}", fullmatch=True))
)
def test_a_text_means_what_the_value_means(value: t.Any) -> None:
    """-e name=value on ansible-core 2.16 is a text."""
    kind = {bool: "bool", int: "int", list: "list"}[type(value)]
    spec = {"type": kind, "elements": "str"} if kind == "list" else {"type": kind}
    assert typed.convert(json.dumps(value), spec) == typed.convert(value, spec) == value


def test_nothing_of_a_secret_is_shown() -> None:
    assert typed.shown(typed.Secret("hunter2")) == "(encrypted)"
    with pytest.raises(ValueError) as problem:
        typed.convert(typed.Secret("hunter2"), {"type": "int"})
    assert "hunter2" not in str(problem.value)


def test_a_message_shows_a_line() -> None:
    assert "\n" not in typed.shown("a\nb\x1b[2J") and len(typed.shown("x" * 500)) == typed.SHOWN
