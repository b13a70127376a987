# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The claim on a host: who has it, who may take it over, and what it remembers."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.programs import claim

MINE, OTHER = {"owner": "me@here pid 1", "key": "here 1 5"}, {"owner": "you@there pid 2", "key": "there 2 6"}


@pytest.fixture
def host(tmp_path, monkeypatch):
    made = Host(str(tmp_path.join("state.json") if hasattr(tmp_path, "join") else tmp_path / "state.json"))
    monkeypatch.setattr(claim, "_boot_id", lambda: made.boot_id)
    monkeypatch.setattr(claim, "_uptime", lambda: made.uptime)
    return made


class Host:
    def __init__(self, path):
        self.path = path
        self.boot_id = "boot-1"
        self.uptime = 10000

    def do(self, who, state="taken", apply=True, **more):
        return claim.perform(dict(who, state=state, **more), self.path, apply)

    def record(self):
        try:
            with open(self.path) as handle:
                return json.load(handle).get("claim")
        except (IOError, OSError):
            return None

    def refuses(self, who, **more):
        with pytest.raises(TargetError) as caught:
            self.do(who, **more)
        assert caught.value.code == "host_claimed"
        return caught.value


def test_taken_renewed_released(host):
    first = host.do(MINE)
    assert (
        first["changed"] and first["after"] == {"owner": "me@here pid 1", "drained": False} and first["took_over"] == ""
    )
    assert not host.do(MINE)["changed"]
    assert host.do(MINE, "released")["changed"]
    assert host.record() is None
    assert not host.do(MINE, "released")["changed"]


def test_another_run_is_told_who_has_it(host):
    host.do(OTHER)
    refusal = host.refuses(MINE)
    assert "you@there pid 2" in refusal.message and "toa_takeover" in refusal.remedy and "71 minutes" in refusal.remedy
    assert host.refuses(MINE, state="released").code == "host_claimed"
    assert host.record()["key"] == OTHER["key"]


def test_takeover(host):
    host.do(OTHER)
    assert "has ended" in host.do(MINE, ended=[OTHER["key"]])["took_over"]
    host.do(OTHER, takeover=True)
    assert host.record()["key"] == OTHER["key"]
    host.uptime += claim.LEASE - 1
    host.refuses(MINE)
    host.uptime += 1
    assert "70 minutes" in host.do(MINE)["took_over"]


def test_a_sign_of_life_renews_it(host):
    host.do(OTHER)
    host.uptime += claim.LEASE - 1
    host.do(OTHER)
    host.uptime += claim.LEASE - 1
    host.refuses(MINE)


def test_after_another_boot_the_uptime_counts(host):
    host.do(OTHER)
    host.boot_id, host.uptime = "boot-2", 60
    host.refuses(MINE)
    host.uptime = claim.LEASE
    assert host.do(MINE)["took_over"]


def test_drained_is_remembered_whoever_comes(host):
    host.do(OTHER, drained=True)
    assert host.record()["drained"] is True
    assert host.do(OTHER)["after"]["drained"]
    assert host.do(OTHER, "released")["after"] == {"owner": "", "drained": True}
    assert host.do(MINE)["before"]["drained"]
    assert host.do(MINE, "released", drained=False)["after"]["drained"] is False
    assert host.record() is None


def test_check_mode_writes_nothing(host):
    assert host.do(MINE, apply=False, drained=True)["after"]["drained"]
    assert host.record() is None
    host.do(OTHER)
    with pytest.raises(TargetError):
        host.do(MINE, apply=False)


@pytest.mark.parametrize(
    "damage",
    [
        {"key": 7, "owner": ["x"], "uptime": "soon", "boot_id": None},
        {"key": "k", "owner": u"\x1b[2J\n{{ x }}", "uptime": -5},
        {"key": "k", "uptime": True},
        {"key": "k", "uptime": 10**30, "boot_id": "boot-1"},
        {"drained": "yes"},
    ],
)
def test_a_damaged_record(host, damage):
    with open(host.path, "w") as handle:
        json.dump({"schema": 1, "claim": damage}, handle)
    try:
        host.do(MINE)
    except TargetError as refused:
        assert refused.code == "host_claimed" and "\x1b" not in refused.message and "{" not in refused.message
    assert host.do(MINE, takeover=True)["after"]["owner"] == MINE["owner"]


def test_the_rest_of_the_record_stays(host):
    with open(host.path, "w") as handle:
        json.dump({"schema": 1, "boot": {"state": "armed"}}, handle)
    host.do(MINE)
    host.do(MINE, "released")
    with open(host.path) as handle:
        assert json.load(handle) == {"schema": 1, "boot": {"state": "armed"}}
