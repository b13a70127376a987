# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the documents from stock to translating and back, in the order in which an operator does it. Each test needs the one before.

That all is well after one more reboot is what the molecule scenarios see.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Row:
    """What becomes of a host: its stock kernel, the kernel it translates on, by what, and its command that names a kernel's package."""

    stock: str
    kernel: str
    backend: str
    package: str
    module: str = "toa"
    kind: str = "200/8"
    counter: str = "syn_recv_sock_toa"


DEB = "dpkg-query -W -f '${{db:Status-Status}}' linux-image-{} | grep -x installed"
RPM = "rpm -q kernel-{}"

FLEET = {
    "centos6": Row("2.6.32-754.35.1.el6.x86_64", "2.6.32-220.23.1.el6.toa.x86_64", "kernel_package", RPM),
    "centos7": Row("3.10.0-1160.119.1.el7.x86_64", "3.10.0-693.el7.centos.toa.x86_64", "kernel_package", RPM),
    "ubuntu1604": Row("4.4.0-210-generic", "4.4.87.toa", "kernel_package", DEB),
    "debian8": Row("3.16.0-11-amd64", "3.16.43.toa", "kernel_package", DEB),
    "alinux3": Row("5.10.134-18.al8.x86_64", "5.10.134-18.al8.x86_64", "vtoa", RPM, module="vtoa", kind="254/8"),
}
HOSTS = tuple(FLEET)

# The documents' own line, as people typed or pasted it: where the distribution never runs it, or beside what will do its work.
LEGACY = {
    "centos6": "printf 'modprobe toa\\n' >> /etc/rc.d/rc.local",
    "centos7": "printf 'modprobe toa\\n' >> /etc/rc.d/rc.local",
    "ubuntu1604": "mkdir -p /etc/rc.d && echo 'modprobe toa' >> /etc/rc.d/rc.local",
    "debian8": "printf '#!/bin/sh -e\\nexit 0\\necho “modprobe toa”\\nmodprobe toa\\n' > /etc/rc.local; chmod 644 /etc/rc.local",
}
PACKAGES = "if command -v rpm >/dev/null; then rpm -qa | sort; else dpkg-query -W -f '${Package} ${Version} ${Status}\\n'; fi"


@pytest.fixture(scope="module")
def before(lab):
    """The hosts from stock, with the documents' persistence pasted in: {host: (files, packages)}."""
    lab.reset(*HOSTS)
    for host, script in LEGACY.items():
        lab.ssh(host, script)
    listed = lab.files_of_all()
    yield {host: (listed[host], lab.ssh(host, PACKAGES)) for host in HOSTS}
    # Machines that idle cost those that do not.
    lab.command("down", *HOSTS)


def boot_ids(lab):
    return {host: lab.one_line(host, "cat /proc/sys/kernel/random/boot_id") for host in HOSTS}


def by_host(report):
    return {entry["host"]: entry for entry in report["hosts"]}


def assert_translating(lab, report):
    assert set(by_host(report)) == set(HOSTS)
    for host, entry in by_host(report).items():
        row = FLEET[host]
        assert (entry["verdict"], entry["backend"]) == ("translating", row.backend), entry
        assert lab.one_line(host, "uname -r") == row.kernel
        assert row.module in {line.split()[0] for line in lab.ssh(host, "cat /proc/modules").splitlines()}
        for kernel in (row.stock, row.kernel):
            lab.ssh(host, f"test -e /boot/vmlinuz-{kernel} && {row.package.format(kernel)}")
        stats = f"awk '/{row.counter}/ {{ for (i = 2; i <= NF; i++) n += $i }} END {{ print n }}' /proc/net/{row.module}_stats"
        assert int(lab.one_line(host, stats)) > 0


def test_a_dry_run_changes_nothing(lab, before):
    code, report, output = lab.playbook("rollout.yml", check=True)
    assert code == 0, output
    assert {entry["state"] for entry in report["hosts"]} == {"planned"}
    assert lab.files_of_all() == {host: listed for host, (listed, _packages) in before.items()}


def test_rollout(lab, before):
    code, report, output = lab.playbook("rollout.yml", toa_waves=[1, "100%"])
    assert code == 0, output
    assert {entry["state"] for entry in report["hosts"]} == {"proved"}
    assert_translating(lab, report)
    for entry in report["hosts"]:
        shown = {
            row["listener"]: (row["accept"], row["getpeername"])
            for row in entry["probe"]["matrix"]
            if row["kind"] == FLEET[entry["host"]].kind and row["packet"] == "ack" and row["family"] == 4
        }
        assert shown["inet"] == ("203.0.113.7:4242", "203.0.113.7:4242")
        assert shown["inet6"] == ("[::ffff:203.0.113.7]:4242", "[::ffff:203.0.113.7]:4242")


def test_a_second_run_changes_nothing(lab, before):
    boots = boot_ids(lab)
    for host in HOSTS:
        lab.ssh(host, "touch /run/second")
    code, report, output = lab.playbook("rollout.yml")
    assert code == 0, output
    assert {entry["state"] for entry in report["hosts"]} == {"converged"}
    assert "changed=0" in output
    assert not any(f"changed={count}" in output for count in range(1, 10))
    assert boot_ids(lab) == boots
    assert {host: lab.written_since(host, "/run/second") for host in HOSTS} == {host: [] for host in HOSTS}


def test_remove_leaves_nothing(lab, before):
    code, report, output = lab.playbook("realip.toa.remove")
    assert code == 0, output
    assert {entry["state"] for entry in report["hosts"]} == {"removed"}
    left = lab.files_of_all()
    for host, (listed, packages) in before.items():
        assert lab.one_line(host, "uname -r") == FLEET[host].stock
        after = left[host]
        differing = {path: (listed.get(path), after.get(path)) for path in set(listed) | set(after) if listed.get(path) != after.get(path)}
        assert not differing, host
        assert lab.ssh(host, PACKAGES) == packages


def test_removing_twice_changes_nothing(lab, before):
    boots = boot_ids(lab)
    code, report, output = lab.playbook("realip.toa.remove")
    assert code == 0, output
    assert boot_ids(lab) == boots
    assert not any(f"changed={count}" in output for count in range(1, 10))
