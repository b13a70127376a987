# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a host that was rolled out, when it is looked at again; and how it ends."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.outcome import went_bad
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.soak import trouble

REBOOTED = {"outcome": {"state": "proved", "boot": {"boot_id": "new"}}}
STAYED = {"outcome": {"state": "proved"}}
FOUND = {"boot": {"boot_id": "old", "oopses": 1}}


def now(boot_id="new", oopses=0, verdict="translating", drift=()):
    facts = {"boot": {"boot_id": boot_id, "oopses": oopses}, "kernel": {"release": "4.4.0"}, "drift": list(drift)}
    return {"ansible_facts": {"toa": facts}, "probe": {"verdict": verdict} if verdict else None}


@pytest.mark.parametrize(
    ("record", "answer", "words"),
    [
        (REBOOTED, now(), ""),
        (STAYED, now("old", oopses=1), ""),
        (REBOOTED, now("newer"), "it has rebooted by itself, into 4.4.0"),
        (STAYED, now("new", oopses=0), "it has rebooted by itself, into 4.4.0"),
        (REBOOTED, now(oopses=1), "its kernel has had an oops"),
        (STAYED, now("old", oopses=2), "its kernel has had an oops"),
        (REBOOTED, now(oopses=None), ""),
        (REBOOTED, now(verdict="inert"), "it is not translating any more: inert"),
        (REBOOTED, now(verdict=""), "it is not translating any more: nothing claims to be active"),
        (REBOOTED, now(drift=[{"code": "hold_gone", "detail": "the kernel is not held"}]), "the kernel is not held"),
        (REBOOTED, now(drift=[{"code": "next_kernel_without_toa", "detail": "5.15 has no module"}]), ""),
        (REBOOTED, {"failed": True, "msg": "gone", "toa_state": "lost"}, "it cannot be looked at again: gone"),
        (REBOOTED, {"failed": True}, "it cannot be looked at again: no message"),
    ],
)
def test_trouble(record, answer, words):
    assert trouble(record, FOUND, answer) == words


@pytest.mark.parametrize(
    ("waited", "words"),
    [
        ({"seen": True}, ""),
        ({"seen": None}, ""),  # nothing there counts connections
        ({"seen": False, "traffic": {"others": {"untrusted": 3}}}, "in the 60 s since its proof: 3 connections carried an option from"),
        ({"seen": False, "traffic": {"others": {"untrusted": "x", "no_option": -1}}}, "no connection came at all"),
        ({"seen": False, "traffic": None}, "no connection came at all"),
        ({"failed": True, "msg": "gone"}, "it cannot be seen whether it has clients: gone"),
    ],
)  # fmt: skip
def test_a_wait_for_clients(waited, words):
    found = trouble(REBOOTED, FOUND, {**now(), "waited": {**waited, "seconds": 60}})
    assert words in found and bool(words) == bool(found)


def test_how_a_host_ends_that_went_bad():
    back = went_bad({"state": "rolled_back", "boot": {"kernel": "4.4.0"}}, "it reboots", {"plan": {}})
    assert (back["state"], back["code"], back["boot"]) == ("failed", "went_bad", {"kernel": "4.4.0"})
    assert back["message"].endswith("it reboots; it was taken back")
    stuck = went_bad({"state": "failed", "message": "no", "stuck": True, "drained": True}, "it reboots", {"plan": {}})
    assert stuck["stuck"] and stuck["drained"] and "could not be taken back: no" in stuck["message"]
    gone = went_bad({"state": "proved"}, "it is gone", {"failed": True, "toa_state": "lost", "msg": "no answer"})
    assert gone["state"] == "lost" and "could not be taken back: no answer" in gone["message"]
