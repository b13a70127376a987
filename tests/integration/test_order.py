# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who goes when, over a simulated fleet (fleet.py): kinds and their canaries, failure domains, soak, and what goes on after a run was stopped."""

from __future__ import annotations

import json
import shlex
import typing as t
from pathlib import Path

import pytest
from fleet import STOCK, TOA, Fleet
from sshd import cores

NEWEST = cores()[-1]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("order"), 61, 8) as made:
        yield made


@pytest.fixture(autouse=True)
def stock(fleet: Fleet) -> None:
    fleet.own = {}
    for name in fleet.names:
        fleet.be(name)


def states(report: dict[str, t.Any]) -> dict[str, str]:
    return {name: entry["state"] for name, entry in report.items()}


def waves(report: dict[str, t.Any]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name, entry in report.items():
        found.setdefault(entry["wave"], []).append(name)
    return found


def order(fleet: Fleet, playbook: str) -> list[str]:
    return t.cast(list[str], json.loads((fleet.reports / f"{playbook}.json").read_text())["order"])


def test_one_host_of_the_kind_whose_kernel_panics_is_lost_and_none_of_another(fleet: Fleet, core: str) -> None:
    """Two kinds and two pools; failures are allowed, so that the gate alone does not save the others of that kind."""
    for number, name in enumerate(fleet.names):
        odd = number % 2 == 1
        fleet.be(name, hardware={"nic_driver": "ixgbe"} if odd else {}, faults={"boot": "fallback"} if odd else {})
        fleet.own[name] = {"toa_domain": f"pool{number % 4}"}
    run, report = fleet.play(core, toa_waves=["100%"], toa_max_failures=2)
    assert run.rc != 0 and states(report) == {
        name: "proved" if number % 2 == 0 else "failed" if name == "web02" else "waiting"
        for number, name in enumerate(fleet.names)
    }, run.output
    assert report["web04"]["code"] == "kind_unproved" and "web02" in report["web04"]["message"], report["web04"]
    assert not any(step == "reboot trigger" for name in ("web04", "web06", "web08") for step in fleet.steps(name))
    told = order(fleet, "rollout")
    assert told[0] == "2 kinds of hosts, 8 hosts in 2 waves" and "wave 1: canaries web01, web02" in told
    assert "wave 2: 6 hosts of 2 kinds in 2 parts" in told and "at most 1 of each of 4 domains out at once" in told
    assert all(line in run.output for line in told)


def test_the_order_is_told_by_a_plan_that_touches_nothing(fleet: Fleet) -> None:
    fleet.be("web03", hardware={"firmware": "uefi"})
    names = fleet.names[:4]
    run, _report = fleet.play(NEWEST, "plan", names=names)
    assert run.rc == 0 and not any(fleet.touched(name) for name in names), run.output
    told = order(fleet, "plan")
    assert told[:3] == [
        "2 kinds of hosts, 4 hosts in 4 waves",
        f"kind: ubuntu 16, kernel_package, {STOCK} -> {TOA}, bios, virtio_blk, virtio_net: 3 hosts, canary web01",
        f"kind: ubuntu 16, kernel_package, {STOCK} -> {TOA}, uefi, virtio_blk, virtio_net: 1 host, canary web03",
    ], told
    assert all(line in run.output for line in told) and not any("goes on" in line for line in told)


def test_a_run_that_was_stopped_goes_on_with_what_was_proved(fleet: Fleet) -> None:
    """The gate says the command; given as it is, it takes what is left, and no canary again."""
    names = fleet.names[:5]
    fleet.be("web02", faults={"boot": "fallback"})
    run, report = fleet.play(NEWEST, names=names, toa_waves=[1, 1, "100%"])
    assert run.rc != 0 and states(report) == {
        "web01": "proved", "web02": "failed", "web03": "waiting", "web04": "waiting", "web05": "waiting",
    }, run.output  # fmt: skip
    words = shlex.split(report["web03"]["remedy"].partition("go on with ")[2])
    assert words[0] == "ansible-playbook" and "realip.toa.rollout" in words, report["web03"]
    fleet.change("web02", faults={})
    run = fleet.controller(NEWEST).command(words)
    report = {entry["host"]: entry for entry in json.loads((fleet.reports / "rollout.json").read_text())["hosts"]}
    assert run.rc == 0 and set(states(report).values()) == {"proved", "converged"}, run.output
    assert "proved by web01" in "\n".join(order(fleet, "rollout"))
    assert waves(report)[1] == ["web02"] and waves(report)[3] == ["web04", "web05"]


def test_one_machine_under_two_names_and_the_way_to_others(fleet: Fleet) -> None:
    fleet.be("web02", machine="web01.json")
    fleet.own["web04"] = {
        "ansible_ssh_extra_args": "-o SendEnv=X",
        "ansible_paramiko_proxy_command": "ssh -W %h:%p web03",
    }
    names = fleet.names[:5]
    run, report = fleet.play(NEWEST, names=names, toa_waves=["100%"])
    assert run.rc != 0 and states(report) == dict.fromkeys(names, "proved") | {"web02": "blocked"}, run.output
    assert report["web02"]["code"] == "same_machine" and "web01" in report["web02"]["message"]
    assert not fleet.touched("web02")
    assert waves(report) == {0: ["web02"], 1: ["web01"], 2: ["web04", "web05"], 3: ["web03"]}


def test_the_controller_itself_is_not_rebooted(fleet: Fleet) -> None:
    own = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    fleet.be("web01", this_boot=own)
    run, report = fleet.play(NEWEST, names=["web01", "web02"])
    assert run.rc != 0 and states(report) == {"web01": "blocked", "web02": "proved"}, run.output
    assert "another machine" in report["web01"]["remedy"] and not fleet.touched("web01")


def test_the_strictest_limit_of_several_counts_and_is_named(fleet: Fleet) -> None:
    """The lab's hosts come first, and may fail as they like; that is not what the others are for."""
    fleet.own["web01"] = {"toa_max_failures": "100%"}
    fleet.be("web01", faults={"boot": "fallback"})
    run, report = fleet.play(NEWEST, names=fleet.names[:3])
    assert run.rc != 0 and states(report) == {"web01": "failed", "web02": "waiting", "web03": "waiting"}, run.output
    assert "toa_max_failures is not the same for all hosts: 0 for web02, web03; 100% for web01" in run.output


def rebooting(fleet: Fleet, name: str) -> str:
    """A file of undrain tasks in which one host boots once more by itself."""
    path = fleet.folder / "reboots.yml"
    change = f'test {{{{ inventory_hostname }}}} != {name} || sed -i \'s/"boot": 2/"boot": 3/\' {fleet.path(name)}'
    path.write_text(json.dumps([{"name": "Operator | reboots", "ansible.builtin.raw": change}]))
    return str(path)


def test_a_host_that_goes_bad_while_its_wave_soaks_is_taken_back(fleet: Fleet, core: str) -> None:
    """It went in an earlier part of the wave than those that look."""
    names = fleet.names[:5]
    hooks = fleet.hooked(undrain=rebooting(fleet, "web02"))
    run, report = fleet.play(core, names=names, toa_waves=[1, 3, 1], toa_max_rebooting=2, toa_soak="1s", **hooks)
    assert run.rc != 0 and states(report) == {
        "web01": "proved", "web02": "failed", "web03": "proved", "web04": "proved", "web05": "waiting",
    }, run.output  # fmt: skip
    assert report["web02"]["code"] == "went_bad" and "rebooted by itself" in report["web02"]["message"], report["web02"]
    assert "it was taken back" in report["web02"]["message"] and report["web02"]["kernel"] == STOCK
    host = fleet.host("web02")
    assert host["kernel"] == STOCK and host["default"] == STOCK and "claim" not in host["state"], host
    assert "went bad" in report["web05"]["message"]


def test_a_host_without_clients_is_taken_back(fleet: Fleet) -> None:
    """Its proof was right, but the real load balancer is another one than the variables say."""
    names = fleet.names[:3]
    fleet.be("web02", faults={"silent": True})
    run, report = fleet.play(NEWEST, names=names, toa_waves=[1], toa_wait_for_traffic="3s")
    assert run.rc != 0 and states(report) == {"web01": "proved", "web02": "failed", "web03": "waiting"}, run.output
    assert "traffic" in fleet.host("web01")["journal"] and fleet.host("web02")["kernel"] == STOCK
    message = report["web02"]["message"]
    assert "in the 3 s since its proof: 2 connections carried an option from a source that is not trusted" in message


def test_tasks_of_the_operator_name_what_went_bad_or_close_the_gate(fleet: Fleet) -> None:
    names = fleet.names[:3]
    tasks = [
        {"name": "Operator | wave", "ansible.builtin.raw": f"echo {{{{ toa_wave_hosts | join(',') }}}} >>{fleet.folder}/asked"},
        {"name": "Operator | names", "ansible.builtin.set_fact": {"toa_wave_bad": "{{ {'web02': 'too many errors'} if 'web02' in toa_wave_hosts else {} }}"}},
    ]  # fmt: skip
    (fleet.folder / "wave.yml").write_text(json.dumps(tasks))
    run, report = fleet.play(NEWEST, names=names, toa_waves=[1], toa_wave_tasks=str(fleet.folder / "wave.yml"))
    assert run.rc != 0 and states(report) == {"web01": "proved", "web02": "failed", "web03": "waiting"}, run.output
    assert "too many errors" in report["web02"]["message"] and fleet.host("web02")["kernel"] == STOCK
    assert (fleet.folder / "asked").read_text().split() == ["web01", "web02"]

    for name in names:
        fleet.be(name)
    (fleet.folder / "wave.yml").write_text(
        '[{"name": "Operator | fails", "ansible.builtin.fail": {"msg": "no metrics"}}]'
    )
    run, report = fleet.play(NEWEST, names=names, toa_waves=[1], toa_wave_tasks=str(fleet.folder / "wave.yml"))
    assert run.rc != 0 and states(report) == {"web01": "proved", "web02": "waiting", "web03": "waiting"}, run.output
    assert "no metrics" in report["web02"]["message"] and fleet.host("web01")["kernel"] == TOA
