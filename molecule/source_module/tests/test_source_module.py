# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator would look at by hand, through plain shell."""

from __future__ import annotations


def test_it_was_built_for_the_running_kernel(host):
    release = host.check_output("uname -r")
    assert host.check_output("modinfo -F filename toa").startswith(f"/lib/modules/{release}/updates/")
    assert host.check_output("modinfo -F vermagic toa").split()[0] == release


def test_its_module_is_loaded_and_counts(modules, proof, translated):
    assert "toa" in modules and translated("toa") > 0


def test_it_is_loaded_at_boot_by_something_that_runs(host):
    assert "toa" in host.file("/etc/modules-load.d/realip-toa.conf").content_string


def test_proof(proof):
    assert proof["verdict"] == "translating", proof
