# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real connections are told from those of proofs, whatever a host goes through."""

from __future__ import absolute_import, division, print_function

import json
import random

import pytest
from ansible_collections.realip.toa.plugins.module_utils.monitoring import traffic

HOUR = 3600
NOW = 1800000000
PROGRAMS = ("ebpf_translated", "ebpf_from_trusted", "ebpf_no_option")
MODULE = ("syn_recv_sock_toa", "syn_recv_sock_no_toa")


class Host(object):
    """A host that knows what was real: the counterpart of the notes."""

    def __init__(self, names):
        self.names, self.boot, self.uptime, self.note = names, 0, 100.0, {}
        self.load()

    def load(self):
        self.counters = dict.fromkeys(self.names, 0)
        self.real = dict.fromkeys(self.names, 0)
        self.newest = None

    def move(self, **counts):
        for name, count in counts.items():
            self.counters[name] += count

    def connections(self, with_option, without):
        translated, rest = self.names[0], self.names[-1]
        moved = {translated: with_option, rest: without}
        if "ebpf_from_trusted" in self.names:
            moved["ebpf_from_trusted"] = with_option + without
        self.move(**moved)
        for name, count in moved.items():
            self.real[name] += count
        if with_option:
            self.newest = self.uptime

    def prove(self):
        before = dict(self.counters)
        self.move(**dict.fromkeys(self.names, 7))
        # As the file does.
        note = traffic.after_proof(before, self.counters, self.note, "boot %d" % self.boot, self.uptime)
        self.note = json.loads(json.dumps(note))

    def reboot(self):
        self.boot, self.uptime = self.boot + 1, 5.0
        self.load()

    def told(self):
        return traffic.traffic_of(self.counters, self.note, "boot %d" % self.boot, self.uptime, NOW)


@pytest.mark.parametrize("names", [PROGRAMS, MODULE])
@pytest.mark.parametrize("seed", range(25))
def test_what_is_told_is_what_was_real(names, seed):
    dice = random.Random(seed)
    host = Host(names)
    looked = 0.0
    for _step in range(60):
        host.uptime += dice.choice((1, 60, 600))
        what = dice.choice(("traffic", "traffic", "silence", "prove", "prove", "reboot"))
        if what == "traffic":
            host.connections(dice.randrange(4), dice.randrange(4))
        elif what == "prove":
            host.prove()
            looked = host.uptime
        elif what == "reboot" and dice.random() < 0.2:
            host.reboot()
            looked = 0.0
        told = host.told()
        assert told["translated"] == host.real[names[0]]
        assert told["connections"] == sum(host.real[name] for name in (names[0], names[-1]))
        assert told["others"]["no_option"] == host.real[names[-1]]
        assert (told["last"] != "") == (host.newest is not None)
        # Nobody sees when exactly a connection came; never longer ago than the look before it.
        silence = host.uptime - max(host.newest or 0, looked if host.newest and host.newest > looked else 0)
        assert told["quiet"] <= silence
        assert told["idle"] == (told["quiet"] >= HOUR)


def test_idle_after_an_hour_without_a_client():
    """The proof is right, and its own connections do not count."""
    host = Host(PROGRAMS)
    host.prove()
    began = host.uptime
    host.uptime += HOUR - 1
    host.prove()
    assert host.told() == {
        "translated": 0, "connections": 0, "trusted": True, "last": "", "quiet": HOUR - 1, "idle": False,
        "others": dict(dict.fromkeys(traffic.EBPF_OTHERS, 0)), "since": traffic.utc(NOW - (host.uptime - began)),
    }  # fmt: skip
    host.uptime += 1
    assert host.told()["idle"]
    host.connections(1, 0)
    assert not host.told()["idle"]
    host.prove()
    host.uptime += HOUR - 1
    assert not host.told()["idle"]
    host.prove()
    host.uptime += 2
    assert host.told()["idle"] and host.told()["translated"] == 1


def test_a_module_that_was_loaded_anew_begins_anew():
    host = Host(MODULE)
    host.connections(50, 0)
    host.prove()
    host.uptime += HOUR
    host.load()
    host.connections(3, 1)
    assert (host.told()["translated"], host.told()["connections"], host.told()["idle"]) == (3, 4, False)


def test_what_counts_nothing_is_never_idle():
    for counters in ({}, {"SomethingElse": 4}, {"toa_dkms_rows": 0}):
        assert traffic.traffic_of(counters, {}, "b", 1e6, NOW) is None


def test_vtoa_counts_what_programs_were_shown():
    """Its count of connections leaves some out, by the order of the options."""
    counters = {"syn_recv_sock_toa": 0, "syn_recv_sock_no_toa": 5, "getname_toa_ok_v4": 9, "getname_toa_empty": 2}
    note = {"boot_id": "b", "base": {}, "began": 0, "looked": 10, "seen": 0, "last": None}
    assert not traffic.traffic_of(counters, note, "b", 10 * HOUR, NOW)["idle"]
    assert traffic.traffic_of(dict(counters, getname_toa_ok_v4=0), note, "b", 10 * HOUR, NOW)["idle"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"base": 1}', '{"base": {"x": "y"}, "began": 0, "looked": 0, "seen": 0}', '{"base": {}}']
)
def test_a_note_that_cannot_be_read_is_none(tmpdir, text):
    tmpdir.join("note").write(text)
    assert traffic.read_note(str(tmpdir.join("note"))) == {}
