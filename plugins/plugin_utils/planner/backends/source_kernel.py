# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel that build_kernel made for this distribution, or that the host compiles for itself."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.realip.toa.plugins.plugin_utils.planner.backend import Left
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.packaged_kernel import PackagedKernel
from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import Case

# Section of the host's record about a kernel that it has compiled for itself.
TREE = "kernel_tree"


class SourceKernel(PackagedKernel):
    """As the operator has it built."""

    name = "source_kernel"
    none_code = "no_built_kernel"
    records = (TREE,)

    def left(self, case: Case) -> Left | None:
        tree = case.facts["state"].get(TREE)
        release = tree.get("release") if isinstance(tree, Mapping) else None
        if not isinstance(release, str) or not release:
            return None
        compiled = {"name": f"kernel {release}", "role": "image", "file": "", "release": release, "format": "tree"}
        return Left(packages=[compiled], is_kernel=True)
