# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings and advice: who is suggested, who is only named, and that nothing a host says gets out of shape."""

from __future__ import annotations

import typing as t

import yaml
from ansible_collections.realip.toa.plugins.filter.detection import toa_detected
from ansible_collections.realip.toa.plugins.plugin_utils.detection import advice
from ansible_collections.realip.toa.plugins.plugin_utils.detection.findings import add_up
from ansible_collections.realip.toa.plugins.plugin_utils.detection.seen import redacted, seen_of
from hypothesis import given, settings
from hypothesis import strategies as st


def row(source: str = "100.64.3.1", established: int = 50, **more: t.Any) -> dict[str, t.Any]:
    usual = {
        "here": True, "kind": 200, "length": 8, "version": None, "packet": "ack", "source": source, "port": 80,
        "established": established, "unproved": 0, "several": 0, "samples": ["203.0.113.7:4321"],
    }  # fmt: skip
    return {**usual, **more}


def heard(*rows: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    number = sum(row["established"] for row in rows)
    return seen_of(
        {
            "seconds": 5.0,
            "ended": "time",
            "share": 1,
            "plain_share": 1,
            "established": number,
            "with_option": number,
            "rows": list(rows),
            **more,
        }
    )


def lines(*rows: dict[str, t.Any]) -> dict[str, t.Any]:
    return yaml.safe_load("\n".join(advice.lines(add_up({"web": heard(*rows)})))) or {}


def test_who_sends_next_to_nothing_is_not_suggested() -> None:
    """A source with a few connections beside balancers with hundreds, and a format beside another."""
    balancers = [row(f"100.64.3.{n}", 400) for n in range(1, 5)]
    forger = row("198.51.100.9", 12)
    other = row("198.51.100.10", 9, kind=254)
    found = add_up({"web": heard(*balancers, forger, other)})
    assert found.sources == ["100.64.3.0/29"]
    assert [str(sent.format) for sent in found.sent] == ["200/8"]
    assert "198.51.100.9 (12), 198.51.100.10 (9)" in " ".join(advice.notes(found))


def test_a_stranger_is_never_inside_a_suggested_network() -> None:
    plain = row("100.64.3.3", 20, kind=0, length=0, packet="", samples=[])
    assert lines(*(row(f"100.64.3.{n}") for n in (1, 2, 5, 6)), plain)["toa_trusted_sources"] == [
        "100.64.3.1/32",
        "100.64.3.2/32",
        "100.64.3.4/30",
    ]


def test_a_kind_that_nobody_sends_is_custom() -> None:
    assert lines(row(kind=199, length=8)) == {
        "toa_vendor": "custom", "toa_option_kinds": ["199/8"], "toa_trusted_sources": ["100.64.3.1/32"], "toa_ports": [80],
    }  # fmt: skip


def test_an_unknown_layout_is_said() -> None:
    found = add_up({"web": heard(row(kind=254, length=14, samples=["deadbeef"]))})
    assert "What 254/14 carries is not known" in " ".join(advice.notes(found))


def test_hosts_are_added_up() -> None:
    """Three hosts, of which each saw another balancer: one list."""
    found = add_up({f"web{n}": heard(row(f"100.64.3.{n}", port=80 + n)) for n in (1, 2, 3)})
    assert found.sources == ["100.64.3.0/30"] and found.ports == [81, 82, 83]
    assert found.sent[0].hosts == {"web1", "web2", "web3"}


def test_the_same_connection_on_two_packets_counts_once() -> None:
    found = add_up({"web": heard(row(packet="ack"), row(packet="data"))})
    assert found.sent[0].connections == 50 and found.sent[0].sources["100.64.3.1"] == 50


def test_kind_28_on_the_syn_is_the_cdn_and_else_is_not() -> None:
    assert lines(row(kind=28, length=7, version=1, packet="syn"))["toa_vendor"] == "alibaba_cdn"
    assert lines(row(kind=28, length=7, version=1, packet="ack"))["toa_vendor"] in ("netscaler", "akamai", "f5")


def test_redacted_samples_show_no_client() -> None:
    seen = redacted(
        heard(row(samples=["203.0.113.7:4321", "[2001:db8:1::7]:99", "198.51.100.1", "2001:db8:2::1", "c0ffee"]))
    )
    assert seen["rows"][0]["samples"] == ["(hidden)", "198.51.0.0/16", "2001:db8::/32", "203.0.0.0/16"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["100.64.3.1", "ack", "200/8"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*row(), "rows", "established", "x"]), inner, max_size=8),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(JSON, st.lists(st.dictionaries(st.sampled_from([*row()]), JSON), max_size=4))
def test_whatever_a_host_answers(answer: t.Any, rows: list[dict[str, t.Any]]) -> None:
    """The filter has lines for a terminal, each printable, for any answer; nobody's text becomes a line of the inventory."""
    given_rows = {**answer, "rows": rows} if isinstance(answer, dict) else {"rows": rows}
    said = toa_detected(
        {"web": {"detect": given_rows, "notes": answer}, "db": {"detect": answer, "failed": True, "msg": "\x1b[2J"}}
    )
    assert said and all(isinstance(line, str) and line.isprintable() for line in said)
    advice.notes(add_up({"web": seen_of(given_rows)}), advice.Settings("tencent", ("200/8",), ("10.0.0.0/8",), (80,)))
