# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the host is after the rollout that failed, and after the one that did not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


@pytest.fixture
def mended(host):
    return not host.file("/etc/fault").exists


def test_the_kernel_is_the_one_that_works(host, machine, mended, default_kernel):
    kernel = machine.toa_kernel if mended else machine.kernel
    assert host.check_output("uname -r") == kernel
    assert f"({kernel})" in default_kernel


def test_no_trial_is_left(host):
    assert "realip" not in host.file("/boot/grub/grub.conf").content_string
    assert not host.file("/var/lib/realip-toa/watchdog.sh").exists


def test_the_report_says_it(name, machine, mended):
    if mended:
        return
    report = json.loads((Path(os.environ["REALIP_LAB_RUN"]) / "reports" / "rollout.json").read_text())
    (entry,) = report["hosts"]
    assert (entry["host"], entry["state"], entry["code"]) == (name, "failed", "wrong_kernel")
    assert machine.kernel in entry["message"]


def test_proof(host, mended, proof):
    assert proof["verdict"] == ("translating" if mended else "absent")
