# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a machine that gets another kernel: from stock to translating, through one more reboot, and back; at each step its power could go."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lab import disks, kernels
from lab.hosts import HOSTS

HERE = Path(__file__).resolve().parent


def catalog(name: str, **match: Any) -> list[dict[str, Any]]:
    """toa_catalog with the machine's TOA kernel, as its owner has built it."""
    release = HOSTS[name].toa_kernel
    assert release
    built = kernels.ensure(release)
    # The package `kernel` of a set has nothing in it.
    roles = {path.name: role for path, role in zip(built.installs, ("", "image", "modules"), strict=False)}
    roles = {file: role for file, role in roles.items() if role} or {built.image.name: "image"}
    return [
        {
            "key": f"own-{name}",
            "vendor": "tencent",
            "match": {"arch": ["x86_64"], **match},
            "release": release,
            "option_kinds": ["200/8"],
            "format": "deb" if built.image.suffix == ".deb" else "rpm",
            "base_url": "http://kernels.example.com",
            "packages": [{"role": role, "file": file} for file, role in roles.items()],
        }
    ]


@contextlib.contextmanager
def power_watched(machine: Any, config: str, *allowed: str) -> Iterator[Path]:
    """Playbooks that run meanwhile write into this file what would boot after each of their tasks; `allowed` boots untried before the confirm."""
    host = HOSTS[machine.name]
    log = machine.work / f"power-{len(list(machine.work.glob('power-*')))}.log"
    given = {"machine": host.name, "stock": host.kernel, "new": host.toa_kernel, "config": config}
    settings = log.with_suffix(".json")
    settings.write_text(json.dumps({**given, "allowed": allowed or (host.kernel,), "log": str(log)}))
    words = {
        "REALIP_POWER": str(settings),
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "power",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in words.items():
            patch.setenv(name, value)
        yield log


def told(log: Path) -> list[dict[str, Any]]:
    """The answers that a watched playbook has left."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def fine(answers: list[dict[str, Any]]) -> None:
    """Whenever the machine was asked, the power could have gone; it was away for its reboot at most."""
    assert [answer for answer in answers if answer.get("problem")] == []
    asked = [answer for answer in answers if "boots" in answer]
    assert len(asked) >= 4, answers


class Way:
    """The tests of a machine, each of which needs the one before. `match` is what its kernel is for."""

    match: ClassVar[dict[str, Any]] = {}
    config = "/boot/grub2/grub.cfg"

    def variables(self, machine: Any) -> dict[str, Any]:
        return {
            "toa_backends": ["kernel_package"],
            "toa_catalog": catalog(machine.name, **self.match),
            "toa_waves": ["100%"],
        }

    @pytest.fixture(scope="class")
    def before(self, machine: Any) -> dict[str, str]:
        code, _report, output = machine.playbook("realip.toa.lock", **self.variables(machine))
        assert code == 0, output
        return disks.look(machine.name)

    def own_tools(self, machine: Any) -> str:
        """The kernel that the distribution's own tool takes for the default."""
        return machine.one_line(machine.name, "grubby --default-kernel").removeprefix("/boot/vmlinuz-")

    def test_stock(self, machine: Any, before: dict[str, str]) -> None:
        assert machine.one_line(machine.name, "uname -r") == HOSTS[machine.name].kernel == self.own_tools(machine)

    def test_rollout(self, machine: Any, before: dict[str, str]) -> None:
        host = HOSTS[machine.name]
        with power_watched(machine, self.config) as log:
            code, report, output = machine.playbook("rollout.yml", **self.variables(machine))
        assert code == 0, output
        (entry,) = report["hosts"]
        assert (entry["state"], entry["verdict"], entry["backend"]) == ("proved", "translating", "kernel_package"), (
            entry
        )
        assert machine.one_line(machine.name, "uname -r") == host.toa_kernel == self.own_tools(machine)
        answers = told(log)
        fine(answers)
        begun = [answer["boots"] for answer in answers if "boots" in answer]
        # From the old kernel over a trial, after which the old one comes again, to the new one.
        for boots in ([host.kernel, host.kernel], [host.toa_kernel, host.kernel], [host.toa_kernel, host.toa_kernel]):
            assert boots in begun
            begun = begun[begun.index(boots) :]

    def test_after_one_more_reboot(self, machine: Any, before: dict[str, str]) -> None:
        machine.command("reboot", machine.name)
        code, report, output = machine.playbook("realip.toa.verify", **self.variables(machine))
        assert (code, report["hosts"][0]["verdict"]) == (0, "translating"), output
        assert machine.one_line(machine.name, "uname -r") == HOSTS[machine.name].toa_kernel

    def test_a_second_run_writes_nothing(self, machine: Any, before: dict[str, str]) -> None:
        machine.ssh(machine.name, "touch /run/second")
        code, report, output = machine.playbook("rollout.yml", **self.variables(machine))
        assert (code, report["hosts"][0]["state"]) == (0, "converged"), output
        assert disks.written_since(machine.name, "/run/second") == []

    def test_remove_leaves_nothing(self, machine: Any, before: dict[str, str]) -> None:
        host = HOSTS[machine.name]
        with power_watched(machine, self.config, host.kernel, str(host.toa_kernel)) as log:
            code, report, output = machine.playbook("realip.toa.remove", **self.variables(machine))
        assert (code, report["hosts"][0]["state"]) == (0, "removed"), output
        fine(told(log))
        assert machine.one_line(machine.name, "uname -r") == host.kernel == self.own_tools(machine)
        assert disks.differences(before, disks.look(machine.name)) == {}
        machine.command("reboot", machine.name)
        assert machine.one_line(machine.name, "uname -r") == host.kernel
