# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A vendor's kernel package with TOA in it."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils.catalog.entries import Entry
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.packaged_kernel import PackagedKernel


class KernelPackage(PackagedKernel):
    """As the vendor publishes it."""

    name = "kernel_package"
    none_code = "no_module_package"

    @classmethod
    def takes(cls, entry: Entry) -> bool:
        return entry.backend in ("", cls.name) and entry.format != "tree"
