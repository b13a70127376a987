# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that a run is started on: whatever name and connection it has, its kernel is the same."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.planner.own_machine import checked

FACTS = {"boot": {"boot_id": "here"}}


def plan(**more):
    return {"state": "pending", "reboot": True, "reasons": [], "remedy": "", **more}


def test_a_reboot_of_the_controller_is_blocked():
    found = checked(plan(), FACTS, "here")
    assert found["state"] == "blocked" and [item["code"] for item in found["reasons"]] == ["controller_itself"]
    assert "another machine" in found["remedy"]


@pytest.mark.parametrize(
    ("made", "facts", "own"),
    [
        (plan(), FACTS, "elsewhere"),
        (plan(), FACTS, ""),
        (plan(), {"boot": {"boot_id": ""}}, ""),
        (plan(), {}, "here"),
        (plan(reboot=False), FACTS, "here"),
        (plan(state="converged"), FACTS, "here"),
        (plan(state="unsupported"), FACTS, "here"),
    ],
)
def test_everything_else_is_left_alone(made, facts, own):
    assert checked(made, facts, own) == made
