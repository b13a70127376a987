# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is beside a backend: option filter, drift, monitor."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.planner import policy as policy_module

from tests.unit.controller.planner.cases import (
    CENTOS7,
    LOCK,
    OPTION_FILTER,
    UBUNTU,
    decide,
    host,
    module,
    named,
    place,
    proof,
    toa_host,
)


def test_a_module_is_filtered_where_somebody_is_trusted():
    plan = decide(toa_host())
    assert plan["state"] == "converged" and not plan["option_filter"] and "all_sources_trusted" in named(plan)
    plan = decide(toa_host(), trusted_sources=["10.0.0.0/8"])
    assert plan["state"] == "pending" and plan["option_filter"] and "all_sources_trusted" not in named(plan)
    assert plan["steps"][0] == "strip the option from packets of everybody but 10.0.0.0/8" and plan["steps"][
        1
    ].startswith("prove")
    plan = decide(toa_host(), trusted_sources=["10.0.0.0/8"], option_filter="none")
    assert plan["state"] == "converged" and not plan["option_filter"] and "all_sources_trusted" in named(plan)


def test_an_option_filter_that_no_tool_could_load_is_told_before_anything_is_done():
    bare = {"backend": "none", "option_filter": None}
    plan = decide(host(*UBUNTU, firewall=bare), trusted_sources=["10.0.0.0/8"], accept=["unverified_packages"])
    assert (
        plan["state"] == "blocked" and "option_filter_unusable" in named(plan) and "toa_option_filter" in plan["remedy"]
    )
    assert "option_filter_unusable" not in named(
        decide(host(*UBUNTU, firewall=bare), trusted_sources=["10.0.0.0/8"], option_filter="none")
    )


@pytest.mark.parametrize(
    "change, state",
    [({}, "converged"), ({"active": False}, "pending"), ({"at_boot": ""}, "pending"), ({"trusted_sources": []}, "pending"), ({"ports": [80]}, "pending"),
     ({"kinds": [200]}, "pending")],
)  # fmt: skip
def test_an_option_filter_that_is_in_force_is_left_alone(change, state):
    known = toa_host(firewall={"backend": "nft", "option_filter": {**OPTION_FILTER, **change}})
    assert decide(known, trusted_sources=["10.0.0.0/8"])["state"] == state


def test_the_option_filter_comes_before_the_proof_of_a_new_kernel():
    steps = decide(host(*UBUNTU), lock=LOCK, trusted_sources=["10.0.0.0/8"])["steps"]
    places = [
        next(place for place, step in enumerate(steps) if step.startswith(word))
        for word in ("drain", "load", "strip", "prove", "make")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("ports", ["80", [0], [70000], ["ssh"]])
def test_ports_that_are_none(ports):
    with pytest.raises(policy_module.PolicyError, match="toa_ports"):
        decide(toa_host(), ports=ports)


def test_drift_is_told():
    drift = [{"code": "hold_gone", "detail": "linux-image is not held any more", "since": "2026-11-20T10:00:00Z"}]
    plan = decide(toa_host(drift=drift))
    (item,) = [item for item in plan["reasons"] if item["code"] == "drifted"]
    assert item["severity"] == "warning" and item["message"].endswith(
        "linux-image is not held any more (since 2026-11-20T10:00:00Z)"
    )


def test_what_was_measured_goes_before_what_a_table_says():
    """A module of ip_vs_ca that its owner has set to 254, and TencentOS with a 254 module of its own: no kernel is changed for these."""
    tencentos = 'ID="tencentos"\nVERSION_ID="3.1"\nPLATFORM_ID="platform:el8"\n'
    for known in (
        host(*CENTOS7, modules=[module("ip_vs_ca")], persistence=[place("ip_vs_ca")]),
        host(tencentos, "5.4.32-19-0001", modules=[module()], persistence=[place()]),
    ):
        plan = decide(known, proof(kinds=["254/8"]), vendor="huawei")
        assert (plan["state"], plan["backend"], plan["option_kinds"]) == ("converged", "in_tree", ["254/8"]), plan
        assert "option_kind_mismatch" in named(decide(known, proof("wrong_kind", kinds=["200/8"]), vendor="huawei"))
        # Nothing was measured: the table is all there is.
        assert "option_kind_mismatch" in named(decide(known, vendor="huawei"))


def test_listeners_of_ipv4_alone():
    """Of a vendor that has a format for IPv6 clients too, what can be asked is asked, and what is missing is said."""
    known = host(*CENTOS7, modules=[module()], persistence=[place()])
    plan = decide(known, proof(kinds=["254/8"]), vendor="dpvs", listeners=["inet"])
    assert (plan["state"], plan["option_kinds"]) == ("converged", ["254/8"])
    told = [item for item in plan["reasons"] if item["code"] == "ipv4_listeners_only" and item["backend"] == "in_tree"]
    assert [item["severity"] for item in told] == ["warning"]
    assert decide(known, proof(kinds=["254/8"]), vendor="dpvs")["state"] == "blocked"
    for wrong in ([], ["inet6"], "inet", ["inet", "mptcp"]):
        with pytest.raises(policy_module.PolicyError, match="toa_listeners"):
            decide(known, listeners=wrong)


def test_the_next_boot_is_told_before_it():
    ahead = [{"release": "4.4.0-250-generic", "detail": "it has no module toa"}]
    drift = [{"code": "next_kernel_without_toa", "detail": "4.4.0-250-generic is installed", "since": ""}]
    plan = decide(toa_host(ahead=ahead, drift=drift))
    assert plan["state"] == "converged" and "drifted" not in named(plan)
    (item,) = [item for item in plan["reasons"] if item["code"] == "next_kernel_without_toa"]
    assert item["severity"] == "warning" and "TOA would not work there: it has no module toa" in item["message"]
    assert "for 4.4.0-250-generic before it boots" in item["remedy"]


TRAFFIC = {
    "translated": 12431, "connections": 12500, "trusted": True, "others": {"no_option": 69}, "since": "2026-11-20T10:00:00Z",
    "last": "2026-11-20T11:00:00Z", "quiet": 7200, "idle": True,
}  # fmt: skip


def test_real_traffic_is_told_of_a_host_that_translates():
    plan = decide(toa_host(traffic=TRAFFIC))
    told = {item["code"]: item for item in plan["reasons"]}
    assert plan["state"] == "converged" and told["traffic"]["message"].endswith(
        "12,431 of 12,500 connections from the load balancer since 2026-11-20T10:00:00Z came translated"
    )
    assert (
        told["idle"]["severity"] == "warning" and "for 2 hours: 69 connections carried none" in told["idle"]["message"]
    )
    busy = named(decide(toa_host(traffic={**TRAFFIC, "idle": False})))
    assert "traffic" in busy and "idle" not in busy
    module = decide(toa_host(traffic={**TRAFFIC, "trusted": False}))
    assert any("12,431 of 12,500 connections to this host since" in item["message"] for item in module["reasons"])


def test_real_traffic_is_no_matter_of_a_host_with_something_to_do():
    plan = decide(toa_host(traffic=TRAFFIC), trusted_sources=["10.0.0.0/8"])
    assert plan["state"] == "pending" and not {"traffic", "idle"} & set(named(plan))
    assert not {"traffic", "idle"} & set(named(decide(toa_host(traffic=None))))


def test_the_monitor_is_left_where_it_is_wanted():
    assert decide(toa_host(), monitor=True)["steps"] == ["leave the monitor, which writes metrics"]
    assert decide(toa_host(state={"monitor": {"minutes": 5}}), monitor=True)["state"] == "converged"
    assert decide(toa_host())["monitor"] is False
    assert decide(toa_host(state={"monitor": {"begun": True}}), monitor=True)["state"] == "pending"


@pytest.mark.parametrize(("section", "state"), [("persistence", "pending"), ("ebpf", "converged")])
def test_what_a_killed_run_has_begun_is_not_taken_for_done(section, state):
    assert decide(toa_host(state={section: {"begun": True}}))["state"] == state
    assert decide(toa_host(state={section: {"files": {}}}))["state"] == "converged"
