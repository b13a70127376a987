# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waves, gates and outcomes as pure functions."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import waves as fleet
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.outcome import (
    after_revert,
    outcome_of,
    still_drained,
)
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.schedule import Candidate, schedule
from ansible_collections.realip.toa.plugins.plugin_utils.host_text import LIMIT
from hypothesis import given, settings
from hypothesis import strategies as st

HOSTS = [f"web{number:02}" for number in range(1, 41)]


def made(hosts, waves, max_failures=0, max_rebooting=0, kinds=None, pools=None, limit=0, out=(), proved=True, ask=0):
    """The order of a run over these hosts. Without `kinds` all are of one that is proved."""
    kinds, pools = kinds or {}, pools or {}
    members = [Candidate(host, kinds.get(host, "k"), pools.get(host, "")) for host in hosts]
    domains = [{"domain": name, "limit": limit, "out": list(out)} for name in sorted(set(pools.values()))]
    spare = {item["domain"]: limit - len(item["out"]) for item in domains}
    plan = schedule(members, waves, max_failures, max_rebooting, spare, ["k"] if proved else [])
    return {
        "run": "r", "slots": {item["host"]: item["turn"] for item in plan.turns}, "domains": domains, "ask_after": ask,
        "looks_again": True, "go_on": "again", "go_on_approved": "again, approved",
    }  # fmt: skip


def play(order, ends):
    """Go through the parts of a run as the playbooks do, until a gate closes: (gates, {host: outcome})."""
    outcomes, gates, earlier, done = {}, [], {}, set()
    for slot in order["slots"].values():
        if slot["part"] in done:
            continue
        done.add(slot["part"])
        held = fleet.held(order, slot, earlier)
        for host in fleet.part_of(order, slot):
            outcomes[host] = held.get(host) or ({"state": ends[host]} if ends.get(host) else {})
        earlier = fleet.gate(order, slot, outcomes, earlier)
        gates.append(earlier)
        if not earlier["open"]:
            break
    return gates, outcomes


def look(states, waves, host, ask=False, **options):
    """The gate behind the part of `host`."""
    order = made(list(states), waves, ask=int(ask), **options)
    gates, _outcomes = play(order, states)
    return next(gate for gate in gates if gate["part"] == order["slots"][host]["part"])


def test_a_host_without_an_outcome_is_lost():
    gate = look({"a": "proved", "b": "proved", "c": None, "d": None}, [1, 2, 1], "b")
    assert not gate["open"] and gate["unproven"] == {"c": "lost"} and "c (lost)" in gate["why"]
    assert gate["words"]["state"] == "waiting" and "1 host is not begun" in gate["why"]
    assert gate["words"]["remedy"] == "put right what failed, and go on with again"


def test_what_has_not_begun_is_not_counted():
    assert look({"a": "proved", "b": None}, [1], "a")["open"]
    assert look({"a": "proved", "b": "pending", "c": "proved"}, [2], "a")["open"], (
        "nothing was begun outside of a change window"
    )


@pytest.mark.parametrize(
    ("failures", "allowed", "is_open"),
    [(1, 0, False), (1, 1, True), (2, "50%", True), (3, "50%", False), (1, "24%", False)],
)
def test_allowed_failures(failures, allowed, is_open):
    states = {host: "failed" if number < failures else "proved" for number, host in enumerate(HOSTS[:4])} | {
        "last": None
    }
    assert look(states, [4, 1], HOSTS[0], max_failures=allowed)["open"] == is_open


def test_the_parts_of_a_wave_are_counted_together_and_those_of_another_wave_are_not():
    states = {"a": "failed", "b": "proved", "c": "failed", "d": None}
    assert look(states, [4], "a", max_failures=1, max_rebooting=2)["open"]
    late = look(states, [3, 1], "c", max_failures=1, max_rebooting=2)
    assert not late["open"] and list(late["unproven"]) == ["a", "c"]
    assert look({"a": "failed", "b": "failed"}, [1], "b", max_failures=1)["open"]


def test_asking_is_for_the_last_canaries_alone_and_only_when_more_follows():
    states = {"a": "proved", "b": "proved", "c": "proved"}
    assert look(states, [1], "a", ask=True)["ask"]
    assert look(states, [1], "a", ask=True)["words"]["state"] == "pending"
    assert "again, approved" in look(states, [1], "a", ask=True)["remedy"]
    assert not look(states, [1], "b", ask=True)["ask"]
    assert not look(states, [3], "a", ask=True)["ask"]
    assert not look({**states, "a": "failed"}, [1], "a", ask=True)["ask"]


def test_a_kind_whose_canary_failed_is_left_alone_and_others_go_on():
    kinds = {host: "odd" if number % 2 else "even" for number, host in enumerate(HOSTS[:8])}
    order = made(HOSTS[:8], ["100%"], max_failures=1, kinds=kinds, proved=False)
    gates, outcomes = play(order, dict.fromkeys(HOSTS[:8], "proved") | {"web02": "lost"})
    assert all(gate["open"] for gate in gates)
    assert {host: outcomes[host]["state"] for host in HOSTS[:8]} == {
        host: "lost" if host == "web02" else "waiting" if kinds[host] == "odd" else "proved" for host in HOSTS[:8]
    }
    assert outcomes["web04"]["code"] == "kind_unproved" and "web02" in outcomes["web04"]["message"]


def test_a_domain_that_lost_hosts_in_the_run_gives_no_more():
    pools = {host: "pq"[number % 2] for number, host in enumerate(HOSTS[:8])}
    order = made(HOSTS[:8], ["100%"], max_failures=8, pools=pools, limit=1)
    _gates, outcomes = play(order, dict.fromkeys(HOSTS[:8], "proved") | {"web03": "lost"})
    assert [outcomes[host].get("code") for host in HOSTS[:8:2]] == [None, None, "domain_full", "domain_full"]
    assert "web03" in outcomes["web05"]["message"]
    assert all(outcomes[host]["state"] == "proved" for host in HOSTS[1:8:2])


def test_what_went_bad_in_its_soak_closes_the_gate_and_its_kind():
    order = made(HOSTS[:4], [1, 3], proved=False)
    slot = order["slots"]["web01"]
    gate = fleet.gate(order, slot, {"web01": {"state": "proved"}}, {}, {"web01": "it has rebooted by itself"})
    assert not gate["open"] and gate["bad"] == {"web01": "it has rebooted by itself"} and gate["well"] == []
    assert "went bad" in gate["why"] and gate["unproved"] == {"k": "web01"}
    assert not fleet.gate(order, slot, {"web01": {"state": "proved"}}, {}, {}, "the query failed")["open"]


def test_those_that_went_in_earlier_parts_are_looked_at_by_those_of_the_last():
    assert fleet.shares(["a", "b", "c", "d", "e"], ["d", "e"]) == {"d": ["d", "a", "c"], "e": ["e", "b"]}
    assert fleet.shares(["a"], ["x"]) == {"x": ["a"]}, "the only host of the last part did not end well"


def test_what_is_bad_is_seen_or_named():
    looks = [{"host": "a", "why": "x"}, {"host": "b", "why": ""}, {"waves_host": "c", "failed": True, "msg": "gone"}]
    assert fleet.bad_hosts(looks, None) == {"a": "x", "c": "gone"}
    named = fleet.bad_hosts(looks, ["b", "a"])
    assert named["a"] == "x" and "toa_wave_tasks" in named["b"]
    assert fleet.bad_hosts([], {"b": "too many errors"}) == {"b": "too many errors"}


# ---- laws

ends_of_hosts = st.sampled_from(["proved", "proved", "proved", "failed", "lost", "pending", "vanished"])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("pqr"), ends_of_hosts), max_size=40),
    st.lists(st.integers(1, 12), min_size=1, max_size=3),
    st.integers(1, 3),
    st.integers(0, 4),
)
def test_whatever_becomes_of_hosts(found, sizes, limit, most):
    """With every failure allowed, so that no gate ends the run: nobody begins unproved beside its canary, and no domain loses more than its limit."""
    hosts = [f"h{number}" for number in range(len(found))]
    kinds, pools, ends = ({host: item[column] for host, item in zip(hosts, found, strict=True)} for column in range(3))
    order = made(hosts, sizes, "100%", most, kinds=kinds, pools=pools, limit=limit, proved=False)
    _gates, outcomes = play(order, {host: "" if end == "vanished" else end for host, end in ends.items()})
    assert set(outcomes) == set(hosts), "no gate closes"
    proved, out = set(), set()
    slots = order["slots"]
    for wave in range(1, len(hosts) + 1):
        members = [host for host in slots if slots[host]["wave"] == wave]
        begun = [host for host in members if outcomes[host].get("state") != "waiting"]
        for host in begun:
            assert kinds[host] in proved or slots[host]["canary"], f"{host} begins, and nobody of its kind was proved"
        for part in sorted({slots[host]["part"] for host in members}):
            batch = [host for host in begun if slots[host]["part"] == part]
            for pool in "pqr":
                gone = [host for host in {*out, *batch} if pools[host] == pool]
                assert len(gone) <= limit or not any(pools[host] == pool for host in batch), f"too many of {pool}"
            out |= {host for host in batch if ends[host] in ("lost", "vanished")}
        proved |= {kinds[host] for host in begun if ends[host] == "proved"}
    for host in hosts:
        if outcomes[host].get("code") == "kind_unproved":
            assert kinds[host] not in proved, "left alone without need"


# ---- a whole run


def test_a_fleet_of_300_loses_one_host_of_the_kind_whose_kernel_panics():
    """Five kinds and twelve pools of which one host may be out; three failures are allowed, so that the gate does not end it at once."""
    hosts = [f"h{number:03}" for number in range(300)]
    kinds = {host: f"kind{number % 5}" for number, host in enumerate(hosts)}
    pools = {host: f"pool{number % 12}" for number, host in enumerate(hosts)}
    ends = {host: "failed" if kinds[host] == "kind3" else "proved" for host in hosts}
    order = made(hosts, [1, "5%", "25%", "100%"], max_failures=3, kinds=kinds, pools=pools, limit=1, proved=False)
    gates, outcomes = play(order, ends)
    assert [host for host in hosts if outcomes[host]["state"] == "failed"] == ["h003"]
    assert {kinds[host] for host in hosts if outcomes[host]["state"] == "waiting"} == {"kind3"}
    assert sum(outcome["state"] == "proved" for outcome in outcomes.values()) == 240
    for gate in gates:
        members = [host for host in hosts if order["slots"][host]["part"] == gate["part"]]
        assert len({pools[host] for host in members}) == len(members), "two of a pool at once"
    # Without an allowance that is where the run ends: every canary of that wave, and nothing behind it.
    gates, outcomes = play(
        {**order, "slots": {host: {**slot, "allowed": 0} for host, slot in order["slots"].items()}}, ends
    )
    assert len(outcomes) == 5 and not gates[-1]["open"]


@pytest.mark.parametrize(
    ("result", "state", "code", "message"),
    [
        ({"msg": "no", "code": "c", "remedy": "r"}, "failed", "c", "no"),
        ({"msg": "gone", "toa_state": "lost", "code": "connection_lost"}, "lost", "connection_lost", "gone"),
        ({"msg": "later", "code": "outside_window"}, "pending", "outside_window", "later"),
        (
            {
                "msg": "all items completed",
                "results": [{"failed": False, "msg": "fine"}, {"failed": True, "msg": "bad", "code": "c"}],
            },
            "failed",
            "c",
            "bad",
        ),
        ({"reason": "no such file"}, "failed", "mine", "no such file"),
        ({"msg": ["a", "b"]}, "failed", "mine", "a; b"),
        ({"stderr": "oh", "rc": 1}, "failed", "mine", "oh"),
        (None, "failed", "mine", "no message"),
        ({"msg": {"x": 1}, "code": 7, "remedy": []}, "failed", "mine", "{'x': 1}"),
        ({"msg": "\x1b[2J" + "x" * 9000}, "failed", "mine", None),
    ],
)
def test_outcome_of_a_failed_task(result, state, code, message):
    outcome = outcome_of({"name": "A task", "action": "realip.toa.toa_claim"}, result, "mine")
    assert (outcome["state"], outcome["code"], outcome["stage"]) == (state, code, "A task")
    assert outcome["message"] == message or (
        message is None and "\x1b" not in outcome["message"] and len(outcome["message"]) <= LIMIT
    )


@pytest.mark.parametrize(
    "task",
    [{"name": "t", "action": "ansible.builtin.command"}, {"name": "t", "action": "realip.toa.toa_reboot"}, {}, None],
)
def test_a_host_cannot_say_that_it_was_left_alone(task):
    """Modules return what the host sends, with any code; a host that fails so is a failure of its wave."""
    outcome = outcome_of(task, {"failed": True, "msg": "later", "code": "outside_window"})
    assert outcome["state"] == "failed"


def test_the_way_back_is_part_of_the_outcome():
    outcome = outcome_of({"name": "t"}, {"msg": "wrong kernel", "code": "wrong_kernel"})
    back = after_revert(
        outcome,
        {"record": {"reason": "not confirmed within 60 s"}},
        {"kernel": "4.4.0", "elapsed": 3.0, "changed": False},
    )
    assert (
        "trial watchdog" in back["message"]
        and "60 s" in back["message"]
        and back["boot"]["kernel"] == "4.4.0"
        and not back.get("stuck")
    )
    stuck = after_revert(outcome, {"failed": True, "msg": "read-only"}, {"skipped": True})
    assert stuck["stuck"] and "read-only" in stuck["message"]
    assert after_revert(outcome, {}, {"failed": True, "toa_state": "lost", "msg": "gone"})["state"] == "lost"


def test_a_host_that_stays_drained_says_so():
    outcome = {"state": "failed", "message": "m"}
    assert still_drained(outcome) == {
        "state": "failed",
        "message": "m; the host is still drained",
        "drained": True,
    }
    failed = still_drained({"state": "proved"}, outcome_of({"name": "u"}, {"msg": "no pool"}))
    assert failed["state"] == "failed" and failed["code"] == "undrain_failed" and "no pool" in failed["message"]
