# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the kernel about eBPF programs, and what it means where it does not answer."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.bpf.syscalls import BpfError
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.selinux import confinement


def asked(question):
    """A question to the kernel; its refusal becomes a TargetError."""
    try:
        return question()
    except (BpfError, OSError, ImportError) as refusal:
        raise TargetError(
            "ebpf_impossible",
            "the kernel cannot be asked for eBPF programs: %s%s" % (refusal, confinement()),
            "run as root, with a Python that has ctypes, on a kernel with BPF_SYSCALL and CGROUP_BPF",
        )
