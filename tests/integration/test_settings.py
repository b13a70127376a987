# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people have in their ansible.cfg and environment: every play states what it relies on, and what cannot be stated is refused by name."""

from __future__ import annotations

import json
import typing as t

import pytest
from fleet import STOCK, TOA, Fleet
from sshd import Run
from test_fleet import states

# One run with all of them, since each alone is to change nothing.
SETTINGS = {
    "ANSIBLE_ANY_ERRORS_FATAL": "true",
    "ANSIBLE_STRATEGY": "free",
    "ANSIBLE_TASK_TIMEOUT": "2",
    "ANSIBLE_HOST_PATTERN_MISMATCH": "error",
    "ANSIBLE_SSH_RETRIES": "3",
    "ANSIBLE_PRIVATE_ROLE_VARS": "true",
    "ANSIBLE_HASH_BEHAVIOUR": "merge",
    "ANSIBLE_INJECT_FACT_VARS": "false",
    "ANSIBLE_ENABLE_TASK_DEBUGGER": "true",
    "ANSIBLE_GATHERING": "implicit",
    "ANSIBLE_RETRY_FILES_ENABLED": "true",
    "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
    "ANSIBLE_CACHE_PLUGIN": "memory",
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("settings"), 49, 4) as made:
        yield made


@pytest.fixture(autouse=True)
def stock(fleet: Fleet) -> None:
    for name in fleet.names:
        fleet.be(name)


def play(
    fleet: Fleet, core: str, settings: dict[str, str], playbook: str, *options: str, **variables: t.Any
) -> tuple[Run, dict[str, t.Any]]:
    controller = fleet.controller(core)
    controller.settings |= {"ANSIBLE_RETRY_FILES_SAVE_PATH": str(fleet.folder), **settings}
    report = fleet.reports / f"{playbook}.json"
    report.unlink(missing_ok=True)
    run = controller.command(fleet.words(playbook, fleet.names, variables, options))
    told = json.loads(report.read_text()) if report.exists() else {"hosts": []}
    return run, {entry["host"]: entry for entry in told["hosts"]}


def test_settings_of_an_operator_change_nothing(fleet: Fleet, core: str) -> None:
    """web01's connection dies with its reboot, and ssh sends the request again; web02 fails its proof; drain tasks take longer than a task may."""
    fleet.be("web01", faults={"dies_at": "reboot trigger"})
    fleet.be("web02", faults={"verdict": "inert"})
    slow = fleet.folder / "slow.yml"
    slow.write_text(json.dumps([{"name": "Operator | drain", "ansible.builtin.raw": "sleep 3"}]))
    hooks = fleet.hooked(drain=str(slow))
    run, report = play(fleet, core, SETTINGS, "rollout", toa_waves=[1, 2, 1], toa_max_failures=1, **hooks)
    expected = dict.fromkeys(fleet.names, "proved") | {"web02": "failed"}
    assert states(report) == expected and run.rc == 2, run.output
    assert report["web02"]["code"] == "not_translating"
    for name in fleet.names:
        host = fleet.host(name)
        assert "claim" not in host["state"] and fleet.hooks(name)[-1] == "undrain", host
        assert (host["kernel"], host["boot"]) == ((STOCK, 3) if name == "web02" else (TOA, 2)), host
    fleet.change("web01", faults={})
    run, report = play(fleet, core, SETTINGS, "rollback", toa_waves=["100%"])
    assert run.rc == 0 and states(report) == dict.fromkeys(fleet.names, "rolled_back") | {"web02": "converged"}, (
        run.output
    )


@pytest.mark.parametrize(
    ("settings", "options", "named"),
    [
        ({}, ["--tags", "web"], "--tags web"),
        ({"ANSIBLE_RUN_TAGS": "web"}, [], "web"),
        ({}, ["--skip-tags", "slow,untagged"], "--skip-tags"),
        ({}, ["--start-at-task", "Write the report"], "--start-at-task"),
        ({"ANSIBLE_ERROR_ON_UNDEFINED_VARS": "false"}, [], "ANSIBLE_ERROR_ON_UNDEFINED_VARS"),
    ],
)
def test_what_cannot_be_stated_is_refused_by_name(
    fleet: Fleet, core: str, settings: dict[str, str], options: list[str], named: str
) -> None:
    if core != "core-2.16" and "ANSIBLE_ERROR_ON_UNDEFINED_VARS" in settings:
        pytest.skip("nothing reads this setting since 2.19")
    run, report = play(fleet, core, settings, "verify", *options)
    assert run.rc != 0 and named in run.output and "realip.toa" in run.output, run.output
    assert report == {} and not any(fleet.host(name).get("journal") for name in fleet.names), "no host was asked"
