# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make quick-start`: the quick start, literally, on a Debian with nothing on it, for two machines of the lab; and the same without the internet.

web1 is Debian 12, which needs no reboot; web2 is dressed as Debian 8, whose kernel comes from the vendor. Their names, addresses and keys are all that the
newcomer's machine knows of the lab, and that a mirror stands for the vendors' servers.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from browser import Browser

from lab import machines, mirror, qemu, ssh
from tests.newcomer import galaxy, guide, servers
from tests.newcomer.machine import CleanMachine, Typed

LAB = dict(zip(servers.NAMES, ("debian12", "debian8"), strict=True))
STEPS = guide.steps(guide.QUICK_START)
COMMANDS = [step.text for step in STEPS if not step.file]
OFFLINE = [
    step.text
    for step in guide.steps(guide.QUICK_START.with_name("air-gapped.md"))
    if not step.text.startswith("ansible-playbook") and not step.file
]
NOBODY = "http://127.0.0.1:9"


class Newcomer(t.NamedTuple):
    """The machine, what it is told of the network, and what the quick start said to each command."""

    machine: CleanMachine
    galaxy: str
    said: dict[str, Typed]

    def report(self, kind: str) -> dict[str, dict[str, t.Any]]:
        made = json.loads((self.machine.home / "reports" / f"{kind}.json").read_text())
        return {entry["host"]: entry for entry in made["hosts"]}


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Newcomer]:
    folder = tmp_path_factory.mktemp("newcomer")
    checkout = galaxy.exported(folder / "checkout")
    artefact = galaxy.built(checkout, folder)
    names = list(LAB.values())
    machines.up(names)
    machines.reset(names)
    port = machines.start_mirror()
    try:
        with CleanMachine(folder) as machine, galaxy.Galaxy(artefact) as shop:
            ports = machines.running()
            reached = {
                name: servers.Server("127.0.0.1", ports[host], ssh.public(ssh.host_key(host)))
                for name, host in LAB.items()
            }
            servers.introduce(machine, reached, ssh.login_key().read_bytes())
            told = {
                "toa_package_mirror": f"http://{qemu.MIRROR_ADDRESS}",
                "toa_lock_mirror": f"http://127.0.0.1:{port}",
            }
            machine.write("group_vars/all.json", json.dumps(told))
            for step in STEPS:
                if step.file:
                    machine.write(step.file, step.text)
            checkout.rename(machine.home / "checkout")
            machine.own()
            said = {
                typed.command: typed
                for typed in machine.type(COMMANDS, time_limit=3000, ANSIBLE_GALAXY_SERVER=shop.url)
            }
            yield Newcomer(machine, shop.url, said)
    finally:
        mirror.stop()
        machines.down(names)


def test_every_command_does_what_the_guide_says(newcomer: Newcomer) -> None:
    assert list(newcomer.said) == COMMANDS
    assert {command: typed.code for command, typed in newcomer.said.items()} == dict.fromkeys(COMMANDS, 0)
    told = {
        kind: {host: entry["state"] for host, entry in newcomer.report(kind).items()}
        for kind in ("plan", "rollout", "verify", "remove")
    }
    web1, web2 = servers.NAMES
    assert told == {
        "plan": {web1: "pending", web2: "blocked"}, "rollout": {web1: "proved", web2: "proved"},
        "verify": {web1: "converged", web2: "converged"}, "remove": {web1: "removed", web2: "removed"},
    }  # fmt: skip
    assert {host: (entry["verdict"], entry["backend"]) for host, entry in newcomer.report("verify").items()} == {
        web1: ("translating", "ebpf"), web2: ("translating", "kernel_package"),
    }  # fmt: skip


def test_the_reports_in_the_browser(newcomer: Newcomer) -> None:
    reports: Path = newcomer.machine.home / "reports"
    with Browser() as browser:
        browser.show(reports / "plan.html")
        assert browser.one("#verdict").text == "1 host of 2 needs attention"
        browser.show(reports / "rollout.html")
        assert browser.one("#verdict").text == "All 2 hosts: proved"
        assert len(browser.all(".wave svg .lane")) == 2 and len(browser.all(".wave svg .reboot")) == 1
        browser.all(".cell")[0].click()
        assert browser.one("#host-name").text == f"{servers.NAMES[0]}: proved"
        assert len(browser.all("#matrix tbody tr")) > 3
        assert browser.problems() == []


def test_from_a_checkout_nothing_is_installed(newcomer: Newcomer) -> None:
    """And what the rollout has left behind is gone, so that it would be the same again."""
    commands = [
        "rm -rf .ansible reports",
        ". toa/bin/activate",
        "cd checkout",
        "ansible-playbook -i ../inventory.yml rollout.yml --check",
    ]
    assert [typed.code for typed in newcomer.machine.type(commands)] == [0] * len(commands)
    made = json.loads((newcomer.machine.home / "checkout/reports/rollout.json").read_text())
    assert [entry["state"] for entry in made["hosts"]] == ["planned", "planned"]


def test_without_the_internet(newcomer: Newcomer) -> None:
    """What the guide downloads is enough over there, where no index and no Galaxy answers."""
    fetch, install = OFFLINE[:2], OFFLINE[2:]
    there = [
        "deactivate; rm -rf .ansible toa",
        "python3 -m venv there && . there/bin/activate",
        f"export ANSIBLE_GALAXY_SERVER={NOBODY} https_proxy={NOBODY}",
    ]
    use = ["ansible-doc -t module realip.toa.toa_plan", "ansible-playbook -i inventory.yml realip.toa.plan"]
    commands = [". toa/bin/activate", *fetch, *there, *install, *use]
    typed = newcomer.machine.type(commands, ANSIBLE_GALAXY_SERVER=newcomer.galaxy)
    assert [one.command for one in typed] == commands
    assert [one.code for one in typed] == [0] * len(commands)
