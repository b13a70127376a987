# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""source_module on a Debian as it comes: built on one host, taken by its twin without a compiler, and what a kernel update leaves without DKMS.

Each test needs the one before.
"""

from __future__ import annotations

import pytest
from from_source import SOURCE, offer, only, update_kernel

from lab import disks

HOST = "debian11"
TOOLS = "gcc make cc"


@pytest.fixture(scope="module")
def once(lab, tmp_path_factory):
    """Variables of a fleet that builds once, on a machine that goes when the last test is done."""
    lab.command("up", HOST)
    yield {
        **SOURCE,
        "toa_builder": HOST,
        "toa_build_store": str(tmp_path_factory.mktemp("store")),
    }


def test_one_builds(lab, once):
    lab.reset(HOST)
    offer(lab, HOST, "gcc", "make")
    boot = lab.one_line(HOST, "cat /proc/sys/kernel/random/boot_id")
    code, report, output = lab.playbook("rollout.yml", HOST, **once)
    assert code == 0, output
    entry = only(report)
    assert (entry["state"], entry["backend"], entry["verdict"]) == ("proved", "source_module", "translating"), entry
    assert lab.one_line(HOST, "cat /proc/sys/kernel/random/boot_id") == boot


def test_its_twin_takes_the_module_and_needs_no_compiler(lab, once):
    """The same machine from stock: the same kernel to the last word, and nothing of what was installed for the build."""
    lab.reset(HOST)
    assert lab.ssh(HOST, f"command -v {TOOLS}; ls -d /lib/modules/*/build", check=False) == ""
    code, report, output = lab.playbook("rollout.yml", HOST, **once)
    assert code == 0, output
    entry = only(report)
    assert (entry["state"], entry["backend"], entry["verdict"]) == ("proved", "source_module", "translating"), entry
    assert lab.ssh(HOST, f"command -v {TOOLS}; ls -d /lib/modules/*/build", check=False) == ""

    lab.ssh(HOST, "touch /run/second")
    code, report, output = lab.playbook("rollout.yml", HOST, **once)
    assert (code, only(report)["state"]) == (0, "converged"), output
    assert disks.written_since(HOST, "/run/second") == []


def test_after_a_kernel_update_without_dkms_verify_says_what_is_missing(lab, once):
    offer(lab, HOST, update=True, headers=False)
    release = update_kernel(lab, HOST)
    code, report, output = lab.playbook("realip.toa.verify", HOST, **once)
    assert code != 0, output
    said = [reason["message"] for reason in only(report)["reasons"] if reason["code"] == "not_built_for_kernel"]
    wanted = (f"toa.ko in /lib/modules/{release}", f"linux-headers-{release}", "a compiler and make")
    assert len(said) == 1 and [word for word in wanted if word not in said[0]] == [], said
