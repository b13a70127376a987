# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/boot where GRUB reads and never writes: another kernel is refused, and with the operator's consent rolled out for good. Each test needs the one before."""

from __future__ import annotations

from typing import Any

import pytest
from from_source import only

from lab import debian_kernel, disks

TRUSTED = {"toa_trusted_sources": ["10.0.0.0/8", "2001:db8:0:1::/64"], "toa_option_filter": "none"}


@pytest.fixture(scope="module")
def stock(machine: Any) -> dict[str, Any]:
    return {"files": disks.look(machine.name), "kernel": machine.one_line(machine.name, "uname -r")}


@pytest.fixture(scope="module")
def kernel(machine: Any) -> dict[str, Any]:
    entry = debian_kernel.publish()
    return {
        **TRUSTED,
        "toa_backends": ["kernel_package"],
        "toa_vendor": entry["vendor"],
        "toa_catalog": [entry],
    }


def test_blocked_with_the_reason(machine: Any, stock: dict[str, Any], kernel: dict[str, Any], why: str) -> None:
    code, report, output = machine.playbook("rollout.yml", machine.name, **kernel)
    assert code != 0, output
    entry = only(report)
    assert (entry["state"], entry["code"]) == ("blocked", "no_fallback"), entry
    assert why in output and "toa_accept" in entry["remedy"] and "no_fallback" in entry["remedy"], entry
    assert disks.differences(stock["files"], disks.look(machine.name)) == {}


def test_rolled_out_with_consent(machine: Any, stock: dict[str, Any], kernel: dict[str, Any]) -> None:
    wanted = {**kernel, "toa_accept": ["no_fallback"]}
    code, report, output = machine.playbook("rollout.yml", machine.name, **wanted)
    assert code == 0, output
    entry = only(report)
    assert (entry["state"], entry["backend"], entry["verdict"]) == ("proved", "kernel_package", "translating"), entry
    assert machine.one_line(machine.name, "uname -r") == kernel["toa_catalog"][0]["release"] != stock["kernel"]
    # Nothing is armed that GRUB could never take back.
    assert "next_entry" not in machine.ssh(machine.name, "grub-editenv list")
    machine.command("reboot", machine.name)
    code, report, output = machine.playbook("realip.toa.verify", machine.name, **wanted)
    assert (code, only(report)["verdict"]) == (0, "translating"), output


def test_remove_leaves_nothing(machine: Any, stock: dict[str, Any], kernel: dict[str, Any]) -> None:
    wanted = {**kernel, "toa_accept": ["no_fallback"]}
    code, report, output = machine.playbook("realip.toa.remove", machine.name, **wanted)
    assert (code, only(report)["state"]) == (0, "removed"), output
    assert machine.one_line(machine.name, "uname -r") == stock["kernel"]
    assert disks.differences(stock["files"], disks.look(machine.name)) == {}
