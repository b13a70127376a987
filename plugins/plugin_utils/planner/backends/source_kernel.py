# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel that build_kernel made for this distribution."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.packaged_kernel import packaged_kernel
from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import Case, Offer


def offer_source_kernel(case: Case) -> Offer:
    return packaged_kernel(case, "source_kernel", "no_built_kernel")
