# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ubuntu 22.04 as its cloud images have it: bpftool that is the running kernel's alone, and a GRUB that tries kernels without their initramfs."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from vendor import Way

from lab import disks

NEWER = "5.15.0-164-generic"


class TestEbpf:
    """What is attached at boot does not depend on the kernel of the day."""

    @pytest.fixture(scope="class")
    def before(self, machine: Any) -> dict[str, str]:
        return disks.look(machine.name)

    def test_rollout(self, machine: Any, before: dict[str, str]) -> None:
        code, report, output = machine.playbook("rollout.yml", toa_waves=["100%"])
        assert code == 0, output
        (entry,) = report["hosts"]
        assert (entry["state"], entry["verdict"], entry["backend"]) == ("proved", "translating", "ebpf"), entry

    def test_after_a_kernel_update_the_very_next_boot_translates(self, machine: Any, before: dict[str, str]) -> None:
        machine.ssh(
            machine.name,
            f"apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install linux-image-{NEWER} && sync",
        )
        machine.command("reboot", machine.name)
        assert machine.one_line(machine.name, "uname -r") == NEWER
        assert "linux-tools" in machine.ssh(machine.name, "bpftool version 2>&1 || true")
        code, report, output = machine.playbook("realip.toa.verify")
        assert (code, report["hosts"][0]["verdict"]) == (0, "translating"), output
        machine.ssh(machine.name, "touch /run/second")
        code, report, output = machine.playbook("rollout.yml", toa_waves=["100%"])
        assert (code, report["hosts"][0]["state"]) == (0, "converged"), output
        assert disks.written_since(machine.name, "/run/second") == []

    def test_remove_leaves_nothing(self, machine: Any, before: dict[str, str]) -> None:
        code, report, output = machine.playbook("realip.toa.remove")
        assert (code, report["hosts"][0]["state"]) == (0, "removed"), output
        left = disks.differences(before, disks.look(machine.name))
        assert [thing for thing in left if NEWER not in thing and thing not in ("kernel", "/boot/grub/grub.cfg")] == []


class TestKernel(Way):
    match: ClassVar[dict[str, Any]] = {"id": ["ubuntu"], "version": ["22.04"]}
    config = "/boot/grub/grub.cfg"

    @pytest.fixture(scope="class", autouse=True)
    def stock(self, machine: Any) -> None:
        """Whatever the tests before have left."""
        machine.reset(machine.name)

    def own_tools(self, machine: Any) -> str:
        """Nobody but GRUB has a word in it here."""
        return machine.one_line(machine.name, "uname -r")
