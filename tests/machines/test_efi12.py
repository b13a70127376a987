# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""UEFI with Secure Boot: Microsoft's keys, Debian's signed shim, GRUB and kernel, and an owner's key. Each test needs the one before.

eBPF under lockdown; then a kernel that the host trusts, with a module that the owner's key has signed: refused by GRUB once, where its image was
damaged, then through the signed GRUB into its one trial, and back to stock.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from from_source import only

from lab import debian_kernel, disks

TRUSTED = {"toa_trusted_sources": ["10.0.0.0/8", "2001:db8:0:1::/64"], "toa_option_filter": "none"}
EBPF = {**TRUSTED, "toa_backends": ["ebpf"]}
DAMAGED = "/var/tmp/vmlinuz-damaged"


@pytest.fixture(scope="module")
def stock(machine: Any) -> dict[str, Any]:
    return {"files": disks.look(machine.name), "kernel": machine.one_line(machine.name, "uname -r")}


@pytest.fixture(scope="module")
def kernel(machine: Any) -> dict[str, Any]:
    """Variables of a rollout of a kernel that the firmware's keys vouch for."""
    entry = debian_kernel.publish()
    return {
        **TRUSTED,
        "toa_backends": ["kernel_package"],
        "toa_vendor": entry["vendor"],
        "toa_catalog": [entry],
    }


def rebooted(machine: Any, **variables: Any) -> None:
    machine.command("reboot", machine.name)
    machine.ssh(machine.name, "systemctl is-system-running --wait || true")
    code, report, output = machine.playbook("realip.toa.verify", machine.name, **variables)
    assert code == 0, output
    assert only(report)["verdict"] == "translating"


def removed(machine: Any, stock: dict[str, Any], **variables: Any) -> None:
    code, report, output = machine.playbook("realip.toa.remove", machine.name, **variables)
    assert (code, only(report)["state"]) == (0, "removed"), output
    assert disks.differences(stock["files"], disks.look(machine.name)) == {}


def test_secure_boot_is_in_force(machine: Any, stock: dict[str, Any]) -> None:
    said = machine.ssh(machine.name, "mokutil --sb-state; cat /sys/kernel/security/lockdown; cat /proc/keys")
    assert "SecureBoot enabled" in said and "[integrity]" in said and "realip.toa lab" in said
    facts = machine.target(machine.name, "programs.facts")["security"]
    assert facts["secure_boot"] and facts["lockdown"] == "integrity"
    assert any("realip.toa lab" in key for key in facts["trusted_keys"]), facts


def test_ebpf_under_lockdown(machine: Any, stock: dict[str, Any]) -> None:
    code, report, output = machine.playbook("rollout.yml", machine.name, **EBPF)
    assert code == 0, output
    entry = only(report)
    assert (entry["state"], entry["backend"], entry["verdict"]) == ("proved", "ebpf", "translating"), entry
    rebooted(machine, **EBPF)
    removed(machine, stock, **EBPF)


def test_a_kernel_that_nobody_vouches_for_is_blocked(machine: Any, kernel: dict[str, Any]) -> None:
    (entry,) = kernel["toa_catalog"]
    code, report, output = machine.playbook("realip.toa.plan", machine.name, **kernel)
    assert "secure_boot_unsigned" in {reason["code"] for reason in only(report)["reasons"]}, output
    assert "signed_by" in only(report)["remedy"]


@pytest.fixture(scope="module")
def vouched(kernel: dict[str, Any]) -> dict[str, Any]:
    (entry,) = kernel["toa_catalog"]
    return {**kernel, "toa_catalog": [{**entry, "signed_by": "Debian Secure Boot CA"}]}


def test_an_image_that_grub_refuses_ends_in_the_old_kernel(
    machine: Any, stock: dict[str, Any], vouched: dict[str, Any], tmp_path: Path
) -> None:
    image = f"/boot/vmlinuz-{vouched['toa_catalog'][0]['release']}"
    damage = f"cp -p {image} {DAMAGED} && printf X | dd of={image} bs=1 seek=500000 conv=notrunc status=none && sync"
    drain = tmp_path / "drain.yml"
    drain.write_text(
        yaml.safe_dump([{"name": "Damage the image", "ansible.builtin.shell": damage, "changed_when": True}])
    )
    code, report, output = machine.playbook("rollout.yml", machine.name, **vouched, toa_hooks={"drain": str(drain)})
    assert code != 0, output
    entry = only(report)
    assert (entry["code"], machine.one_line(machine.name, "uname -r")) == ("wrong_kernel", stock["kernel"]), entry
    assert "bad shim signature" in machine.command("console", machine.name)
    machine.ssh(machine.name, f"cat {DAMAGED} >{image} && rm {DAMAGED} && sync")


def test_one_trial_through_the_signed_grub(machine: Any, stock: dict[str, Any], vouched: dict[str, Any]) -> None:
    code, report, output = machine.playbook("rollout.yml", machine.name, **vouched)
    assert code == 0, output
    entry = only(report)
    assert (entry["state"], entry["backend"], entry["verdict"]) == ("proved", "kernel_package", "translating"), entry
    assert entry["kernel"] == vouched["toa_catalog"][0]["release"] != stock["kernel"]
    signer = machine.one_line(machine.name, "modinfo -F signer toa")
    assert signer == "realip.toa lab"
    rebooted(machine, **vouched)


def test_remove_leaves_nothing(machine: Any, stock: dict[str, Any], vouched: dict[str, Any]) -> None:
    removed(machine, stock, **vouched)
    assert machine.one_line(machine.name, "uname -r") == stock["kernel"]
