# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What TOA needs of a kernel, and the modules that have to do with it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# sock_ops, sk_storage and the getpeername hooks of eBPF, measured from 5.10 on.
EBPF_KERNEL = (5, 10)

# Where the loader mounts the cgroup v2 hierarchy on a host that has it nowhere: every process is in its root, whatever v1 does.
OWN_CGROUP2 = "/run/realip-toa/cgroup2"

# Modules that serve a TOA module and translate nothing by themselves.
HELPER_MODULES = ("hookers",)
# Where Ubuntu has bpftool, one for each kernel that has its tools; any of them will do.
KERNELS_BPFTOOL = ("/usr/lib/linux-tools/*/bpftool", "/usr/lib/linux-tools-*/bpftool")
