# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is on a host to build a module with, seen without running anything. `root` is "/" on a host, a made-up tree in tests."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible_collections.realip.toa.plugins.module_utils.host.own_folder import BUILDS, runs_programs
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under

COMPILERS = ("gcc", "cc", "clang")
_FOLDERS = ("/usr/bin/", "/usr/sbin/", "/usr/local/bin/")


def build_folder(release):
    """Where a kernel's headers are found by everything that builds modules."""
    return "/lib/modules/%s/build" % release


def has_headers(release, root="/"):
    """Whether headers are there; whose they are is a question for build_tools.require_headers()."""
    return os.path.exists(under(root, build_folder(release) + "/Makefile"))


def look(release, root="/"):
    """{headers, compiler, make, dkms}: whether each is there; noexec: whether nothing can be run where kernels are built."""

    def has(*names):
        return bool([name for name in names for folder in _FOLDERS if os.path.exists(under(root, folder + name))])

    return {
        "headers": has_headers(release, root),
        "compiler": has(*COMPILERS),
        "make": has("make"),
        "dkms": has("dkms"),
        "noexec": not runs_programs(under(root, BUILDS)),
    }
