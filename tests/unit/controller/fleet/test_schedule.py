# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who goes when: laws of the schedule, checked by going through it as a run does."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.limits import FleetError, at_least_one
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.schedule import Candidate, batches, schedule
from hypothesis import given, settings
from hypothesis import strategies as st

HOSTS = [f"web{number:02}" for number in range(1, 41)]


def alike(count, **more):
    return [Candidate(host, "k", **more) for host in HOSTS[:count]]


@pytest.mark.parametrize(
    ("total", "waves", "sizes"),
    [
        (40, [1, "5%", "25%", "100%"], [1, 2, 10, 27]),
        (1, [1, "5%", "25%", "100%"], [1]),
        (0, [1, "5%"], []),
        (10, [1, "5%"], [1] * 10),  # 5% of ten is rounded up to one host, and the last size repeats
        (7, 3, [3, 3, 1]),
        (7, "50%", [3, 3, 1]),
        (7, ["2", 100], [2, 5]),
    ],
)
def test_sizes(total, waves, sizes):
    turns = schedule(alike(total), waves, proved=["k"]).turns
    assert list(Counter(item["turn"]["wave"] for item in turns).values()) == sizes


@pytest.mark.parametrize("waves", [[], [0], ["0%"], [-1], ["101%"], ["many"], [True], [1.5], None, "", [[1]]])
def test_waves_that_are_none_are_named(waves):
    with pytest.raises(FleetError, match="toa_waves"):
        schedule(alike(10), waves)


@pytest.mark.parametrize(
    ("name", "options"), [("toa_max_failures", {"max_failures": "x"}), ("toa_max_rebooting", {"max_rebooting": -1})]
)
def test_other_options_that_are_none_are_named(name, options):
    with pytest.raises(FleetError, match=name):
        schedule(alike(10), [1], **options)


def test_a_percentage_of_a_small_domain_is_one_host_and_none_at_all_is_refused():
    assert at_least_one("10%", 3, "toa_max_unavailable") == 1
    assert at_least_one("34%", 30, "toa_max_unavailable") == 10
    for value in (0, "0%", "0"):
        with pytest.raises(FleetError, match="toa_max_unavailable"):
            at_least_one(value, 30, "toa_max_unavailable")


def test_hosts_of_one_kind_keep_the_order_and_waves_are_cut_into_parts():
    turns = schedule(alike(10), [1, 5, "100%"], "40%", 2).turns
    assert [turn["host"] for turn in turns] == HOSTS[:10]
    assert [turn["turn"]["wave"] for turn in turns] == [1, 2, 2, 2, 2, 2, 3, 3, 3, 3]
    assert [turn["turn"]["part"] for turn in turns] == [1, 2, 2, 3, 3, 4, 5, 5, 6, 6]
    assert [turn["turn"]["allowed"] for turn in turns] == [0, 2, 2, 2, 2, 2, 1, 1, 1, 1]
    assert [turn["turn"]["first"] for turn in turns] == [0, 1, 1, 1, 1, 1, 6, 6, 6, 6]
    assert [turn["turn"]["until"] for turn in turns] == [1, 3, 3, 5, 5, 6, 8, 8, 10, 10]
    assert [turn["turn"]["canary"] for turn in turns] == [True] + [False] * 9
    assert batches(turn["turn"] for turn in turns) == [1, 2, 2, 1, 2, 2]
    assert batches([]) == [1]


def waves_of(plan):
    found = {}
    for item in plan.turns:
        found.setdefault(item["turn"]["wave"], []).append(item["host"])
    return list(found.values())


def test_a_canary_for_each_kind_before_the_rest():
    mixed = [Candidate(host, "abcde"[number % 5]) for number, host in enumerate(HOSTS)]
    assert waves_of(schedule(mixed, [1, "10%", "100%"])) == [HOSTS[:1], HOSTS[1:5], HOSTS[5:]]
    # As many canaries at once as the wave is large, and no more.
    assert waves_of(schedule(mixed, [2, "100%"])) == [HOSTS[:2], HOSTS[2:5], HOSTS[5:]]
    assert waves_of(schedule(mixed, ["100%"], proved="abc")) == [HOSTS[3:5], HOSTS[:3] + HOSTS[5:]]
    # Canaries that do not fill a wave are one more, and take nothing of the sizes that somebody has thought about.
    assert [len(wave) for wave in waves_of(schedule(mixed, [10, 3]))] == [5, 10, 3, 3, 3, 3, 3, 3, 3, 3, 1]


def test_hosts_that_others_are_reached_through_come_last_one_at_a_time():
    hosts = [Candidate("outer", "k", level=2), Candidate("jump1", "k", level=1), Candidate("jump2", "k", level=1)]
    plan = schedule([*hosts, *alike(3)], ["100%"])
    assert waves_of(plan) == [["web01"], ["web02", "web03"], ["jump1", "jump2"], ["outer"]]
    assert batches(item["turn"] for item in plan.turns) == [1, 2, 1, 1, 1]


def test_a_domain_that_can_spare_nobody_waits_until_what_is_out_is_back():
    pool = [Candidate("up", "k", "pool"), Candidate("drained", "k", "pool", out=True)]
    assert waves_of(schedule(pool, ["100%"], spare={"pool": 0}, proved="k")) == [["drained"], ["up"]]
    plan = schedule([pool[0], *alike(2)], ["100%"], spare={"pool": 0}, proved="k")
    assert plan.held == ["up"] and waves_of(plan) == [HOSTS[:2]]


# ---- laws

candidates = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.sampled_from(["", "p", "q", "r"]),
        st.integers(0, 5),
        st.sampled_from([0, 0, 0, 1, 2]),
    ),
    max_size=60,
).map(
    lambda found: [
        Candidate(f"h{number}", kind, domain, out == 0, level)
        for number, (kind, domain, out, level) in enumerate(found)
    ]
)
sizes = st.lists(
    st.one_of(st.integers(1, 30), st.integers(1, 100).map(lambda part: f"{part}%")), min_size=1, max_size=4
)


@settings(max_examples=400, deadline=None)
@given(
    candidates,
    sizes,
    st.integers(0, 5),
    st.dictionaries(st.sampled_from(["p", "q", "r"]), st.integers(-2, 4)),
    st.sets(st.sampled_from("abcdef")),
)
def test_laws(hosts, waves, most, spare, proved):
    plan = schedule(hosts, waves, 0, most, spare, proved)
    assert plan == schedule(hosts, waves, 0, most, spare, proved), "deterministic"
    by_name = {host.host: host for host in hosts}
    assert sorted([item["host"] for item in plan.turns] + plan.held) == sorted(by_name), "everyone comes exactly once"

    known, out = set(proved), {host.host for host in hosts if host.out}
    # What is out for reasons of its own, beside the candidates, is in `spare`: the limit is what is spare now and the candidates that are out.
    limit = {name: free + sum(host.domain == name for host in hosts if host.out) for name, free in spare.items()}
    levels, still_out = [], {}
    place = 0
    turns = plan.turns
    for wave in range(1, (turns[-1]["turn"]["wave"] if turns else 0) + 1):
        members = [item for item in turns if item["turn"]["wave"] == wave]
        assert members and {item["turn"]["size"] for item in members} == {len(members)}
        assert {item["turn"]["first"] for item in members} == {place}
        kinds = Counter(by_name[item["host"]].kind for item in members)
        assert all(count == 1 for kind, count in kinds.items() if kind not in known), "two of a kind that is not proved"
        found = {by_name[item["host"]].level for item in members}
        assert len(found) == 1, "a host and the way to it in one wave"
        levels.append(found.pop())
        for part in sorted({item["turn"]["part"] for item in members}):
            batch = [by_name[item["host"]] for item in members if item["turn"]["part"] == part]
            place += len(batch)
            assert {item["turn"]["until"] for item in members if item["turn"]["part"] == part} == {place}
            assert not most or len(batch) <= most
            assert not levels[-1] or len(batch) == 1
            gone = Counter(host.domain for host in hosts if host.host in out | {host.host for host in batch})
            for name in {host.domain for host in batch if not host.out} & set(limit):
                assert gone[name] <= limit[name], f"more of {name} are out than it can spare"
        # The whole wave ends well, and only then counts.
        out -= {item["host"] for item in members}
        known |= set(kinds)
        still_out[levels[-1]] = set(out)
    assert levels == sorted(levels), "the way to others comes after them"
    for name in plan.held:
        host = by_name[name]
        # Those that come later, as the way to others, are still out when its turn is over.
        before = [level for level in still_out if level <= host.level]
        left = still_out[max(before)] if before else {other.host for other in hosts if other.out}
        still = sum(other.domain == host.domain for other in hosts if other.host in left)
        assert host.domain in limit and limit[host.domain] - still <= 0, "held without need"


@pytest.mark.parametrize("waves", [[1, "5%", "25%", "100%"], [1]])
@pytest.mark.parametrize("kinds", [8, 5000])
@pytest.mark.parametrize("pools", [1, 300, 10000])
def test_ten_thousand_hosts_in_less_than_a_second(waves, kinds, pools):
    hosts = [
        Candidate(f"h{number}", f"k{number % kinds}", f"p{number % pools}", number % 7 == 0) for number in range(10000)
    ]
    spare = {f"p{number}": number % 3 for number in range(pools)}
    began = time.process_time()
    plan = schedule(hosts, waves, "10%", 7, spare)
    assert time.process_time() - began < 1
    assert len(plan.turns) + len(plan.held) == 10000
