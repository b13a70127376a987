# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every backend there is, in the order in which they are preferred where the operator says nothing."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils.planner.backend import Backend
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.ebpf import Ebpf
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.in_tree import InTree
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.kernel_package import KernelPackage
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.source_kernel import SourceKernel
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.source_module import SourceModule
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.vtoa import Vtoa

_ALL: tuple[Backend, ...] = (
    Vtoa(),
    InTree(),
    Ebpf(),
    KernelPackage(),
    SourceModule(),
    SourceKernel(),
)

REGISTRY = {backend.name: backend for backend in _ALL}
BACKENDS = tuple(REGISTRY)
