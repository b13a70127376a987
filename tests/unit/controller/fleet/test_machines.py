# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One machine under two names, and hosts that are the way to others."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.machines import hops, identical, levels


def known(boot_id, machine=""):
    return {"boot": {"boot_id": boot_id}, "hardware": {"machine": machine}}


def test_one_machine_under_several_names():
    facts = {"web1": known("a", "m"), "web2": known("b", "m"), "db1": known("a", "m"), "alias": known("a"), "odd": {}}
    assert identical(facts) == {"db1": "web1", "alias": "web1"}, "clones share the machine's id, and no boot"


def test_containers_of_one_kernel_are_not_the_same():
    facts = {"one": known("a", "m1"), "two": known("a", "m2"), "one again": known("a", "m1"), "none": {}, "none2": {}}
    assert identical(facts) == {"one again": "one"}


@pytest.mark.parametrize(
    ("arguments", "ways"),
    [
        ("", []),
        ("-o ProxyJump=none", []),
        ("-o ProxyJump=bastion", [["bastion"]]),
        ("-oProxyJump=bastion -o User=x", [["bastion"]]),
        ("-o 'ProxyJump bastion'", [["bastion"]]),
        ('-o ProxyJump="ops@Bastion.Example:2222"', [["bastion.example"]]),
        ("-J ops@one,ssh://two:22", [["one"], ["two"]]),
        ("-Jone", [["one"]]),
        ("-J [2001:db8::1]:22", [["2001:db8::1"]]),
        ("-o proxyjump=2001:db8::1", [["2001:db8::1"]]),
        ("-o ProxyCommand='ssh -W %h:%p -q ops@bastion'", [["%h:%p", "bastion"]]),
        ('-o ProxyCommand="ssh -i key ops@bastion nc %h %p"', [["key", "bastion", "nc", "%h", "%p"]]),
        ("-o ProxyCommand='ssh -J outer -W %h:%p inner'", [["outer"], ["outer", "%h:%p", "inner"]]),
        ("-o 'ProxyCommand nc -x bastion:1080 %h %p'", [["bastion", "%h", "%p"]]),
        ("-o StrictHostKeyChecking=no -i 'unbalanced", []),
    ],
)
def test_ways_of_ssh(arguments, ways):
    assert hops(arguments) == ways


def test_the_way_to_others_is_one_level_above_them():
    names = {"web1": ["web1"], "web2": ["web2"], "inner": ["inner", "10.0.0.2"], "outer": ["outer", "gate.example"]}
    behind = {
        "web1": ["-J gate.example,10.0.0.2"],
        "web2": ["-o ProxyJump=elsewhere"],
        "inner": [],
        "outer": ["-J outer"],
    }
    assert levels(names, behind) == {"inner": 1, "outer": 2}, (
        "a host is not its own way, and `elsewhere` is none of ours"
    )
    assert levels(names, {"web1": ["-J outer"], "web2": ["-J web1"]}) == {"outer": 2, "web1": 1}


def test_the_domain_of_a_name_may_be_left_out_where_it_is_clear():
    names = {
        "gate.example.com": ["gate.example.com", "10.1.2.3"],
        "db.a.example": ["db.a.example"],
        "db.b.example": ["db.b.example"],
    }
    assert levels(names, {"x": ["-J gate"], "y": ["-J db"], "z": ["-J 10"]}) == {"gate.example.com": 1}


def test_hosts_that_are_reached_through_each_other_have_an_end():
    names = {name: [name] for name in "abc"}
    found = levels(names, {"a": ["-J b"], "b": ["-J a"], "c": ["-J a"]})
    assert set(found) == {"a", "b"} and all(found.values())


def test_a_thousand_hosts_behind_one():
    names = {f"h{number}": [f"h{number}"] for number in range(10000)} | {"jump": ["jump"]}
    assert levels(names, {name: ["-J jump"] for name in names}) == {"jump": 1}
