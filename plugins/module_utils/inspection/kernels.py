# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernels of a host, the TOA modules of the running one, and what they count."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import release_of_image
from ansible_collections.realip.toa.plugins.module_utils.host.drivers import lacking
from ansible_collections.realip.toa.plugins.module_utils.host.io import list_dir
from ansible_collections.realip.toa.plugins.module_utils.host.module_file import content_of
from ansible_collections.realip.toa.plugins.module_utils.host.signature import (
    secure_boot,
    signers_of_image,
    signers_of_module,
)
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import (
    STATS_FILES,
    is_graphics_ttm,
    loaded_modules,
    parameters,
    parse_counters,
    stats,
    toa_files,
)
from ansible_collections.realip.toa.plugins.module_utils.inspection.security import demands_signatures

_KERNEL_IMAGES = ("vmlinuz-", "vmlinux-", "Image-", "kernel-")


def look_at_kernels(look):
    kernels = []
    for name in list_dir(look.path("/boot")):
        release = release_of_image(name) if name.startswith(_KERNEL_IMAGES) else ""
        if release and os.path.isdir(look.path("/lib/modules/" + release)):
            kernels.append(
                {
                    "release": release,
                    "image": "/boot/" + name,
                    "toa_modules": sorted(_toa_files(look, release)),
                    "package": _package_of(look, release),
                    "lacks": _lacks(look, release),
                    "signers": signers_of_image(look.path("/boot/" + name)) if secure_boot(look.root) else [],
                }
            )
    return kernels


def _lacks(look, release):
    """Drivers of this machine that the kernel has not."""
    if release == look.release:
        return []
    return ["%s (%s)" % pair for pair in lacking(release, look.release, look.root)]


def _toa_files(look, release):
    if release not in look.files:
        look.files[release] = toa_files(release, look.root)
    return look.files[release]


def _package_of(look, release):
    """Name of the .deb that brought a kernel, or None: rpm's database would need rpm to be run."""
    for prefix in ("linux-image-", "linux-image-unsigned-"):
        for suffix in (".list", ":amd64.list", ":arm64.list"):
            if look.exists("/var/lib/dpkg/info/%s%s%s" % (prefix, release, suffix)):
                return prefix + release
    return None


def look_at_loaded(look):
    loaded = loaded_modules(look.root)
    if "ttm" in loaded and is_graphics_ttm(look.root):
        del loaded["ttm"]
    return loaded


def look_at_modules(look):
    files = _toa_files(look, look.release)
    modules = []
    for name in sorted(set(files) | set(look.loaded)):
        entry = look.loaded.get(name, {})
        builtin = files.get(name) == "builtin"
        loaded = builtin or name in look.loaded
        told = stats(name, look.root) if loaded else None
        modules.append(
            {
                "name": name,
                "file": files.get(name, ""),
                "loaded": loaded,
                "live": loaded and (told is not None or STATS_FILES[name] is None),
                "parameters": parameters(name, look.root) if loaded else {},
                "stats": "/proc/net/" + STATS_FILES[name] if told is not None else "",
                "refcount": entry.get("refcount"),
                "state": entry.get("state", ""),
                "signers": _signers(look, files.get(name, "")),
            }
        )
    return modules


def _signers(look, path):
    if path in ("", "builtin") or not demands_signatures(look):
        return []
    return signers_of_module(content_of(look.path(path)))


def sum_of_counters(look, ebpf):
    totals = {}
    for path in sorted(set(module["stats"] for module in look.modules if module["stats"])):
        name = [module["name"] for module in look.modules if module["stats"] == path][0]
        for counter, value in parse_counters(stats(name, look.root)).items():
            totals[counter] = totals.get(counter, 0) + value
    totals.update(("ebpf_" + counter, value) for counter, value in ebpf.pop("counters", {}).items())
    return totals
