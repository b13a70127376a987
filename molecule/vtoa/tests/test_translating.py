# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator would look at by hand, through plain shell."""

from __future__ import annotations

import pytest

V4, V6 = "203.0.113.7:4242", "[2001:db8::7]:4242"


@pytest.fixture(scope="module")
def proof(host):
    """The proof that an operator would run, for the formats of the document."""
    return host.ansible("realip.toa.toa_probe", "option_kinds=254/8,253/20", check=False)["probe"]


def test_the_package_is_installed_and_whole(host):
    assert host.check_output("rpm -q vtoa").startswith("vtoa-")
    assert host.check_output("rpm -V vtoa") == ""


def test_the_service_runs_now_and_at_every_boot(host):
    unit = host.service("vtoa")
    assert unit.is_enabled and unit.is_running
    assert "Loaded: loaded" in host.check_output("systemctl status vtoa --no-pager")


def test_modules_are_loaded_and_count(host, modules, proof, translated):
    assert {"vtoa", "hookers"} <= modules
    assert translated("vtoa") > 0
    assert host.file("/proc/hookers").content_string.count("vtoa") == 4


def test_the_kernel_is_the_distributions_own(host, machine):
    release = host.check_output("uname -r")
    assert release == machine.kernel
    assert host.check_output("rpm -q kernel") == f"kernel-{release}"


def test_nothing_else_loads_it(host):
    assert (
        host.run("grep -rlw vtoa /etc/modules-load.d /etc/sysconfig/modules /etc/rc.d/rc.local /etc/modprobe.d").stdout
        == ""
    )


@pytest.mark.parametrize("kind, listener, shown, asked", [
    ("254/8", "inet", V4, V4), ("254/8", "inet6", "[::ffff:203.0.113.7]:4242", V4), ("253/20", "inet6", V6, V6),
])  # fmt: skip
def test_proof(proof, kind, listener, shown, asked):
    assert proof["verdict"] == "translating", proof
    (row,) = [
        row for row in proof["matrix"] if (row["kind"], row["packet"], row["listener"]) == (kind, "ack", listener)
    ]
    assert (row["accept"], row["getpeername"], row["getsockopt_1348"]) == (shown, shown, asked)
