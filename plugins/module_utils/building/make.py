# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module built by make alone, and looked at before it is used."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.building.module_host import MODULE_LIMIT
from ansible_collections.realip.toa.plugins.module_utils.building.tree import build_failed
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TargetError,
    list_dir,
    read_bytes,
    run,
    which,
)


def with_make(host, wanted, folder, headers, work):
    """The module, built by make alone, and stripped."""
    jobs = os.sysconf("SC_NPROCESSORS_ONLN")
    words = ["make", "-C", headers, "-j%d" % max(1, jobs), "M=" + folder] + wanted.words
    rc, out, err = run(words, timeout=host.args.get("timeout") or 1800)
    path = os.path.join(folder, wanted.module + ".ko")
    if rc != 0 or not os.path.exists(path):
        said = err + out
        if rc == 0:
            said = "it made %s, and no %s.ko" % (
                ", ".join(name for name in list_dir(folder) if name.endswith(".ko")) or "nothing",
                wanted.module,
            )
        raise build_failed(wanted.module, said, work, timed_out=rc == 124)
    if which("strip"):
        run(["strip", "-g", path])
    return fitting(host, read_bytes(path, MODULE_LIMIT), "the module that was built")


def fitting(host, data, what):
    """A module's bytes, if the running kernel would take them; TargetError otherwise."""
    match = re.search(b"vermagic=([^ \0]+)", data or b"")
    found = match.group(1).decode("ascii", "replace") if match else ""
    if found != host.running:
        raise TargetError(
            "module_wrong_kernel",
            "%s is for kernel %s, and %s is running" % (what, found or "none at all", host.running),
            "see what stands in /lib/modules/%s/build, or clear what toa_build_store holds" % host.running,
        )
    return data
