# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this kernel came from; the rest is in molecule/shared/kernel_package."""

from __future__ import annotations


def test_it_comes_of_the_operators_catalog(host):
    plan = host.ansible("realip.toa.toa_plan", check=False)["plan"]
    assert (plan["backend"], plan["state"]) == ("source_kernel", "converged"), plan
