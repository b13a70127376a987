# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the next boot will be: for every installed kernel newer than the running one, whether what translates now would translate there."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import glob

from ansible_collections.realip.toa.plugins.module_utils.bootloader.bls import compare_versions
from ansible_collections.realip.toa.plugins.module_utils.common.kernels import KERNELS_BPFTOOL
from ansible_collections.realip.toa.plugins.module_utils.host.marks import EBPF
from ansible_collections.realip.toa.plugins.module_utils.monitoring.drift import proof_of, translators
from ansible_collections.realip.toa.plugins.module_utils.startup.boot_places import find_places


def look_ahead(look, facts):
    """[{release, detail}] of the kernels that may be booted next, and with which nothing would translate.

    A vendor's TOA kernel is kept by its place as the default and by its hold, which are findings of their own (monitoring/drift.py): newer kernels
    beside it are as they should be. So is a newer kernel where the boot loader is known to take another one.
    """
    now = translators(facts, "live")
    proof = proof_of(look.state)
    if not now or (proof and proof["brings_kernel"]):
        return []
    default = facts["boot"].get("default")
    found = []
    for kernel in facts["kernels"]:
        release = kernel["release"]
        if compare_versions(release, look.release) > 0 and default in (None, "", release):
            whys = [
                _why_not_ebpf(look, facts, release) if name == EBPF else _why_not(look, kernel, name) for name in now
            ]
            if "" not in whys:
                found.append({"release": release, "detail": "; ".join(whys)})
    return found


def _why_not(look, kernel, module):
    """Why a module that is alive now would not be with that kernel; "" where it would."""
    if module not in kernel["toa_modules"]:
        return "it has no module %s" % module
    places = [place for place in find_places(look.root, kernel["release"], look.init) if place["module"] == module]
    if [place for place in places if place["effective"]]:
        return ""
    told = ["%s: %s" % (place["path"], place["reason"]) for place in places]
    return "nothing loads %s at its boot%s" % (module, " (%s)" % "; ".join(told[:3]) if told else "")


def _why_not_ebpf(look, facts, release):
    others = [path for pattern in KERNELS_BPFTOOL for path in glob.glob(look.path(pattern))]
    if not facts["ebpf"].get("bpftool") and not others:
        return "there is no bpftool, with which the eBPF programs are attached at boot"
    places = [place for place in find_places(look.root, release, look.init) if place["module"] == EBPF]
    if look.state.get(EBPF) and not [place for place in places if place["effective"]]:
        return "nothing attaches the eBPF programs at its boot"
    return ""
