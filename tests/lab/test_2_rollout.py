# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian 8 from stock to translating and back, in the order in which an operator does it. Each test needs the one before.

The molecule scenarios have the other hosts of the documents.
"""

from __future__ import annotations

import pytest

from lab import disks

HOST = "debian8"
STOCK, TOA = "3.16.0-11-amd64", "3.16.43.toa"
# The documents' own line as people have pasted it, quotation marks included, where nothing runs it.
PASTED = "printf '#!/bin/sh -e\\nexit 0\\necho “modprobe toa”\\nmodprobe toa\\n' > /etc/rc.local; chmod 644 /etc/rc.local"


@pytest.fixture(scope="module")
def before(lab):
    lab.reset(HOST)
    lab.ssh(HOST, PASTED)
    yield disks.look(HOST)
    # A machine that idles costs those that do not.
    lab.command("down", HOST)


def boot_id(lab):
    return lab.one_line(HOST, "cat /proc/sys/kernel/random/boot_id")


def test_a_dry_run_changes_nothing(lab, before):
    code, report, output = lab.playbook("rollout.yml", HOST, check=True)
    assert code == 0, output
    assert report["hosts"][0]["state"] == "planned"
    assert disks.differences(before, disks.look(HOST)) == {}


def test_rollout(lab, before):
    code, report, output = lab.playbook("rollout.yml", HOST)
    assert code == 0, output
    (entry,) = report["hosts"]
    assert (entry["state"], entry["verdict"], entry["backend"], entry["kernel"]) == ("proved", "translating", "kernel_package", TOA), entry
    shown = {
        row["listener"]: (row["accept"], row["getpeername"])
        for row in entry["probe"]["matrix"]
        if row["kind"] == "200/8" and row["packet"] == "ack" and row["family"] == 4
    }
    assert shown["inet"] == ("203.0.113.7:4242", "203.0.113.7:4242")
    assert shown["inet6"] == ("[::ffff:203.0.113.7]:4242", "[::ffff:203.0.113.7]:4242")
    assert "toa" in {line.split()[0] for line in lab.ssh(HOST, "cat /proc/modules").splitlines()}
    for kernel in (STOCK, TOA):
        lab.ssh(HOST, f"test -e /boot/vmlinuz-{kernel} && dpkg-query -W -f '${{db:Status-Status}}' linux-image-{kernel} | grep -x installed")
    assert int(lab.one_line(HOST, "awk '/syn_recv_sock_toa/ { for (i = 2; i <= NF; i++) n += $i } END { print n }' /proc/net/toa_stats")) > 0


def test_after_one_more_reboot_a_second_run_changes_nothing(lab, before):
    lab.command("reboot", HOST)
    lab.ssh(HOST, "systemctl is-system-running --wait", check=False)
    boot = boot_id(lab)
    lab.ssh(HOST, "touch /run/second")
    code, report, output = lab.playbook("rollout.yml", HOST)
    assert code == 0, output
    (entry,) = report["hosts"]
    assert (entry["state"], entry["verdict"], entry["kernel"]) == ("converged", "translating", TOA), entry
    assert "changed=0" in output
    assert boot_id(lab) == boot
    assert disks.written_since(HOST, "/run/second") == []


def test_remove_leaves_nothing(lab, before):
    code, report, output = lab.playbook("realip.toa.remove", HOST)
    assert code == 0, output
    assert report["hosts"][0]["state"] == "removed"
    assert lab.one_line(HOST, "uname -r") == STOCK
    assert disks.differences(before, disks.look(HOST)) == {}


def test_removing_twice_changes_nothing(lab, before):
    boot = boot_id(lab)
    code, _report, output = lab.playbook("realip.toa.remove", HOST)
    assert code == 0, output
    assert boot_id(lab) == boot
    assert "changed=0" in output
