# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has become of a host between its plan and its turn."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.facts.assumed import assumed_facts
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import changed_since

FACTS = {
    **assumed_facts("ID=debian\nVERSION_ID=12\n", "6.1.0-18-amd64", ""),
    "state": {"boot": {"state": "confirmed"}, "claim": {"owner": "a"}},
}
FACTS["boot"] = {**FACTS["boot"], "boot_id": "one"}
SAME = {"boot_id": "one", "kernel": "6.1.0-18-amd64", "state": {"schema": 1, "boot": {"state": "confirmed"}}}
PLAN = dict.fromkeys(changed_since.COMPARED, "")


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({}, []),
        ({"boot_id": "two"}, ["it was rebooted"]),
        ({"kernel": "4.4.87.toa"}, ["kernel 4.4.87.toa runs in place of 6.1.0-18-amd64"]),
        ({"state": {}}, ["its record of boot has changed"]),
        ({"state": {"boot": {"state": "reverted"}, "proof": {}}}, ["its record of boot, proof has changed"]),
        ({"state": {"boot": {"state": "confirmed"}, "claim": {"owner": "b"}}}, []),
        # What hosts say is data.
        ({"state": "garbage", "boot_id": 7, "kernel": ["x"]}, None),
    ],
)
def test_what_has_changed_is_said(seen, words):
    found = changed_since.changed(FACTS, {**SAME, **seen})
    assert all(isinstance(item, str) for item in found)
    assert words is None or found == words


def test_a_host_without_facts_has_nothing_to_be_compared_with():
    assert changed_since.changed({}, {**SAME, "state": {}}) == []


@pytest.mark.parametrize("key", changed_since.COMPARED)
def test_a_plan_that_would_do_something_else_is_not_acted_on(key):
    now = {**PLAN, "state": "pending"}
    assert changed_since.outcome(PLAN, now, ["x"]) == {}
    left = changed_since.outcome(PLAN, {**now, key: "another"}, ["it was rebooted"])
    assert (left["state"], left["code"]) == ("pending", "planned_anew") and "it was rebooted" in left["message"]


@pytest.mark.parametrize("state", ["converged", "blocked", "unsupported"])
def test_a_host_that_is_not_pending_any_more_is_left_alone(state):
    left = changed_since.outcome(PLAN, {**PLAN, "state": state, "remedy": "do that"}, ["x"])
    assert left["state"] == ("converged" if state == "converged" else "blocked")
    assert left["remedy"] == ("" if state == "converged" else "do that")
