# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enterprise Linux 8: entries in /boot/loader/entries, command lines in `kernelopts`, a kernel of several packages, grubby and UPDATEDEFAULT=yes."""

from __future__ import annotations

from typing import Any, ClassVar

from vendor import Way

from lab import disks
from lab.hosts import HOSTS


class TestRocky8(Way):
    match: ClassVar[dict[str, Any]] = {"id": ["rocky"], "major": 8}

    def test_a_trial_that_grub_cannot_load_is_followed_by_the_old_kernel(
        self, machine: Any, before: dict[str, str]
    ) -> None:
        """By `fallback`, in a menu that blscfg has made: the image is cut off within its header once it is armed."""
        toa = HOSTS[machine.name].toa_kernel
        drain = machine.work / "drain.yml"
        drain.write_text(
            f"- name: Spoil the trial\n  ansible.builtin.raw: head -c 700 /lib/modules/{toa}/vmlinuz >/boot/vmlinuz-{toa}; sync\n"
        )
        code, report, output = machine.playbook(
            "rollout.yml", **self.variables(machine), toa_hooks={"drain": str(drain)}
        )
        (entry,) = report["hosts"]
        assert (code != 0, entry["state"], entry["code"]) == (True, "failed", "wrong_kernel"), output
        assert machine.one_line(machine.name, "uname -r") == HOSTS[machine.name].kernel == self.own_tools(machine)
        machine.playbook("realip.toa.remove", **self.variables(machine))
        assert disks.differences(before, disks.look(machine.name)) == {}
