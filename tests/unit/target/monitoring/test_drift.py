# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""drift.py and metrics.py: what is told of a host that has moved away from what was proved, and how Prometheus hears of it."""

from __future__ import absolute_import, division, print_function

import calendar

import pytest
from ansible_collections.realip.toa.plugins.module_utils.monitoring import drift
from ansible_collections.realip.toa.plugins.module_utils.programs import metrics

PROVED = {
    "backend": "kernel_package",
    "kernel": "4.4.87.toa",
    "boot_id": "b",
    "time": "2026-11-20T10:00:00Z",
    "brings_kernel": True,
}
BOOTED, INSTALLED = drift.seconds_of("2026-11-21T03:00:00Z"), drift.seconds_of("2026-11-21T02:50:00Z")


def facts(**more):
    """A host that is as it was proved."""
    known = {
        "uname": {"release": "4.4.87.toa"},
        "modules": [{"name": "toa", "loaded": True, "live": True}],
        "ebpf": {"complete": False},
        "boot": {"default": "4.4.87.toa", "boot_id": "b"},
        "kernels": [{"release": "4.4.87.toa"}, {"release": "4.4.0-250-generic"}],
        "firewall": {"backend": "nft", "option_filter": None},
        "held": ["linux-image-4.4.87.toa"],
        "state": {"proof": PROVED, "packages": {"installed": {}, "held": ["linux-image-4.4.87.toa"]}},
        "counters": {"syn_recv_sock_toa": 3},
        "traffic": None,
        "ahead": [],
    }
    known.update(more)
    known["drift"] = drift.drift_of(known, BOOTED, INSTALLED, {})
    return known


def test_a_host_as_it_was_proved():
    assert facts()["drift"] == []


def test_nothing_was_proved():
    for state in (
        {},
        {"proof": {}},
        {"proof": "x"},
        {"proof": dict(PROVED, time="yesterday")},
        {"proof": dict(PROVED, kernel="")},
    ):
        assert facts(state=state, modules=[])["drift"] == []


def test_an_update_has_booted_another_kernel():
    """Which, since when, and why."""
    boot = {"default": "4.4.0-250-generic"}
    found = facts(
        uname={"release": "4.4.0-250-generic"},
        modules=[],
        boot=boot,
        kernels=[{"release": "4.4.0-250-generic"}],
        held=[],
    )["drift"]
    assert [item["code"] for item in found] == ["kernel_without_toa", "default_changed", "hold_gone"]
    assert found[0]["since"] == "2026-11-21T03:00:00Z"
    for words in (
        "4.4.0-250-generic, which has no TOA, runs in place of 4.4.87.toa",
        "proved at 2026-11-20T10:00:00Z",
        "4.4.0-250-generic was installed at 2026-11-21T02:50:00Z",
        "is the boot loader's default",
        "4.4.87.toa is not installed any more",
    ):
        assert words in found[0]["detail"]
    assert "linux-image-4.4.87.toa is not held" in found[2]["detail"] and found[2]["since"] == ""


def test_another_kernel_that_translates_is_no_drift():
    assert facts(uname={"release": "4.4.88.toa"}, boot={"default": "4.4.87.toa"})["drift"] == []


@pytest.mark.parametrize(
    "more, code",
    [
        ({"modules": []}, "module_gone"),
        ({"modules": [{"name": "toa", "loaded": True, "live": False}]}, "module_gone"),
        ({"modules": [{"name": "hookers", "loaded": True, "live": True}]}, "module_gone"),
        (
            {"modules": [], "state": {"proof": dict(PROVED, backend="ebpf", brings_kernel=False, runs_programs=True)}},
            "ebpf_gone",
        ),
        ({"firewall": {"option_filter": {"active": False, "at_boot": "/unit"}}}, "option_filter_gone"),
        ({"firewall": {"option_filter": {"active": True, "at_boot": ""}}}, "option_filter_gone"),
        ({"boot": {"default": "5.4"}}, "default_changed"),
        ({"held": []}, "hold_gone"),
    ],
)
def test_each_kind(more, code):
    assert [item["code"] for item in facts(**more)["drift"]] == [code]


def test_the_monitor_knows_since_when():
    known = facts(held=[])
    (item,) = drift.drift_of(known, None, None, {"hold_gone": drift.seconds_of("2026-11-21T12:00:00Z")})
    assert item["since"] == "2026-11-21T12:00:00Z"


def test_rubbish_in_the_record():
    for packages in ("x", {"held": "x"}, {"held": [1, None]}, []):
        found = facts(state={"proof": PROVED, "packages": packages})["drift"]
        assert [item["code"] for item in found] in ([], ["hold_gone"])


def test_times():
    for year in range(
        1970, 2038
    ):  # every month of what a Python of 32 bits can say, leap years and their ends included
        for month in range(1, 13):
            moment = calendar.timegm((year, month, 1, 23, 59, 58))
            assert [drift.seconds_of(drift.utc(moment + day * 86400)) for day in (-1, 0, 27)] == [
                moment - 86400,
                moment,
                moment + 27 * 86400,
            ]
    for text in (
        "2026-02-30T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00Z\n",
        "2026-01-01T00:00:00",
    ):
        assert drift.seconds_of(text) is None
    assert [drift.utc(value) for value in (None, "x", 1e300, float("nan"))] == ["", "", "", ""]
    assert [drift.seconds_of(value) for value in (None, "", "2026", "9" * 99)] == [None] * 4


EBPF_ALL, EBPF_LIST = (
    {"attached": [{}], "complete": True, "trusted_sources": []},
    {"attached": [{}], "complete": True, "trusted_sources": ["10.0.0.0/8"]},
)
NO_MODULE, RULES = {"modules": []}, {"active": True, "trusted_sources": ["10.0.0.0/8"], "at_boot": "/unit"}


@pytest.mark.parametrize(
    "changes, trusts",
    [
        ({}, 1),
        ({"firewall": {"option_filter": RULES}}, 0),
        ({"firewall": {"option_filter": dict(RULES, active=False)}}, 1),
        (dict(NO_MODULE), 0),
        (dict(NO_MODULE, ebpf=EBPF_ALL), 1),
        (dict(NO_MODULE, ebpf=EBPF_LIST), 0),
        (dict(NO_MODULE, ebpf=EBPF_ALL, firewall={"option_filter": RULES}), 0),
        ({"ebpf": EBPF_LIST}, 1),
    ],
)
def test_hosts_that_take_an_address_from_anybody_say_so(changes, trusts):
    samples = metrics.samples_of(facts(**changes), None, {}, 9)
    assert [value for name, _labels, value in samples if name == "trusts_all_sources"] == [trusts]


def test_the_text_for_prometheus():
    traffic = {"translated": 12431, "connections": 12500, "trusted": True, "idle": True, "quiet": 4000}
    known = facts(uname={"release": 'a"b\\c\nd\x07'}, traffic=traffic)
    text = metrics.exposition(metrics.samples_of(known, {"verdict": "translating"}, {"hold_gone": 5}, 9))
    lines = text.split("\n")
    assert text.endswith("\n") and 'release="a\\"b\\\\c\\nd?"' in text
    for line in (
        "realip_toa_live 1",
        "realip_toa_translating 1",
        'realip_toa_drift{code="hold_gone"} 1',
        'realip_toa_drift{code="module_gone"} 0',
        'realip_toa_drift_since_seconds{code="hold_gone"} 5',
        'realip_toa_events_total{event="syn_recv_sock_toa"} 3',
        "realip_toa_run_time_seconds 9",
        'realip_toa_connections_total{which="translated"} 12431',
        'realip_toa_connections_total{which="trusted"} 12500',
        "realip_toa_idle 1",
        "realip_toa_quiet_seconds 4000",
    ):
        assert line in lines
    told = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(told) == len(set(told)) and "option_filter_active" not in text
    # Samples of one metric stand together, below their TYPE.
    names = [line.split("{")[0].split(" ")[0] for line in lines if line and line[0] != "#"]
    assert sorted(set(names), key=names.index) == [
        "realip_toa_" + name for name in metrics.ORDER if "realip_toa_" + name in names
    ]
    assert names == sorted(names, key=lambda name: metrics.ORDER.index(name[len("realip_toa_") :]))
    assert set(metrics.ORDER) == set(metrics.HELP)


def test_first_seen_is_kept(tmpdir):
    path = str(tmpdir.join("seen.json"))
    drifted = [{"code": "hold_gone", "since": ""}, {"code": "kernel_without_toa", "since": "2026-11-21T03:00:00Z"}]
    assert metrics.remember(path, drifted, 100) == {"hold_gone": 100, "kernel_without_toa": BOOTED}
    assert metrics.remember(path, drifted[:1], 200) == {"hold_gone": 100}
    assert metrics.remember(path, [], 300) == {} and metrics.remember(path, drifted[:1], 400) == {"hold_gone": 400}
    for rubbish in (
        "",
        "[]",
        "{",
        '{"hold_gone": "x"}',
        '{"hold_gone": true}',
        '{"hold_gone": 1e400}',
        '{"hold_gone": -5}',
        "[" * 100000,
    ):
        tmpdir.join("seen.json").write(rubbish)
        assert metrics.remember(path, drifted[:1], 7) == {"hold_gone": 7}
