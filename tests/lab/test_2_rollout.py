# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From stock to translating and back, in the order in which an operator does it. Each test needs the one before."""

from __future__ import annotations

import pytest

KERNELS = {"ubuntu1604": ("4.4.0-210-generic", "4.4.87.toa"), "debian8": ("3.16.0-11-amd64", "3.16.43.toa")}
HOSTS = tuple(KERNELS)

# The documents' own line, as people typed or pasted it, where the distribution never runs it.
LEGACY = {
    "ubuntu1604": "mkdir -p /etc/rc.d && echo 'modprobe toa' >> /etc/rc.d/rc.local",
    "debian8": "printf '#!/bin/sh -e\\nexit 0\\necho “modprobe toa”\\nmodprobe toa\\n' > /etc/rc.local; chmod 644 /etc/rc.local",
}


@pytest.fixture(scope="module")
def before(lab):
    """The hosts from stock, with the documents' persistence pasted in: {host: files}."""
    lab.reset()
    for host in HOSTS:
        lab.ssh(host, LEGACY[host])
    return {host: lab.files(host) for host in HOSTS}


def boot_ids(lab):
    return {host: lab.one_line(host, "cat /proc/sys/kernel/random/boot_id") for host in HOSTS}


def by_host(report):
    return {entry["host"]: entry for entry in report["hosts"]}


def assert_translating(lab, report):
    for host, entry in by_host(report).items():
        stock, toa = KERNELS[host]
        assert entry["verdict"] == "translating", entry
        assert lab.one_line(host, "uname -r") == toa
        assert "toa " in lab.ssh(host, "lsmod")
        assert lab.one_line(host, f"test -e /boot/vmlinuz-{stock} && dpkg-query -W -f '${{Status}}' linux-image-{stock}") == "install ok installed"
        assert int(lab.one_line(host, "awk '/syn_recv_sock_toa/ { for (i = 2; i <= NF; i++) n += $i } END { print n }' /proc/net/toa_stats")) > 0


def test_a_dry_run_changes_nothing(lab, before):
    code, report, output = lab.playbook("rollout.yml", check=True)
    assert code == 0, output
    assert {entry["state"] for entry in report["hosts"]} == {"planned"}
    assert {host: lab.files(host) for host in HOSTS} == before


def test_rollout(lab, before):
    code, report, output = lab.playbook("rollout.yml")
    assert code == 0, output
    assert {entry["state"] for entry in report["hosts"]} == {"proved"}
    assert_translating(lab, report)
    for entry in report["hosts"]:
        shown = {
            row["listener"]: (row["accept"], row["getpeername"]) for row in entry["probe"]["matrix"] if row["kind"] == "200/8" and row["packet"] == "ack"
        }
        assert shown["inet"] == ("203.0.113.7:4242", "203.0.113.7:4242")
        assert shown["inet6"] == ("[::ffff:203.0.113.7]:4242", "[::ffff:203.0.113.7]:4242")


def test_a_second_run_changes_nothing(lab, before):
    boots = boot_ids(lab)
    files = {host: lab.files(host) for host in HOSTS}
    code, report, output = lab.playbook("rollout.yml")
    assert code == 0, output
    assert {entry["state"] for entry in report["hosts"]} == {"converged"}
    assert "changed=0" in output
    assert not any(f"changed={count}" in output for count in range(1, 10))
    assert boot_ids(lab) == boots
    assert {host: lab.files(host) for host in HOSTS} == files


def test_still_translating_after_one_more_reboot(lab, before):
    boots = boot_ids(lab)
    for host in HOSTS:
        lab.command("reboot", host)
    assert all(boot_ids(lab)[host] != boots[host] for host in HOSTS)
    code, report, output = lab.playbook("realip.toa.verify")
    assert code == 0, output
    assert_translating(lab, report)


def test_remove_leaves_nothing(lab, before):
    code, report, output = lab.playbook("realip.toa.remove")
    assert code == 0, output
    assert {entry["state"] for entry in report["hosts"]} == {"removed"}
    for host in HOSTS:
        assert lab.one_line(host, "uname -r") == KERNELS[host][0]
        after = lab.files(host)
        differing = {path: (before[host].get(path), after.get(path)) for path in set(before[host]) | set(after) if before[host].get(path) != after.get(path)}
        assert not differing


def test_removing_twice_changes_nothing(lab, before):
    boots = boot_ids(lab)
    code, report, output = lab.playbook("realip.toa.remove")
    assert code == 0, output
    assert boot_ids(lab) == boots
    assert not any(f"changed={count}" in output for count in range(1, 10))
