# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator would look at by hand, on each host, through plain shell."""

from __future__ import annotations

import json
from fnmatch import fnmatch

HOOKS = {"realip_sockops", "realip_peer4", "realip_peer6", "realip_getopt"}


def test_runs_the_distributions_own_kernel_untainted(host, machine):
    release = host.check_output("uname -r")
    assert fnmatch(release, machine.kernel)
    assert host.package("linux-image-" + release).is_installed
    assert host.file("/proc/sys/kernel/tainted").content_string.strip() == "0"


def test_programs_are_attached_to_the_root_of_the_hierarchy(host):
    shown = json.loads(host.check_output("bpftool -j cgroup show /sys/fs/cgroup"))
    assert {program["name"] for program in shown} >= HOOKS


def test_they_are_attached_at_boot_before_ordinary_services(host):
    unit = host.service("realip-toa-ebpf")
    assert unit.is_enabled and unit.is_running
    assert "sysinit.target" in host.check_output("systemctl show -p Before --value realip-toa-ebpf").split()


def test_proof(proof):
    assert proof["verdict"] == "translating", proof
    shown = {
        (row["listener"], row["accept"], row["getpeername"], row["getsockopt_1348"])
        for row in proof["matrix"]
        if row["kind"] == "200/8" and row["packet"] == "ack" and row["family"] == 4
    }
    plain, mapped = "203.0.113.7:4242", "[::ffff:203.0.113.7]:4242"
    assert shown == {("inet", plain, plain, plain), ("inet6", mapped, mapped, plain)}
