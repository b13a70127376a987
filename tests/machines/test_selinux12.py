# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SELinux enforcing from boot, Debian's own policy: each backend from stock to translating, through one more reboot, and back to stock.

What a rollout may do says little of what a boot may: the init's children run in another domain. So everything is looked at after a reboot, and
the policy itself says what it denied and which labels are wrong. Each test needs the one before.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from from_source import SOURCE, offer, only

from lab import disks

NETWORKS = ["10.0.0.0/8", "2001:db8:0:1::/64"]
EBPF = {"toa_monitor": True, "toa_trusted_sources": NETWORKS}
MODULE = {**SOURCE, **EBPF}

# Domains, what they were kept from, and what that was labelled.
_DENIAL = re.compile(
    r"denied +\{ ([^}]*) \} for .*?comm=\"?([^\" ]+)\"?.*?scontext=\S+?:\S+?:(\w+)\S* tcontext=\S+?:\S+?:(\w+)\S* tclass=(\w+)"
)
DENIALS = "ausearch -m avc,user_avc,selinux_err,user_selinux_err --format raw </dev/null 2>/dev/null; dmesg"
# What a rollout may write to; all files of a machine would take the policy minutes.
PLACES = "/boot /etc /var/lib /run /usr/local /lib/modules/*/updates /lib/modules/*/extra"


def denied(machine: Any) -> set[str]:
    """All that the policy has denied since the image was made, whatever was told of it."""
    text = machine.ssh(machine.name, DENIALS, check=False)
    return {" ".join(match.groups()) for match in _DENIAL.finditer(text)}


def mislabelled(machine: Any) -> str:
    """Files that the policy would label otherwise, by its own word; what a machine has in memory is not its to say."""
    return str(machine.ssh(machine.name, f"restorecon -nvR $(ls -d {PLACES} 2>/dev/null) 2>&1 || true"))


@pytest.fixture(scope="module")
def stock(machine: Any) -> dict[str, Any]:
    """The machine after a reboot that had nothing of ours: what the policy denies and mislabels by itself, and all files."""
    assert machine.one_line(machine.name, "getenforce; cat /proc/1/attr/current | tr -d '\\0'").split() == [
        "Enforcing",
        "system_u:system_r:init_t:s0",
    ]
    machine.command("reboot", machine.name)
    machine.ssh(machine.name, "systemctl is-system-running --wait || true")
    return {
        "denied": denied(machine),
        "mislabelled": set(mislabelled(machine).splitlines()),
        "files": disks.look(machine.name),
    }


def assert_the_policy_is_content(machine: Any, stock: dict[str, Any]) -> None:
    assert denied(machine) - stock["denied"] == set()
    assert set(mislabelled(machine).splitlines()) - stock["mislabelled"] == set()


def roll_out(machine: Any, **variables: Any) -> dict[str, Any]:
    code, report, output = machine.playbook("rollout.yml", machine.name, **variables)
    assert code == 0, output
    entry = only(report)
    assert (entry["state"], entry["verdict"]) == ("proved", "translating"), entry
    return entry


def reboot_and_verify(machine: Any, **variables: Any) -> None:
    machine.command("reboot", machine.name)
    machine.ssh(machine.name, "systemctl is-system-running --wait || true")
    assert machine.one_line(machine.name, "systemctl list-units --failed --no-legend 'realip*'") == ""
    code, report, output = machine.playbook("realip.toa.verify", machine.name, **variables)
    assert code == 0, output
    assert only(report)["verdict"] == "translating"


def remove(machine: Any, stock: dict[str, Any], **variables: Any) -> None:
    code, report, output = machine.playbook("realip.toa.remove", machine.name, **variables)
    assert (code, only(report)["state"]) == (0, "removed"), output
    assert disks.differences(stock["files"], disks.look(machine.name)) == {}
    assert (
        machine.ssh(machine.name, "find /sys/fs/bpf -name '*realip*'; systemctl list-units --all --no-legend 'realip*'")
        == ""
    )


def test_ebpf(machine: Any, stock: dict[str, Any]) -> None:
    assert roll_out(machine, **EBPF)["backend"] == "ebpf"
    assert_the_policy_is_content(machine, stock)
    machine.ssh(machine.name, "touch /run/second")
    code, report, output = machine.playbook("rollout.yml", machine.name, **EBPF)
    assert (code, only(report)["state"]) == (0, "converged"), output
    assert disks.written_since(machine.name, "/run/second") == []


def test_ebpf_after_a_reboot(machine: Any, stock: dict[str, Any]) -> None:
    reboot_and_verify(machine, **EBPF)
    metrics = "/var/lib/node_exporter/textfile_collector/realip_toa.prom"
    machine.ssh(machine.name, f"rm {metrics}; systemctl start realip-toa-monitor.service; grep -q ' 1$' {metrics}")
    assert_the_policy_is_content(machine, stock)


def test_an_administrator_whom_the_policy_confines(machine: Any, stock: dict[str, Any]) -> None:
    """Programs that a boot attached are the init's, whom a confined administrator may not ask: told by name, with what to do."""
    confined = {
        "ansible_user": "ops",
        "ansible_become": True,
        "ansible_become_flags": "-H -S -n -r sysadm_r -t sysadm_t",
    }
    code, report, output = machine.playbook("realip.toa.plan", machine.name, **EBPF, **confined)
    assert "sysadm_t" in output and "unconfined_t" in output, output


def test_ebpf_leaves_nothing(machine: Any, stock: dict[str, Any]) -> None:
    remove(machine, stock)
    assert_the_policy_is_content(machine, stock)


@pytest.mark.parametrize("method", ["nft", "iptables"])
def test_module_and_filter(machine: Any, stock: dict[str, Any], method: str) -> None:
    """The tools that load the rules run in a domain of their own, which may read none of our files."""
    offer(machine, machine.name, "gcc", "make")
    wanted = {**MODULE, "toa_option_filter": method}
    assert roll_out(machine, **wanted)["backend"] == "source_module"
    reboot_and_verify(machine, **wanted)
    rules = {
        "nft": "nft list tables | grep realip_toa",
        "iptables": "iptables -t mangle -S PREROUTING | grep REALIP-TOA",
    }[method]
    assert machine.ssh(machine.name, rules)
    # A firewall that starts anew takes the rules of everybody away; ours come back with it.
    machine.ssh(machine.name, f"systemctl start nftables && sleep 1; {rules}; systemctl stop nftables; {rules}")
    assert_the_policy_is_content(machine, stock)
    remove(machine, stock)
    assert_the_policy_is_content(machine, stock)
