# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs over a simulated fleet by what the inventory says of toa_trusted_sources: nothing, a list, nothing again, `all`."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from fleet import Fleet
from sshd import cores

NETWORKS = ["10.0.0.0/8", "2001:db8:77::/48"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("trust"), 53, 2) as made:
        yield made


def trusted(fleet: Fleet) -> list[t.Any]:
    return [(fleet.host(name)["option_filter"] or {}).get("trusted_sources") for name in fleet.names]


def test_a_choice_is_made_kept_and_taken_back(fleet: Fleet) -> None:
    core = cores()[-1]
    run, hosts = fleet.play(core, toa_waves=["100%"], toa_trusted_sources=...)
    assert run.rc != 0 and {entry["state"] for entry in hosts.values()} == {"blocked"}, run.output
    assert all(
        "realip.toa.detect" in entry["remedy"] and "spoofable" in {reason["code"] for reason in entry["reasons"]}
        for entry in hosts.values()
    )
    assert not any(map(fleet.touched, fleet.names)), "nothing was done to anybody"

    run, hosts = fleet.play(core, toa_waves=["100%"], toa_trusted_sources=NETWORKS)
    assert run.rc == 0 and {entry["state"] for entry in hosts.values()} == {"proved"}, run.output
    assert trusted(fleet) == [NETWORKS] * 2 and "trust all sources" not in run.output

    run, hosts = fleet.play(core, toa_waves=["100%"], toa_trusted_sources=...)
    assert run.rc == 0 and {entry["state"] for entry in hosts.values()} == {"converged"}, run.output
    assert trusted(fleet) == [NETWORKS] * 2, "left out, the list stays"
    assert not any(entry["trusts_all_sources"] for entry in hosts.values())

    run, hosts = fleet.play(core, "plan", toa_trusted_sources="all")
    assert all(any(step.startswith("trust all sources:") for step in entry["steps"]) for entry in hosts.values()), (
        run.output
    )
    run, hosts = fleet.play(core, toa_waves=["100%"], toa_trusted_sources="all")
    assert run.rc == 0 and trusted(fleet) == [None] * 2, run.output
    assert "2 hosts trust all sources" in run.output and "web01, web02" in run.output


@pytest.mark.parametrize("value", ["", None, "everybody", ["::ffff:10.0.0.0/104"], ["0.0.0.0/0"]])
def test_what_is_no_choice_ends_the_run_before_any_host_is_asked(fleet: Fleet, value: t.Any, tmp_path: Path) -> None:
    for name in fleet.names:
        fleet.be(name)
    run, _hosts = fleet.play(cores()[-1], toa_trusted_sources=value)
    assert run.rc != 0 and "toa_trusted_sources" in run.output, run.output
    assert [fleet.host(name).get("journal", []) for name in fleet.names] == [[], []], "a host was asked"
