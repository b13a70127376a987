# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A vendor's kernel package with TOA in it."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.packaged_kernel import packaged_kernel
from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import Case, Offer


def offer_kernel_package(case: Case) -> Offer:
    return packaged_kernel(case, "kernel_package", "no_module_package")
