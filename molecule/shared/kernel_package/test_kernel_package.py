# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds on every host that boots a vendor's kernel, whatever packages and boots it: looked at through plain shell."""

from __future__ import annotations

import pytest

ASK = {"rpm": "rpm -q --qf installed kernel-{}", "dpkg": "dpkg-query -W -f '${{db:Status-Status}}' linux-image-{}"}


def test_runs_the_toa_kernel_by_default(host, machine, default_kernel):
    assert host.check_output("uname -r") == machine.toa_kernel
    assert machine.toa_kernel in default_kernel


def test_module_is_loaded_and_counts(modules, proof, translated):
    assert "toa" in modules
    assert translated("toa") > 0


def test_both_kernels_are_installed(host, machine):
    for kernel in (machine.kernel, machine.toa_kernel):
        assert host.file("/boot/vmlinuz-" + kernel).exists
        assert host.check_output(ASK[machine.packages].format(kernel)) == "installed"


def test_no_trial_is_left(host):
    assert not host.file("/var/lib/realip-toa/watchdog.sh").exists


@pytest.mark.parametrize("listener", ["inet", "inet6"])
def test_proof(proof, listener):
    assert proof["verdict"] == "translating", proof
    (row,) = [
        row
        for row in proof["matrix"]
        if row["kind"] == "200/8" and row["packet"] == "ack" and (row["listener"], row["family"]) == (listener, 4)
    ]
    shown = "203.0.113.7:4242" if listener == "inet" else "[::ffff:203.0.113.7]:4242"
    assert (row["accept"], row["getpeername"]) == (shown, shown)
