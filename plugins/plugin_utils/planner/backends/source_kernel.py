# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel that build_kernel made for this distribution, or that the host compiles for itself."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.packaged_kernel import PackagedKernel


class SourceKernel(PackagedKernel):
    """As the operator has it built."""

    name = "source_kernel"
    none_code = "no_built_kernel"
    records = ("kernel_tree",)
