# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a run as it is made out of what hosts are and what their inventory says."""

from __future__ import annotations

import time
from itertools import count

import pytest
import yaml
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.agreement import DEFAULTS, strictest
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.limits import FleetError, seconds
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.run_order import Member, lines, order

STOCK, TOA = "4.4.0-210-generic", "4.4.87.toa"
boots = count()


def facts(
    os="ubuntu",
    major=16,
    kernel=STOCK,
    firmware="bios",
    root="virtio_blk",
    nic="virtio_net",
    state=None,
    boot=None,
    machine="",
):
    return {
        "os": {"id": os, "major": major},
        "kernel": {"release": kernel},
        "hardware": {"firmware": firmware, "root_driver": root, "nic_driver": nic, "machine": machine},
        "boot": {"boot_id": boot or f"boot-{next(boots)}"},
        "state": state or {},
    }


def pending(backend="kernel_package", target=TOA, reboot=True, **more):
    plan = {"state": "pending", "goal": "install", "backend": backend, "kernel_target": target, "reboot": reboot}
    return Member(plan, facts(**more), False, True)


def converged(**more):
    state = {"boot": {"state": "confirmed", "kernel": TOA, "old": STOCK}}
    plan = {"state": "converged", "goal": "install", "backend": "kernel_package", "kernel_target": TOA, "reboot": False}
    return Member(plan, facts(kernel=TOA, state=state, **more), False, True)


LOST = Member({}, {}, True, True)


def made(members, variables=None, **options):
    """`variables`: {variable: value for all, or {host: value}}"""
    variables = variables or {}

    def value(host, name):
        found = variables.get(name)
        return found.get(host) if isinstance(found, dict) else found

    return order(members, value, "run", **options)


def waves(found):
    told = {}
    for host, slot in found["slots"].items():
        told.setdefault(slot["wave"], []).append(host)
    return list(told.values())


@pytest.mark.parametrize(
    "other",
    [
        {"os": "debian"}, {"major": 18}, {"backend": "ebpf", "target": ""}, {"target": "4.4.99.toa"}, {"kernel": "4.4.0-1-generic"},
        {"firmware": "uefi"}, {"root": "dm+nvme"}, {"nic": "ixgbe"},
    ],
)  # fmt: skip
def test_each_part_of_a_kind_makes_another_one(other):
    hosts = {"a": pending(), "b": pending(), "c": pending(**other), "d": pending(**other)}
    found = made(hosts, {"toa_waves": ["100%"]})
    assert waves(found) == [["a", "c"], ["b", "d"]]
    assert [(item["canary"], item["hosts"]) for item in found["kinds"]] == [("a", 2), ("c", 2)]


def test_a_host_that_has_been_rolled_out_proves_the_kind_that_it_was_of():
    found = made({"new1": pending(), "new2": pending(), "old": converged()}, {"toa_waves": ["100%"]})
    assert waves(found) == [["new1", "new2"]]
    assert found["kinds"][0]["proved_by"] == "old" and "proved by old" in "\n".join(lines(found))
    other = made({"new1": pending(), "new2": pending(), "old": converged(nic="ixgbe")}, {"toa_waves": ["100%"]})
    assert waves(other) == [["new1"], ["new2"]]


@pytest.mark.parametrize("goal", ["remove", "rollback"])
def test_the_way_back_needs_no_canaries_for_each_host_knows_its_kernel(goal):
    hosts = {name: pending(kernel=f"4.4.{number}") for number, name in enumerate("abc")}
    back = {name: member._replace(plan={**member.plan, "goal": goal}) for name, member in hosts.items()}
    assert waves(made(back, {"toa_waves": [2]})) == [["a", "b"], ["c"]]


def test_nothing_of_a_host_that_is_not_chosen_or_not_pending_begins():
    hosts = {"a": pending(), "b": pending()._replace(chosen=False), "c": converged(), "d": LOST}
    assert list(made(hosts)["slots"]) == ["a"] and made(hosts)["left"] == {}


def test_failure_domains_count_what_is_out_already():
    drained = {"state": {"claim": {"drained": True}}}
    hosts = {f"a{number}": pending() for number in range(4)} | {f"b{number}": pending() for number in range(4)}
    hosts |= {"a-lost": LOST, "b-drained": pending(**drained), "c-lost": LOST, "c0": pending()}
    pools = {name: name[0] for name in hosts}
    found = made(hosts, {"toa_waves": ["100%"], "toa_domain": pools, "toa_max_unavailable": "40%"})
    limits = {item["domain"]: (item["hosts"], item["limit"], item["out"]) for item in found["domains"]}
    assert limits == {"a": (5, 2, ["a-lost"]), "b": (5, 2, ["b-drained"]), "c": (2, 1, ["c-lost"])}
    assert found["left"]["c0"]["code"] == "domain_full" and "c-lost" in found["left"]["c0"]["message"]
    parts = {}
    for host, slot in found["slots"].items():
        parts.setdefault(slot["part"], []).append(host)
    for members in parts.values():
        assert sum(name.startswith("a") for name in members) <= 1
        assert sum(name.startswith("b") for name in members if name != "b-drained") <= 2
    assert list(found["slots"])[0] == "b-drained", "what is out already goes first"


def test_without_a_limit_a_domain_loses_one_and_without_a_domain_the_fleet_is_one():
    hosts = {name: pending() for name in "abcd"}
    found = made(hosts, {"toa_waves": ["100%"], "toa_domain": {"a": "p", "b": "p"}})
    assert [slot["part"] for slot in found["slots"].values()] == [1, 2, 2, 2], "those of no domain have no limit"
    found = made(hosts, {"toa_waves": ["100%"], "toa_max_unavailable": 2})
    assert [slot["part"] for slot in found["slots"].values()] == [1, 2, 2, 3]
    assert "at most 2 of all hosts out at once" in lines(found)


def test_one_machine_under_two_names_goes_once():
    hosts = {"web1": pending(boot="x", machine="m"), "alias": pending(boot="x", machine="m"), "web2": pending()}
    found = made(hosts)
    assert list(found["slots"]) == ["web1", "web2"] and found["left"]["alias"]["code"] == "same_machine"
    assert any("alias: this is the same machine as web1" in line for line in lines(found))


def test_the_way_to_others_goes_last_by_whatever_name_it_is_called():
    hosts = {"gate": pending(), "web1": pending(), "web2": pending()}
    variables = {
        "ansible_host": {"gate": "192.0.2.1"},
        "ansible_ssh_common_args": {"web2": "-o ProxyCommand='ssh -W %h:%p ops@192.0.2.1'"},
        "toa_waves": ["100%"],
    }
    found = made(hosts, variables)
    assert waves(found) == [["web1"], ["web2"], ["gate"]]
    assert "others are reached through gate: last, and one at a time" in found["notes"]
    assert waves(made(hosts, {"ansible_paramiko_proxy_command": {"web1": "ssh -W %h:%p gate"}}))[-1] == ["gate"]


def test_outside_of_the_change_window_only_what_reboots_waits():
    hosts = {"a": pending(), "b": pending(reboot=False)}
    found = made(hosts, shut=lambda host: "closed")
    assert list(found["slots"]) == ["b"] and found["left"]["a"]["code"] == "outside_window"


@pytest.mark.parametrize(
    ("name", "values", "counts"),
    [
        ("toa_max_failures", {"lab": "100%", "web": 1, "db": None}, 0),
        ("toa_max_failures", {"lab": "10%", "web": 1}, "10%"),
        ("toa_waves", {"lab": ["100%"], "web": [1, "5%"]}, [1, "5%"]),
        ("toa_max_rebooting", {"lab": 0, "web": 5, "db": "9"}, 5),
        ("toa_pause_after_canary", {"lab": False, "web": "yes"}, "yes"),
        ("toa_soak", {"lab": None, "web": "15m", "db": 60}, "15m"),
        ("toa_wait_for_traffic", {"lab": None, "web": "60s", "db": 9}, "60s"),
    ],
)
def test_the_strictest_of_several_values_counts_and_is_named(name, values, counts):
    hosts = {host: pending() for host in values}
    found = made(hosts, {name: values})
    note = next(note for note in found["notes"] if note.startswith(name))
    assert note.endswith(
        f"The strictest counts for the run: {counts if isinstance(counts, str) else str(counts).replace(chr(39), chr(34))}"
    )
    assert all(host in note for host in values)
    assert found["soak"] == (900 if name == "toa_soak" else 0)
    assert found["wait_for_traffic"] == (60 if name == "toa_wait_for_traffic" else 0)
    assert found["looks_again"] == (name in ("toa_soak", "toa_wait_for_traffic"))
    # However the hosts come.
    assert (
        strictest(
            name,
            dict(reversed([(host, DEFAULTS[name] if value is None else value) for host, value in values.items()])),
            4,
        )[0]
        == counts
    )


def test_hosts_that_agree_are_not_talked_about():
    assert made({"a": pending(), "b": pending()}, {"toa_max_failures": 2})["notes"] == []


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_what_cannot_be_used_is_named(name):
    with pytest.raises(FleetError, match=name):
        made({"a": pending()}, {name: "x"})


def test_defaults_are_those_of_the_roles():
    with open("roles/toa/defaults/main.yml", encoding="utf-8") as file:
        roles = yaml.safe_load(file)
    assert {name: roles.get(name) for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize(
    ("text", "length"), [(0, 0), ("", 0), (None, 0), ("15m", 900), ("90 s", 90), ("2h", 7200), ("1d", 86400), (30, 30)]
)
def test_lengths_of_time(text, length):
    assert seconds(text, "toa_soak") == length


@pytest.mark.parametrize("text", ["15 minutes", "-1", True, [], "1.5h", "m"])
def test_what_is_no_length_of_time(text):
    with pytest.raises(FleetError, match="toa_soak"):
        seconds(text, "toa_soak")


def test_the_order_in_words():
    hosts = {f"u{number}": pending() for number in range(30)} | {
        f"d{number}": pending(os="debian") for number in range(10)
    }
    told = lines(made(hosts))
    assert told[0] == "2 kinds of hosts, 40 hosts in 5 waves"
    assert (
        told[1]
        == "kind: ubuntu 16, kernel_package, 4.4.0-210-generic -> 4.4.87.toa, bios, virtio_blk, virtio_net: 30 hosts, canary u0"
    )
    assert told[3:] == [
        "wave 1: canary u0",
        "wave 2: canary d0",
        "wave 3: 2 hosts of 1 kind",
        "wave 4: 10 hosts of 1 kind",
        "wave 5: 26 hosts of 2 kinds",
        "wherever this run ends, this goes on: run again",
    ]


def test_a_plan_says_nothing_of_going_on():
    assert not [line for line in lines(made({"a": pending()}, go_on=("", ""))) if "goes on" in line]


def test_somebody_is_asked_when_the_canaries_are_through():
    hosts = {"u1": pending(), "u2": pending(), "d1": pending(os="debian"), "d2": pending(os="debian")}
    assert made(hosts)["ask_after"] == 0
    assert made(hosts, {"toa_pause_after_canary": True})["ask_after"] == 2
    assert made({**hosts, "u0": converged()}, {"toa_pause_after_canary": True})["ask_after"] == 1
    assert made({"u1": pending(), "u0": converged()}, {"toa_pause_after_canary": True})["ask_after"] == 1


def test_ten_thousand_hosts_in_a_few_seconds():
    hosts = {f"h{number}": pending(os=f"os{number % 8}") for number in range(10000)}
    pools = {host: f"p{number % 300}" for number, host in enumerate(hosts)}
    began = time.process_time()
    found = made(hosts, {"toa_domain": pools, "toa_max_unavailable": "10%", "ansible_ssh_common_args": "-J h9999"})
    lines(found)
    assert time.process_time() - began < 3 and len(found["slots"]) == 10000
