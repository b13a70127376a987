# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the quick start, as they stand there, in a home with nothing in it, until the report is in the browser.

The collection comes out of a stand-in for Galaxy that has the artefact of this checkout; the servers are simulated (pretend_host.py). `make quick-start` does
the same from the very first command on, on a Debian that has nothing but an account, with machines of the lab.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from browser import Browser
from pretend_host import FRESH, STOCK, TOA
from sshd import HERE, VENVS, Sshd, cores

from tests.newcomer import galaxy, guide, servers
from tests.newcomer.machine import BorrowedMachine, Typed

PRETENDER = HERE / "pretend_host.py"
ADDRESSES = dict(zip(servers.NAMES, ("127.0.61.1", "127.0.61.2"), strict=True))
STEPS = guide.steps(guide.QUICK_START)
PACKAGE = "linux-image-4.4.87.toa_1.0_amd64.deb"
# Ansible itself is there.
COMMANDS = [step.text for step in STEPS if step.text.startswith("ansible-")]


class Followed(t.NamedTuple):
    """What the quick start said to each command, the home of whoever typed, and what became of the servers at the end."""

    said: dict[str, Typed]
    home: Path
    hosts: dict[str, dict[str, t.Any]]

    def report(self, kind: str) -> dict[str, t.Any]:
        return json.loads((self.home / "reports" / f"{kind}.json").read_text())


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory, mirror: tuple[Path, str]) -> t.Iterator[Followed]:
    folder = tmp_path_factory.mktemp("quick")
    artefact = galaxy.built(galaxy.exported(folder / "checkout", without=("tests/", "lab/")), folder)
    sshd = Sshd(folder / "sshd", {}, list(ADDRESSES.values()), accounts=["ops"])
    with BorrowedMachine(folder, VENVS / cores()[-1]) as machine, galaxy.Galaxy(artefact) as shop, sshd:
        host_key = (folder / "sshd" / "host_key.pub").read_text().strip()
        reached = {name: servers.Server(address, sshd.port, host_key) for name, address in ADDRESSES.items()}
        servers.introduce(machine, reached, (folder / "sshd" / "user_key").read_bytes())
        for name in servers.NAMES:
            (folder / f"{name}.json").write_text("{}")
            machine.write(
                f"host_vars/{name}.json",
                json.dumps({"ansible_python_interpreter": f"{PRETENDER} {folder}/{name}.json"}),
            )
        # Stands for the vendor's server.
        (mirror[0] / PACKAGE).write_text("the bytes of a package")
        machine.write("group_vars/all.json", json.dumps({"toa_package_mirror": mirror[1]}))
        for step in STEPS:
            if step.file:
                machine.write(step.file, step.text)
        said = {typed.command: typed for typed in machine.type(COMMANDS, ANSIBLE_GALAXY_SERVER=shop.url)}
        hosts = {name: json.loads((folder / f"{name}.json").read_text()) for name in servers.NAMES}
        yield Followed(said, machine.home, hosts)


def test_every_command_does_what_the_guide_says(followed: Followed) -> None:
    assert list(followed.said) == COMMANDS
    assert {command: typed.code for command, typed in followed.said.items()} == dict.fromkeys(COMMANDS, 0)
    assert "no SHA-256 is known for" in followed.said["ansible-playbook -i inventory.yml realip.toa.plan"].output
    assert PACKAGE in (followed.home / "toa.lock.yml").read_text()
    told = {kind: followed.report(kind)["summary"] for kind in ("plan", "rollout", "verify", "remove")}
    assert told == {
        "plan": {"blocked": 2},
        "rollout": {"proved": 2},
        "verify": {"converged": 2},
        "remove": {"removed": 2},
    }


def test_the_servers_went_there_and_back(followed: Followed) -> None:
    for host in followed.hosts.values():
        # `asked` is which boot a reboot was last asked for in.
        assert {key: value for key, value in host.items() if key not in ("boot", "journal", "asked")} == {
            key: value for key, value in FRESH.items() if key not in ("boot", "journal")
        }
        assert host["boot"] == FRESH["boot"] + 2, "one reboot there, one back"
        assert (host["kernel"], host["journal"][:2]) == (STOCK, ["detect", "plan"])


def test_the_reports_in_the_browser(followed: Followed) -> None:
    with Browser() as browser:
        browser.show(followed.home / "reports/plan.html")
        assert browser.one("#verdict").text == "0 of 2 hosts in order, nothing would change; 2 blocked."
        assert "no SHA-256 is known for" in browser.one(".group .why").text
        browser.show(followed.home / "reports/rollout.html")
        assert browser.one("#verdict").text == "All 2 hosts translate."
        assert len(browser.all(".wave svg .lane")) == 2
        browser.all(".cell")[0].click()
        assert browser.one("#host-name").text == f"{servers.NAMES[0]}: proved"
        assert TOA in browser.one("#host dl").text
        assert browser.problems() == []
