# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No host decides for the others, and none is blamed for them: the first one, names that look like something else, what comes out at the end."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
from fleet import ROOT, STOCK, TOA, Fleet
from sshd import Run
from test_fleet import states


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("first"), 48, 4) as made:
        yield made


@pytest.fixture(autouse=True)
def stock(fleet: Fleet) -> None:
    for name in fleet.names:
        fleet.be(name)


def recap(run: Run) -> dict[str, dict[str, int]]:
    """{host: {ok, changed, unreachable, failed, ...}} of PLAY RECAP."""
    told = run.output.partition("PLAY RECAP")[2]
    return {
        host: {key: int(number) for key, number in re.findall(r"(\w+)=(\d+)", rest)}
        for host, rest in re.findall(r"^(\S+)\s+: (ok=.*)$", told, re.MULTILINE)
    }


def blamed(run: Run) -> set[str]:
    return {host for host, told in recap(run).items() if told["failed"] or told["unreachable"]}


def with_broken(
    fleet: Fleet, core: str, broken: str, playbook: str, **variables: t.Any
) -> tuple[Run, dict[str, t.Any]]:
    """Run a playbook; the address of the host `broken` is a template that cannot be resolved."""
    words = fleet.words(playbook, fleet.names, variables, [])
    inventory = Path(words[2])
    content = json.loads(inventory.read_text())
    content["all"]["hosts"][broken]["ansible_host"] = "{{ nowhere_to_be_found }}"
    inventory.write_text(json.dumps(content))
    report = fleet.reports / f"{playbook}.json"
    report.unlink(missing_ok=True)
    run = fleet.controller(core).command(words)
    told = json.loads(report.read_text()) if report.exists() else {"hosts": []}
    return run, {entry["host"]: entry for entry in told["hosts"]}


@pytest.mark.parametrize("broken", ["web01", "web03"])
def test_a_host_with_broken_variables_is_one_host(fleet: Fleet, core: str, broken: str) -> None:
    run, report = with_broken(fleet, core, broken, "rollout", toa_waves=["100%"])
    assert states(report) == {name: "failed" if name == broken else "proved" for name in fleet.names}, run.output
    assert "nowhere_to_be_found" in report[broken]["message"]
    assert run.rc == 2 and blamed(run) == {broken}, run.output
    run, report = with_broken(fleet, core, broken, "rollback", toa_waves=["100%"])
    assert states(report) == {name: "failed" if name == broken else "rolled_back" for name in fleet.names}, run.output
    assert run.rc == 2 and blamed(run) == {broken}, run.output


def test_those_concerned_fail_at_the_end_and_only_they(fleet: Fleet, core: str) -> None:
    """The recap, and the file for --limit @retry, from which AWX's relaunch of failed hosts does not differ: both go by what has failed."""
    fleet.be("web02", faults={"verdict": "inert"})
    controller = fleet.controller(core)
    controller.settings |= {"ANSIBLE_RETRY_FILES_ENABLED": "true", "ANSIBLE_RETRY_FILES_SAVE_PATH": str(fleet.folder)}
    words = fleet.words("rollout", fleet.names, {"toa_waves": [2, "100%"]}, [])
    run = controller.command(words)
    assert run.rc == 2 and blamed(run) == {"web02", "web04"}, run.output
    assert "not_translating" in run.output or "did not end well" in run.output
    (retry,) = fleet.folder.glob("*.retry")
    assert set(retry.read_text().split()) == {"web02", "web04"}
    fleet.change("web02", faults={})
    run = controller.command([*words, "--limit", f"@{retry}"])
    assert run.rc == 0 and blamed(run) == set(), run.output
    assert [fleet.host(name)["kernel"] for name in fleet.names] == [TOA] * 4
    assert fleet.host("web01")["boot"] == 2, "it was not asked again"


# As inventory scripts give them: nothing takes the port off.
NAMES = ["10.9.8.7:2201", "10.9.8.7:2202", "2001:db8::7", "web_1.example.org"]


def test_names_that_look_like_something_else(fleet: Fleet, core: str) -> None:
    made = fleet.inventory(fleet.names, {"toa_waves": [1, "100%"]})["all"]
    hosts = dict(zip(NAMES, made["hosts"].values(), strict=True))
    script = fleet.folder / "inventory.sh"
    answer = {"all": {"hosts": NAMES, "vars": made["vars"]}, "_meta": {"hostvars": hosts}}
    script.write_text(f"#!/bin/sh\ncat <<'EOF'\n{json.dumps(answer)}\nEOF\n")
    script.chmod(0o755)
    fleet.be("web02", faults={"verdict": "inert"})
    run = fleet.controller(core).command(["ansible-playbook", "-i", str(script), "realip.toa.rollout"])
    report = {entry["host"]: entry for entry in json.loads((fleet.reports / "rollout.json").read_text())["hosts"]}
    assert states(report) == dict(zip(NAMES, ["proved", "failed", "proved", "proved"], strict=True)), run.output
    assert [fleet.host(name)["kernel"] for name in fleet.names] == [TOA, STOCK, TOA, TOA]
    assert run.rc == 2 and blamed(run) == {NAMES[1]} and set(recap(run)) - {"localhost"} == set(NAMES), run.output


def test_the_hosts_of_a_wave_go_back(fleet: Fleet, core: str) -> None:
    """By the report of the rollout, whose folder the inventory names. A wave that there was not is refused, and so is nobody at all."""
    run, _report = fleet.play(core, toa_waves=[1, 2, "100%"])
    assert run.rc == 0, run.output
    run, report = fleet.play(core, "rollback", options=("-e", "toa_wave=7"), toa_waves=["100%"])
    assert run.rc != 0 and "had waves 1 to 3" in run.output and report == {}, run.output
    assert [fleet.host(name)["boot"] for name in fleet.names] == [2] * 4
    run, report = fleet.play(core, "rollback", options=("-e", "toa_wave=2"), toa_waves=["100%"])
    assert run.rc == 0 and [fleet.host(name)["kernel"] for name in fleet.names] == [TOA, STOCK, STOCK, TOA], run.output


def test_nobody_is_no_success(fleet: Fleet, core: str) -> None:
    (fleet.folder / "empty.yml").write_text("all: {hosts: {}}")
    for options, words in (
        (["-i", str(fleet.folder / "empty.yml")], "no host matches all"),
        (["-e", "toa_hosts=db"], "no host matches db"),
    ):
        command = [*fleet.words("verify", fleet.names, {}, []), *options]
        if options[0] == "-i":
            del command[1:3]
        run = fleet.controller(core).command(command)
        assert run.rc != 0 and words in run.output, run.output


# Made anew out of files, or for one host that has a variable of its own.
WITHOUT_FLEET = {"report", "build_kernel"}


@pytest.mark.parametrize("playbook", sorted({path.stem for path in (ROOT / "playbooks").glob("*.yml")} - WITHOUT_FLEET))
def test_an_inventory_without_hosts_is_no_success_of_any_playbook(fleet: Fleet, core: str, playbook: str) -> None:
    (fleet.folder / "empty.yml").write_text("all: {hosts: {}}")
    command = fleet.words(playbook, fleet.names, {}, [])
    command[2] = str(fleet.folder / "empty.yml")
    run = fleet.controller(core).command(command)
    assert run.rc != 0 and "no host matches all" in run.output, run.output


def test_verify_fails_for_a_host_that_no_backend_suits(fleet: Fleet, core: str) -> None:
    """It does not translate, whatever the reason: only the hosts that do are in order."""
    run, _report = fleet.play(core, toa_waves=["100%"])
    assert run.rc == 0, run.output
    fleet.be("web02")
    fleet.own["web02"] = {"toa_backends": ["vtoa"]}
    try:
        run, report = fleet.play(core, "verify")
    finally:
        fleet.own.clear()
    assert states(report) == {name: "unsupported" if name == "web02" else "converged" for name in fleet.names}
    assert run.rc == 2 and blamed(run) == {"web02"}, run.output
