# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that the last release has rolled out: today's collection takes it over without a change, verifies it, and removes all of it.

REALIP_UPGRADE_FROM names another commit than that of the last tag.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from conftest import ROOT, Lab

from lab import disks

# One that needs no reboot, and one with another kernel.
HOSTS = ("debian12", "debian8")
# What the lab's inventory says of how a machine is reached; what else it sets is in the words of today's collection.
CONNECTION = ("ansible_host", "ansible_port", "ansible_user", "ansible_ssh_private_key_file", "ansible_ssh_common_args")
# In the words of every release since 1.0.0.
SETTINGS = ("toa_vendor", "toa_trusted_sources", "toa_package_mirror", "toa_lock_mirror")


def git(*words: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True).stdout


def released() -> str:
    """What to come from: the last tag that today's commit descends from, "" where there is none."""
    if named := os.environ.get("REALIP_UPGRADE_FROM"):
        return named
    return git("tag", "--list", "--merged", "HEAD", "--sort=-version:refname").decode().partition("\n")[0]


class Before(NamedTuple):
    """The release, the machines, and the files that they had at stock."""

    release: str
    lab: Lab
    stock: dict[str, dict[str, str]]
    inventory: Path
    checkout: Path

    def playbook(self, name: str) -> tuple[int, str]:
        """Run a playbook of the release."""
        words = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.inventory), name]
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(self.checkout / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.checkout / "collections"),
        }
        done = subprocess.run(
            words,
            cwd=self.checkout,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=2400,
        )
        print(done.stdout)
        return done.returncode, done.stdout


def in_its_words(lab: Lab, folder: Path) -> Path:
    """An inventory of the machines that a release of any age understands."""
    said = yaml.safe_load(lab.inventory.read_text())["lab"]
    hosts = {
        name: {key: value for key, value in said["hosts"][name].items() if key in (*CONNECTION, *SETTINGS)}
        for name in HOSTS
    }
    variables: dict[str, Any] = {key: value for key, value in said["vars"].items() if key in (*CONNECTION, *SETTINGS)}
    variables.update(toa_lockfile=str(lab.lockfile), toa_report_dir=str(folder / "reports"))
    path = folder / "inventory.yml"
    path.write_text(json.dumps({"lab": {"hosts": hosts, "vars": variables}}))
    return path


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Before:
    release = released()
    if not release:
        pytest.skip("there is no release yet: no tag that this commit descends from")
    folder = tmp_path_factory.mktemp("release")
    with tarfile.open(fileobj=io.BytesIO(git("archive", release))) as archive:
        archive.extractall(folder / "checkout", filter="tar")
    lab = Lab(HOSTS, folder)
    lab.command("up", *HOSTS)
    lab.reset()
    made = Before(release, lab, disks.look_at_all(HOSTS), in_its_words(lab, folder), folder / "checkout")
    for name in ("realip.toa.lock", "rollout.yml"):
        code, output = made.playbook(name)
        assert code == 0, output
    return made


def states(report: dict[str, Any]) -> dict[str, str]:
    return {entry["host"]: entry["state"] for entry in report["hosts"]}


def test_what_the_release_has_made_is_in_order(before: Before) -> None:
    code, report, output = before.lab.playbook("realip.toa.verify")
    assert code == 0, output
    assert states(report) == dict.fromkeys(HOSTS, "converged")
    assert {entry["verdict"] for entry in report["hosts"]} == {"translating"}


def test_a_rollout_takes_the_hosts_over_without_a_reboot(before: Before) -> None:
    """Programs and scripts of today may take the place of those of the release."""
    boots = {host: before.lab.one_line(host, "cat /proc/sys/kernel/random/boot_id") for host in HOSTS}
    code, report, output = before.lab.playbook("rollout.yml", toa_waves=["100%"])
    assert code == 0, output
    assert set(states(report).values()) <= {"converged", "proved"}, report
    assert boots == {host: before.lab.one_line(host, "cat /proc/sys/kernel/random/boot_id") for host in HOSTS}


def test_all_of_it_is_removed(before: Before) -> None:
    code, report, output = before.lab.playbook("realip.toa.remove", toa_waves=["100%"])
    assert code == 0, output
    assert states(report) == dict.fromkeys(HOSTS, "removed")
    now = disks.look_at_all(HOSTS)
    assert {host: disks.differences(before.stock[host], now[host]) for host in HOSTS} == dict.fromkeys(HOSTS, {})
