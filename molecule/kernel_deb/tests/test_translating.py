# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator would look at by hand, on each host, through plain shell."""

from __future__ import annotations

import pytest

KERNELS = {"ubuntu1604": ("4.4.0-210-generic", "4.4.87.toa"), "debian8": ("3.16.0-11-amd64", "3.16.43.toa")}


@pytest.fixture
def kernels(host):
    return KERNELS[host.backend.get_pytest_id().rpartition("/")[2]]


def test_runs_the_toa_kernel(host, kernels):
    assert host.run("uname -r").stdout.strip() == kernels[1]


def test_module_is_loaded_and_counts(host):
    assert "toa" in {line.split()[0] for line in host.file("/proc/modules").content_string.splitlines()}
    assert "syn_recv_sock_toa" in host.file("/proc/net/toa_stats").content_string


@pytest.mark.parametrize("which", [0, 1], ids=["stock", "toa"])
def test_both_kernels_are_installed(host, kernels, which):
    assert host.file("/boot/vmlinuz-" + kernels[which]).exists
    assert host.package("linux-image-" + kernels[which]).is_installed


def test_toa_kernel_is_the_default(host, kernels):
    settings = dict(line.split("=", 1) for line in host.check_output("grub-editenv /boot/grub/grubenv list").splitlines())
    assert kernels[1] in settings["saved_entry"]
    # GRUB leaves a spent one-shot entry behind as an empty one.
    assert not settings.get("next_entry")


def test_no_trial_is_left(host):
    assert not host.file("/var/lib/realip-toa/guard.sh").exists
    assert "realip_toa.trial" not in host.file("/boot/grub/grub.cfg").content_string
    assert not host.file("/boot/grub/custom.cfg").exists


def test_module_is_loaded_at_boot_by_something_that_runs(host):
    assert "toa" in host.file("/etc/modules-load.d/realip-toa.conf").content_string
    assert host.run("systemctl is-enabled systemd-modules-load").stdout.strip() == "static"


def test_proof(host):
    probe = host.ansible("realip.toa.toa_probe", "option_kinds=200/8", check=False)["probe"]
    assert probe["verdict"] == "translating", probe
    shown = {
        (row["listener"], row["accept"].rpartition(":")[0].strip("[]") if ":" in row["accept"] else row["accept"])
        for row in probe["matrix"]
        if row["kind"] == "200/8" and row["packet"] == "ack"
    }
    assert {listener for listener, _ in shown} == {"inet", "inet6"}, probe["matrix"]
