# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a host trusts: a choice that somebody has to make, and a list that does not go by accident."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.planner import policy as policy_module
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends import registry

from tests.unit.controller.planner.cases import (
    ALINUX3,
    CENTOS7,
    DEBIAN12,
    OPTION_FILTER,
    TOA_RUNNING,
    UBUNTU,
    attached_ebpf,
    decide,
    host,
    named,
    place,
    proof,
)

FILTERED = {"firewall": {"backend": "nft", "forwards": False, "option_filter": OPTION_FILTER}}
WITH_LIST = {
    "ebpf": (DEBIAN12, {"ebpf": attached_ebpf(trusted_sources=["10.0.0.0/8"]), "persistence": [place("ebpf")]}),
    "ebpf that forwards": (DEBIAN12, {"ebpf": attached_ebpf(trusted_sources=["10.0.0.0/8"]), "persistence": [place("ebpf")],
                                      "firewall": {**FILTERED["firewall"], "forwards": True}}),
    "module": (("ubuntu-16.04", "4.4.87.toa"), {**TOA_RUNNING, **FILTERED}),
}  # fmt: skip
WITHOUT = {
    "ebpf": (DEBIAN12, {"ebpf": attached_ebpf(), "persistence": [place("ebpf")]}),
    "module": (("ubuntu-16.04", "4.4.87.toa"), TOA_RUNNING),
}


SIX = ("vtoa", "in_tree", "ebpf", "kernel_package", "source_module", "source_kernel")


@pytest.mark.parametrize("backend", registry.BACKENDS)
def test_nobody_is_trusted_by_accident(backend):
    """Whatever the backend and the distribution: who has not chosen is blocked, with the one remedy, and every other choice unblocks."""
    seen = 0
    for name, kernel in [UBUNTU, CENTOS7, ALINUX3, DEBIAN12, ("tencentos-4.2", "6.6.30-5.tl4.x86_64")]:
        policy = {
            "backends": [backend],
            "accept": ["unverified_packages", "kernel_downgrade"],
            "source": {"url": "https://x.example/toa.tgz"},
        }
        chosen = decide(host(name, kernel), **policy)
        plan = decide(host(name, kernel), **policy, trusted_sources=None)
        if chosen["state"] == "pending":
            seen += 1
            assert plan["state"] == "blocked" and plan["backend"] == backend and "spoofable" in named(plan)
            assert "realip.toa.detect" in plan["remedy"] and "toa_trusted_sources: all" in plan["remedy"]
            assert plan["trusted_sources"] is None and not plan["trusts_all_sources"]
        else:
            assert plan["state"] == chosen["state"]
    # Of a backend that somebody adds these hosts need not have one that suits it.
    assert seen or backend not in SIX or backend == "source_kernel"


@pytest.mark.parametrize("way", WITHOUT)
def test_a_host_that_works_and_trusts_all_is_blocked_until_somebody_chooses(way):
    system, facts = WITHOUT[way]
    known = host(*system, **facts)
    assert decide(known, proof())["state"] == "converged"
    assert decide(known, proof(), trusted_sources=None)["state"] == "blocked"
    assert decide(known, proof(), trusted_sources=["10.0.0.0/8"])["state"] == "pending"


@pytest.mark.parametrize("way", WITH_LIST)
def test_a_list_stays_where_the_variable_is_left_out(way):
    system, facts = WITH_LIST[way]
    known = host(*system, **facts)
    plan = decide(known, proof(), trusted_sources=None)
    assert (plan["state"], plan["trusted_sources"], plan["trusts_all_sources"]) == ("converged", ["10.0.0.0/8"], False)
    # As does the list of a host that has lost what holds it: our record has it.
    bare = host(*system, state={"ebpf": {"trusted_sources": ["10.0.0.0/8"]}})
    assert decide(bare, trusted_sources=None)["trusted_sources"] == ["10.0.0.0/8"]


@pytest.mark.parametrize("sources", ["all", []])
@pytest.mark.parametrize("way", WITH_LIST)
def test_taking_a_list_away_is_a_step_that_is_shown(way, sources):
    system, facts = WITH_LIST[way]
    plan = decide(host(*system, **facts), proof(), trusted_sources=sources)
    assert plan["state"] == "pending" and plan["trusts_all_sources"] and not plan["option_filter"]
    assert [step for step in plan["steps"] if step.startswith("trust all sources:")] and "all_sources_trusted" in named(
        plan
    )


def test_what_a_host_calls_its_list_is_checked_like_an_operators():
    for lie in ({"x": 1}, ["nonsense"], [None], ["0.0.0.0/0"], ["::/0"], "all", [["10.0.0.0/8"]], 7):
        plan = decide(host(*DEBIAN12, state={"ebpf": {"trusted_sources": lie}}), trusted_sources=None)
        assert plan["state"] == "blocked" and "spoofable" in named(plan)


def test_a_host_that_forwards_strips_the_option_for_the_others():
    """With eBPF nothing but the firewall keeps a stranger's option from the node behind, which sees this node's address."""
    plans = [
        decide(host(*DEBIAN12, firewall={"forwards": forwards, "backend": backend}), trusted_sources=["10.0.0.0/8"])[
            "option_filter"
        ]
        for forwards, backend in ((False, "nft"), (True, "nft"), (True, "none"))
    ]
    assert plans == [False, True, False]


@pytest.mark.parametrize(
    "sources", [["10.0.0.0/33"], ["10.0.0.1/8"], ["0.0.0.0/0"], ["::ffff:10.0.0.0/104"], "", "everybody"]
)
def test_what_is_no_choice_is_refused_before_any_host(sources):
    with pytest.raises(policy_module.PolicyError, match="toa_trusted_sources|trusted source"):
        decide(host(*DEBIAN12), trusted_sources=sources)


def test_what_the_option_filter_does_not_see_is_a_warning():
    """A module believes what comes there; the programs of eBPF see it themselves."""
    unseen = {
        "firewall": {
            "backend": "nft",
            "forwards": True,
            "filter_partial": [f"interface {number}" for number in range(5)],
        }
    }
    plan = decide(host("ubuntu-16.04", "4.4.87.toa", **TOA_RUNNING, **unseen), proof(), trusted_sources=["10.0.0.0/8"])
    (told,) = [item for item in plan["reasons"] if item["code"] == "filter_partial"]
    assert told["severity"] == "warning" and "interface 2 and 2 more" in told["message"] and "eBPF" in told["remedy"]
    assert "filter_partial" not in named(decide(host(*DEBIAN12, **unseen), trusted_sources=["10.0.0.0/8"]))
    assert "filter_partial" not in named(decide(host("ubuntu-16.04", "4.4.87.toa", **TOA_RUNNING, **unseen), proof()))
