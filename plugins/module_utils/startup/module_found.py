# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sees to it that modprobe finds, at boot, the very module that works now.

Vendors have it loaded by its path (`insmod /root/toa.ko`), or put it among the kernel's modules without depmod. A place that names the module
would load nothing then, or another one of the same name.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, read_bytes
from ansible_collections.realip.toa.plugins.module_utils.host.file_image import file_image
from ansible_collections.realip.toa.plugins.module_utils.host.module_file import (
    content_of,
    is_loaded_one,
    kernel_of,
    place_for,
    resolves,
)
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import loaded_modules, under

_LARGEST = 64 << 20


def wanted_module(host):
    """({path: image} of a file to install, whether depmod has to run); TargetError where nobody knows which file the loaded module came from."""
    found, why = resolves(host.module, host.release, host.root)
    if found == "builtin" or (not found and not why):
        return {}, False
    if found and _is_right(host, found) is not False:
        return {}, False
    files = _loaded_by_path(host)
    for path in files:
        if _is_right(host, path) is not False:
            return _installed(host, path)
    raise TargetError(
        "module_not_found_at_boot",
        "%s, and no place that loads it by its file leads to %s"
        % (
            why or "%s is not the file that the loaded %s came from" % (found, host.module),
            "the one that is loaded" if host.module in loaded_modules(host.root) else "a module for this kernel",
        ),
        "copy the module's file below /lib/modules/%s/extra and run `depmod -a`, or have toa_source build it"
        % host.release,
    )


def why_not_found(host):
    """Read anew: "" where modprobe finds the module, and it is the one that is loaded."""
    found, why = resolves(host.module, host.release, host.root)
    if why:
        return why
    if found and found != "builtin" and _is_right(host, found) is False:
        return "modprobe would load %s, which is not the module that is loaded" % found
    return ""


def _is_right(host, path):
    """Is it for this kernel, and the one that is loaded where one is? None where that cannot be said."""
    content = content_of(under(host.root, path))
    kernel = kernel_of(content)
    if content is None or (kernel and kernel != host.release):
        return False
    if host.module not in loaded_modules(host.root):
        return None
    return is_loaded_one(content, host.module, host.root)


def _loaded_by_path(host):
    """Files that effective places load by their path, and those that we have installed before."""
    return [
        place["file"]
        for place in host.places()
        if place["module"] == host.module and place["effective"] and place["file"]
    ]


def _installed(host, path):
    if os.path.realpath(under(host.root, path)).startswith(
        os.path.realpath(under(host.root, "/lib/modules/" + host.release)) + "/"
    ):
        host.notes.append("%s is there, and depmod has not seen it yet: modprobe will find it" % path)
        return {}, True
    target = place_for(path, host.release)
    host.notes.append("%s is loaded by its path: installed as %s, where modprobe finds it" % (path, target))
    return {target: file_image(read_bytes(under(host.root, path), _LARGEST), 0o644)}, True
