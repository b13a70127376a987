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
from ansible_collections.realip.toa.plugins.plugin_utils.host_text import LIMIT

HOSTS = [f"web{number:02}" for number in range(1, 41)]


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
    assert fleet.wave_sizes(total, waves) == sizes


@pytest.mark.parametrize("waves", [[], [0], ["0%"], [-1], ["101%"], ["many"], [True], [1.5], None, "", [[1]]])
def test_waves_that_are_none_are_named(waves):
    with pytest.raises(fleet.FleetError, match="toa_waves"):
        fleet.wave_sizes(10, waves)


@pytest.mark.parametrize(
    ("name", "options"), [("toa_max_failures", {"max_failures": "x"}), ("toa_max_rebooting", {"max_rebooting": -1})]
)
def test_other_options_that_are_none_are_named(name, options):
    with pytest.raises(fleet.FleetError, match=name):
        fleet.schedule(HOSTS, [1], **options)


def test_schedule_keeps_the_order_and_cuts_waves_into_parts():
    turns = fleet.schedule(HOSTS[:10], [1, 5, "100%"], "40%", 2)
    assert [turn["host"] for turn in turns] == HOSTS[:10]
    assert [turn["turn"]["wave"] for turn in turns] == [1, 2, 2, 2, 2, 2, 3, 3, 3, 3]
    assert [turn["turn"]["part"] for turn in turns] == [1, 2, 2, 3, 3, 4, 5, 5, 6, 6]
    assert [turn["turn"]["allowed"] for turn in turns] == [0, 2, 2, 2, 2, 2, 1, 1, 1, 1]
    assert [turn["turn"]["first"] for turn in turns] == [0, 1, 1, 1, 1, 1, 6, 6, 6, 6]
    assert [turn["turn"]["until"] for turn in turns] == [1, 3, 3, 5, 5, 6, 8, 8, 10, 10]
    assert fleet.batches(turn["turn"] for turn in turns) == [1, 2, 2, 1, 2, 2]
    assert fleet.batches([]) == [1]


def variables(states, waves, **options):
    turns = fleet.schedule(list(states), waves, **options)
    return {
        item["host"]: {
            "__toa": {
                "slot": item["turn"],
                "outcome": {"state": states[item["host"]]} if states[item["host"]] else {},
            },
        }
        for item in turns
    }


def look(states, waves, host, ask=False, **options):
    known = variables(states, waves, **options)
    return fleet.gate(list(states), known, known[host]["__toa"]["slot"], ask)


def test_a_host_without_an_outcome_is_lost():
    gate = look({"a": "proved", "b": "proved", "c": None, "d": None}, [1, 2, 1], "b")
    assert not gate["open"] and gate["unproven"] == ["c"] and "c (lost)" in gate["why"]
    assert gate["left"][0]["host"] == "d" and gate["left"][0]["outcome"]["state"] == "waiting"


def test_what_has_not_begun_is_not_counted():
    assert look({"a": "proved", "b": None}, [1], "a")["open"]
    assert look({"a": "proved", "b": "pending", "c": "converged"}, [2], "a")["open"], (
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


def test_the_parts_of_a_wave_are_counted_together():
    states = {"a": "failed", "b": "proved", "c": "failed", "d": None}
    assert look(states, [4], "a", max_failures=1, max_rebooting=2)["open"]
    late = look(states, [3, 1], "c", max_failures=1, max_rebooting=2)
    assert not late["open"] and late["unproven"] == ["a", "c"] and [item["host"] for item in late["left"]] == ["d"]


def test_asking_is_for_the_canary_alone_and_only_when_more_follows():
    states = {"a": "proved", "b": "proved", "c": "proved"}
    assert look(states, [1], "a", ask=True)["ask"]
    assert look(states, [1], "a", ask=True)["left"][0]["outcome"]["state"] == "pending"
    assert not look(states, [1], "b", ask=True)["ask"]
    assert not look(states, [3], "a", ask=True)["ask"]
    assert not look({**states, "a": "failed"}, [1], "a", ask=True)["ask"]


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
