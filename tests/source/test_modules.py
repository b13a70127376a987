# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""source_module with DKMS on Debian 11, 12 and 13 as they come, through a kernel update by apt. Each test needs the one before.

The molecule scenario source_module is the same without DKMS; test_build_once.py has a twin.
"""

from __future__ import annotations

import pytest
from from_source import SOURCE, offer, only, update_kernel

from lab import disks


@pytest.fixture(scope="module", params=["debian12", "debian11", "debian13"])
def host(lab, request):
    """A stock machine whose apt has what a build needs; gone when the next one comes."""
    lab.command("up", request.param)
    lab.reset(request.param)
    offer(lab, request.param, "dkms", "gcc", "make")
    yield request.param
    lab.command("down", request.param)


def test_rollout(lab, host):
    boot = lab.one_line(host, "cat /proc/sys/kernel/random/boot_id")
    code, report, output = lab.playbook("rollout.yml", host, **SOURCE)
    assert code == 0, output
    entry = only(report)
    assert (entry["state"], entry["backend"], entry["verdict"]) == ("proved", "source_module", "translating"), entry
    assert ": installed" in lab.ssh(host, "dkms status")
    assert lab.one_line(host, "cat /proc/sys/kernel/random/boot_id") == boot

    lab.ssh(host, "touch /run/second")
    code, report, output = lab.playbook("rollout.yml", host, **SOURCE)
    assert (code, only(report)["state"]) == (0, "converged"), output
    assert disks.written_since(host, "/run/second") == []


def test_after_a_kernel_update_it_still_translates(lab, host):
    offer(lab, host, update=True)
    release = update_kernel(lab, host)
    code, report, output = lab.playbook("realip.toa.verify", host, **SOURCE)
    assert code == 0, output
    entry = only(report)
    assert (entry["kernel"], entry["verdict"]) == (release, "translating"), entry
    code, report, output = lab.playbook("rollout.yml", host, **SOURCE)
    assert (code, only(report)["state"]) == (0, "converged"), output


def test_remove_leaves_nothing(lab, host):
    code, report, output = lab.playbook("realip.toa.remove", host, **SOURCE)
    assert (code, only(report)["state"]) == (0, "removed"), output
    assert lab.ssh(host, "find / -xdev -name '*realip*' -not -path '/proc/*' -o -xdev -name 'toa.ko*'") == ""
    # What apt's own update has brought beside the new kernel is apt's (autoremove); nothing asks for it any more.
    assert (
        lab.ssh(
            host,
            "command -v dkms gcc make; apt-mark showmanual | grep ^linux-headers; ls -d /lib/modules/*/build/Makefile",
            check=False,
        )
        == ""
    )
    assert lab.ssh(host, "grep -c ^toa /proc/modules", check=False).strip() == "0"
