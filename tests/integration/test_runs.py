# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several playbooks in one invocation of ansible-playbook: nothing of another run counts."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

import pytest
from fleet import STOCK, Fleet
from sshd import Run


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("runs"), 47, 3) as made:
        yield made


@pytest.fixture(autouse=True)
def stock(fleet: Fleet) -> None:
    for name in fleet.names:
        fleet.be(name)


def site(fleet: Fleet, core: str, *parts: dict[str, t.Any]) -> tuple[Run, dict[str, dict[str, str]]]:
    """Run a playbook of these parts; the states in its reports."""
    shutil.rmtree(fleet.reports, ignore_errors=True)
    book = fleet.folder / "site.yml"
    book.write_text(json.dumps(list(parts)))
    words = fleet.words("rollout", fleet.names, {"toa_waves": ["100%"]}, [])
    run = fleet.controller(core).command([*words[:-1], str(book)])
    found = {}
    # Of each kind the last run, whether it was about the whole fleet or not.
    for file in sorted(fleet.reports.glob("*/2*/*.json"), key=lambda file: file.stat().st_mtime_ns):
        found[file.stem] = {entry["host"]: entry["state"] for entry in json.loads(file.read_text())["hosts"]}
    return run, found


def imported(name: str, **variables: t.Any) -> dict[str, t.Any]:
    return {"ansible.builtin.import_playbook": f"realip.toa.{name}", "vars": variables}


def between(fleet: Fleet, host: str, command: str) -> dict[str, t.Any]:
    """A play of the operator, which does something to a host."""
    return {"hosts": host, "gather_facts": False, "tasks": [{"ansible.builtin.raw": f"{command} {fleet.path(host)}"}]}


UNLOAD = """sed -i 's/"loaded": true/"loaded": false/'"""


def test_verify_answers_by_what_it_saw_and_not_by_the_rollout_before_it(fleet: Fleet, core: str) -> None:
    run, found = site(fleet, core, imported("rollout"), between(fleet, "web02", UNLOAD), imported("verify"))
    assert set(found["rollout"].values()) == {"proved"}, run.output
    assert found["verify"] == {"web01": "converged", "web02": "pending", "web03": "converged"}, run.output
    assert run.rc != 0, "a host that does not translate"


def test_a_host_that_is_blocked_by_now_is_left_alone(fleet: Fleet, core: str, tmp_path: Path) -> None:
    """Somebody sets it up anew between two rollouts, and the second one may not install what has no digest."""
    (tmp_path / "stock.json").write_text("{}")
    anew = between(fleet, "web01", f"cp {tmp_path / 'stock.json'}")
    second = imported("rollout", toa_accept=[])
    run, found = site(fleet, core, imported("rollout"), anew, second)
    assert found["rollout"] == {"web01": "blocked", "web02": "converged", "web03": "converged"}, run.output
    assert not fleet.touched("web01") and fleet.host("web01").get("kernel", STOCK) == STOCK, run.output
    assert [fleet.host(name)["boot"] for name in ("web02", "web03")] == [2, 2], "rebooted once"
    assert run.rc != 0


def test_two_rollouts_over_parts_of_a_fleet_reboot_no_host_twice(fleet: Fleet, core: str) -> None:
    first, second = imported("rollout", toa_hosts="web01"), imported("rollout", toa_hosts="web02,web03")
    run, found = site(fleet, core, first, second, imported("rollout", toa_hosts="web02"))
    assert run.rc == 0, run.output
    assert [fleet.host(name)["boot"] for name in fleet.names] == [2, 2, 2], run.output
    assert found["rollout"] == {"web02": "converged"}, "each report is about its own hosts"


def test_the_rollout_role_refuses_what_is_not_pending(fleet: Fleet, core: str) -> None:
    """A play of one's own, which gives the role whatever was planned."""
    own = {
        "hosts": "all", "gather_facts": False,
        "tasks": [
            {"realip.toa.toa_plan": {"accept": []}, "register": "__toa"},
            {"ansible.builtin.include_role": {"name": "realip.toa.rollout"}, "vars": {"rollout_plan": "{{ __toa.plan }}"}},
            {"ansible.builtin.debug": {"msg": "{{ __toa.outcome.state }}: {{ __toa.outcome.message }}"}},
        ],
    }  # fmt: skip
    run, _ = site(fleet, core, own)
    assert run.output.count('"failed: the plan of this host is blocked') == 3, run.output
    assert not any(fleet.touched(name) for name in fleet.names)
