# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds on every host that boots a vendor's kernel, whatever packages and boots it: looked at through plain shell."""

from __future__ import annotations

import pytest

STOCK, TOA = 0, 1
KERNELS = {
    "centos6": ("2.6.32-754.35.1.el6.x86_64", "2.6.32-220.23.1.el6.toa.x86_64"),
    "centos7": ("3.10.0-1160.119.1.el7.x86_64", "3.10.0-693.el7.centos.toa.x86_64"),
    "debian8": ("3.16.0-11-amd64", "3.16.43.toa"),
    "ubuntu1604": ("4.4.0-210-generic", "4.4.87.toa"),
}
ASK = {
    "centos6": "rpm -q --qf installed kernel-{}",
    "centos7": "rpm -q --qf installed kernel-{}",
    "debian8": "dpkg-query -W -f '${{db:Status-Status}}' linux-image-{}",
    "ubuntu1604": "dpkg-query -W -f '${{db:Status-Status}}' linux-image-{}",
}


def test_runs_the_toa_kernel(host, name):
    assert host.check_output("uname -r") == KERNELS[name][TOA]


def test_module_is_loaded_and_counts(host):
    assert "toa" in {line.split()[0] for line in host.file("/proc/modules").content_string.splitlines()}
    assert "syn_recv_sock_toa" in host.file("/proc/net/toa_stats").content_string


@pytest.mark.parametrize("which", [STOCK, TOA], ids=["stock", "toa"])
def test_both_kernels_are_installed(host, name, which):
    assert host.file("/boot/vmlinuz-" + KERNELS[name][which]).exists
    assert host.check_output(ASK[name].format(KERNELS[name][which])) == "installed"


def test_no_trial_is_left(host):
    assert not host.file("/var/lib/realip-toa/guard.sh").exists


@pytest.mark.parametrize("listener", ["inet", "inet6"])
def test_proof(proof, listener):
    assert proof["verdict"] == "translating", proof
    (row,) = [row for row in proof["matrix"] if row["kind"] == "200/8" and row["packet"] == "ack" and (row["listener"], row["family"]) == (listener, 4)]
    shown = "203.0.113.7:4242" if listener == "inet" else "[::ffff:203.0.113.7]:4242"
    assert (row["accept"], row["getpeername"]) == (shown, shown)
