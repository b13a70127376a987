# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of networks as vendors publish them, and what is kept of them for review."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils import trusted_lists
from ansible_collections.realip.toa.plugins.plugin_utils.trusted_lists import Published

PLAIN = Published("https://vendor.example/ips")
API = Published("https://vendor.example/api", "Result.Lists[].Cidrs[]")
DAY = datetime.date(2026, 11, 30)


@pytest.mark.parametrize(
    ("content", "of", "networks"),
    [
        ("198.51.100.0/24\n203.0.113.0/25\r\n\n", PLAIN, ["198.51.100.0/24", "203.0.113.0/25"]),
        ("# all nodes\n192.0.2.9  # one\n2001:DB8:5::/48\n192.0.2.9\n", PLAIN, ["192.0.2.9/32", "2001:db8:5::/48"]),
        ('{"Result": {"Lists": [{"Cidrs": ["192.0.2.0/24"]}, {"Cidrs": ["2001:db8::/32"]}]}}', API, ["192.0.2.0/24", "2001:db8::/32"]),
    ],
)  # fmt: skip
def test_a_list(content: str, of: Published, networks: list[str]) -> None:
    assert trusted_lists.networks_in(content, of) == networks


@pytest.mark.parametrize(
    ("content", "of", "words"),
    [
        ("", PLAIN, "names no network"),
        ("# nothing\n", PLAIN, "names no network"),
        ("<html><body>Please log in</body></html>", PLAIN, "is no list of networks"),
        ("0.0.0.0/0\n", PLAIN, "is no list of networks"),
        ("192.0.2.0/24\nall\n", PLAIN, "is no list of networks"),
        ("192.0.2.7/24\n", PLAIN, "write 192.0.2.0/24"),
        ('["192.0.2.0/24"]', PLAIN, "is JSON"),
        ("192.0.2.0/24", API, "is no JSON"),
        ('{"Result": 4}', API, "gives NoneType"),
        ('{"Result": {"Lists": [{"Cidrs": [7]}]}}', API, "is no list of networks"),
        ("\n".join(f"10.{n >> 8}.{n & 255}.0/24" for n in range(4097)), PLAIN, "there is room for 4096"),
        ("1" * (1 << 20) + "1", PLAIN, "bytes"),
    ],
)
def test_what_is_no_list(content: str, of: Published, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        trusted_lists.networks_in(content, of)


@pytest.mark.parametrize(
    ("given", "lists"),
    [
        (None, []),
        ("", []),
        ([], []),
        (PLAIN.url, [PLAIN]),
        ({"url": API.url, "select": API.select}, [API]),
        ([PLAIN.url, {"url": API.url, "select": API.select}], [PLAIN, API]),
    ],
)
def test_what_a_variable_names(given: object, lists: list[Published]) -> None:
    assert trusted_lists.published(given) == lists


@pytest.mark.parametrize(
    "given", [7, True, "vendor.example", "file:///etc/passwd", {"select": "a"}, {"url": PLAIN.url, "path": "a"}, [[]]]
)
def test_a_variable_that_names_none(given: object) -> None:
    with pytest.raises(ValueError, match="toa_trusted_sources_url is the address"):
        trusted_lists.published(given)
    with pytest.raises(ValueError, match="no JMESPath"):
        trusted_lists.published({"url": PLAIN.url, "select": "a["})


def test_the_file_there_and_back() -> None:
    lists = {PLAIN.url: {"fetched": DAY, "networks": ["192.0.2.0/24", "2001:db8::/32"]}}
    text = trusted_lists.write(lists)
    assert trusted_lists.read(text) == lists and "\n    - 192.0.2.0/24\n" in text
    assert trusted_lists.read("") == {}
    for broken in (
        "[1]",
        "sources: 4",
        "sources: {a: {networks: []}}",
        "sources: {a: {fetched: soon, networks: []}}",
        "a: [",
    ):
        with pytest.raises(ValueError, match=r"toa\.sources\.yml cannot be read"):
            trusted_lists.read(broken)


def test_what_has_changed_is_said() -> None:
    before = {PLAIN.url: {"fetched": DAY, "networks": ["192.0.2.0/24", "198.51.100.0/24"]}}
    after = {
        PLAIN.url: {"fetched": DAY, "networks": ["203.0.113.0/24", "192.0.2.0/24"]},
        API.url: {"fetched": DAY, "networks": ["2001:db8::/32"]},
    }
    assert trusted_lists.changes(before, after) == [
        "https://vendor.example/api: 1 networks, not reviewed before",
        "https://vendor.example/ips, since 2026-11-30: new 203.0.113.0/24; gone 198.51.100.0/24",
    ]
    assert trusted_lists.changes(after, after) == []


def test_what_is_trusted_is_what_was_reviewed() -> None:
    old = DAY - datetime.timedelta(days=100)
    lists = {
        PLAIN.url: {"fetched": DAY, "networks": ["192.0.2.0/24"]},
        API.url: {"fetched": old, "networks": ["2001:db8::/32", "192.0.2.0/24"]},
    }
    assert trusted_lists.reviewed(lists, [PLAIN, API]) == (["192.0.2.0/24", "2001:db8::/32"], old)
    with pytest.raises(
        ValueError, match=r"does not hold https://vendor.example/api: run the playbook realip\.toa\.lock"
    ):
        trusted_lists.reviewed({PLAIN.url: lists[PLAIN.url]}, [PLAIN, API])


def test_a_controller_without_jmespath_needs_it_for_json_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusted_lists, "jmespath", None)
    assert trusted_lists.published("https://lists.example/v4.txt") == [
        trusted_lists.Published("https://lists.example/v4.txt")
    ]
    with pytest.raises(ValueError, match="pip install jmespath"):
        trusted_lists.published({"url": "https://lists.example/all.json", "select": "prefixes"})
