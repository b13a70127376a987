# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision: every row of the vectors, what decides before any backend, bad input, speed, and hosts that answer anything."""

from __future__ import annotations

import time

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import CLEAN, facts_of, probe_of
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner
from ansible_collections.realip.toa.plugins.plugin_utils.planner import policy as policy_module
from ansible_collections.realip.toa.plugins.plugin_utils.planner import removal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.controller.planner.cases import (
    ALINUX3,
    CATALOG,
    CENTOS7,
    DEBIAN12,
    EXPECTED,
    LOCK,
    ROWS,
    UBUNTU,
    VECTORS,
    codes,
    decide,
    host,
    running,
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_every_row_of_the_vectors(row):
    name, release, arch, getpeername, getsockopt = row[:5]
    plan = decide(host(name, release, arch))
    state, backend, code = EXPECTED[release]
    assert (plan["state"], plan["backend"]) == (state, backend), (
        f"EXPECTED[{release!r}]; a catalog entry that is new is offered to every host it matches"
    )
    assert code is None or code in codes(plan)
    by_vtoa = decide(host(name, release, arch), backends=["vtoa"])
    assert (by_vtoa["state"] == "pending") is (getpeername == "yes")
    assert by_vtoa["capabilities"]["getpeername"] is (getpeername == "yes")
    assert by_vtoa["capabilities"]["getsockopt_1348"] is (getsockopt == "yes")


def test_an_older_alinux_3_has_the_ebpf_backend():
    """It mounts cgroup v1 alone, which is no obstacle: the loader mounts v2 beside it."""
    plan = decide(host("alinux-3", "5.10.134-14.1.al8.x86_64"))
    assert (plan["state"], plan["backend"]) == ("pending", "ebpf") and ("vtoa", "kernel_too_old") in codes(plan)
    without = decide(host("alinux-3", "5.10.134-14.1.al8.x86_64", ebpf={"cgroup2": None, "possible": False}))
    assert {("vtoa", "kernel_too_old"), ("ebpf", "no_cgroup2")} <= codes(without, "block")
    assert "5.10.134-15" in without["remedy"]


@pytest.mark.parametrize(
    ("name", "release", "state", "backend"),
    [
        # Field guide 6.1 to 6.3.
        ('ID="alinux"\nVERSION_ID="4"\nPLATFORM_ID="platform:alnx4"\n', "6.6.102-5.2.alnx4.x86_64", "pending", "ebpf"),
        (
            'ID="anolis"\nVERSION_ID="8.9"\nPLATFORM_ID="platform:an8"\n',
            "5.10.134-19.3.1.an8.x86_64",
            "pending",
            "ebpf",
        ),
        (
            'ID="alinux"\nVERSION_ID="3"\nPLATFORM_ID="platform:al8"\n',
            "5.10.134-18.0.1.lifsea8.x86_64",
            "pending",
            "ebpf",
        ),
        ('ID="alinux"\nVERSION_ID="3"\nPLATFORM_ID="platform:al8"\n', "5.10.134-17.2.2.kos5.x86_64", "pending", "ebpf"),
        ('ID="tencentos"\nVERSION_ID="3.1"\nPLATFORM_ID="platform:el8"\n', "5.4.32-19-0001", "pending", "in_tree"),
        ("tencentos-4.2", "6.6.119-49.27.tl4.x86_64", "pending", "in_tree"),
        ("CentOS release 6.7 (Final)\n", "2.6.32-754.35.1.el6.x86_64", "blocked", "kernel_package"),
        ("CentOS release 6.7 (Final)\n", "2.6.32-220.el6.x86_64", "blocked", "kernel_package"),
        ("CentOS release 6.7 (Final)\n", "2.6.32-220.23.1.el6.toa.x86_64", "pending", "kernel_package"),
        ("CentOS release 6.7 (Final)\n", "2.6.32-696.13.2.el6.centos.plus.toa.x86_64", "pending", "kernel_package"),
        ("CentOS release 6.7 (Final)\n", "2.6.32-220.23.2.ali_github.el6.x86_64", "pending", "kernel_package"),
        ("centos-7", "3.10.0-957.21.3.el7.toa.x86_64", "pending", "kernel_package"),
        ("centos-7", "5.4.268-1.el7.elrepo.x86_64", "blocked", "kernel_package"),
        ("centos-8", "4.18.0-383.el8.x86_64", "unsupported", ""),
        ("centos-9", "5.14.0-412.el9.x86_64", "pending", "ebpf"),
        ("rhel-10.0", "6.12.0-55.9.1.el10_0.x86_64", "pending", "ebpf"),
        ("debian-8", "3.16.0-11-amd64", "blocked", "kernel_package"),
        ("debian-9", "4.9.0-19-amd64", "unsupported", ""),
        ("debian-13", "6.12.41+deb13-amd64", "pending", "ebpf"),
        ("ubuntu-20.04", "5.4.0-173-generic", "unsupported", ""),
        ("ubuntu-22.04", "5.15.0-94-generic", "pending", "ebpf"),
        ("ubuntu-24.04", "6.8.0-31-generic", "pending", "ebpf"),
        ("openeuler-24.03", "6.6.0-28.0.0.34.oe2403.x86_64", "pending", "ebpf"),
        ("\nHello\n", "3.10.0-1160.el7.x86_64", "unsupported", ""),
    ],
)
def test_the_field(name, release, state, backend):
    plan = decide(host(name, release))
    assert (plan["state"], plan["backend"]) == (state, backend)


def test_inside_a_container():
    plan = decide(host(*DEBIAN12, container="docker"))
    assert plan["state"] == "blocked" and codes(plan) == {("", "inside_container")}
    assert "install on the host" in plan["remedy"] and "docker" in plan["reasons"][0]["message"]


@pytest.mark.parametrize("garbage", ["", "garbage", "5.10;reboot", "\x1b[2J", "{{ 6 * 7 }}", "%s{}{0}"])
def test_a_kernel_string_that_is_garbage(garbage):
    plan = decide(host("debian-12", garbage))
    assert plan["state"] == "unsupported" and codes(plan) == {("", "kernel_unparsable")}
    assert plan["remedy"] and "\x1b" not in plan["reasons"][0]["message"]


def test_formats_nobody_knows():
    assert codes(decide(host(*DEBIAN12), option_kinds=["200/9"])) == {("", "unknown_format")}
    vpc = decide(host(*DEBIAN12), option_kinds=["252/20"])
    assert vpc["state"] == "unsupported" and ("ebpf", "unknown_format") in codes(vpc, "block")
    assert decide(host(*ALINUX3), option_kinds=["252/20"])["backend"] == "vtoa"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"backends": ["magic"]}, "toa_backends"),
        ({"backends": []}, "toa_backends"),
        ({"backends": "ebpf"}, "toa_backends"),
        ({"vendor": "tencen"}, "unknown vendor 'tencen'"),
        ({"vendor": "custom"}, "toa_option_kinds"),
        ({"option_kinds": ["2/8"]}, "Maximum Segment Size"),
        ({"accept": "conflicts"}, "toa_accept"),
        ({"accept": ["conflict"]}, "toa_accept is a list with some of conflicts, "),
        ({"acept": ["conflicts"]}, "acept"),
    ],
)
def test_a_policy_that_makes_no_sense(policy, expected):
    with pytest.raises(policy_module.PolicyError) as caught:
        planner.decide(host(*DEBIAN12), policy, CATALOG)
    assert expected in str(caught.value)


def test_a_part_that_could_not_be_read_is_told():
    plan = decide(host(*DEBIAN12, unread=[{"section": "modules", "problem": "IOError"}]))
    assert ("", "facts_incomplete") in codes(plan, "warning")


def test_ten_thousand_decisions():
    known = [host(*UBUNTU), host(*CENTOS7), host(*ALINUX3), host(*DEBIAN12), running()]
    began = time.process_time()
    for number in range(10_000):
        planner.decide(known[number % len(known)], {"vendor": "tencent"}, CATALOG, LOCK, None)
    assert time.process_time() - began < 10


SECTIONS = sorted(CLEAN)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_answer_of_a_host_gives_a_plan(data):
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-5, 5)
        | st.sampled_from(["", "toa", "vtoa", "x", "{0}", "systemd", "4.4.87.toa"])
    )
    raw = {}
    for key in data.draw(st.lists(st.sampled_from(SECTIONS), unique=True)):
        fields = st.dictionaries(
            st.sampled_from(
                ["name", "loaded", "live", "release", "effective", "module", "one_shot", "foreign", "code", "boot"]
            ),
            scalars,
        )
        raw[key] = data.draw(scalars | fields | st.lists(fields, max_size=3))
    release = data.draw(
        st.sampled_from(["4.4.0-210-generic", "4.4.87.toa", "6.1.0-18-amd64", "5.10.134-16.3.al8.x86_64", "x"])
    )
    raw["uname"] = {"release": release, "machine": "x86_64"}
    name = data.draw(st.sampled_from(["ubuntu-16.04", "debian-12", "alinux-3", "centos-7"]))
    raw["os_files"] = {"/etc/os-release": (VECTORS / "os-release" / name).read_text(encoding="utf-8")}
    known = facts_of(raw)
    verdict = data.draw(st.sampled_from(["translating", "inert", "nonsense", 5, None]))
    planner.decide(known, {}, CATALOG, None, probe_of({"verdict": verdict}))
    removal.decide(known, {}, CATALOG)
