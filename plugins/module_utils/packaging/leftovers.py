# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no package manager takes away: files that tools made for a kernel, and what a killed installation has unpacked."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import shutil

from ansible_collections.realip.toa.plugins.module_utils.host.io import list_dir
from ansible_collections.realip.toa.plugins.module_utils.host.writing import remove_file
from ansible_collections.realip.toa.plugins.module_utils.packaging.wanted import RELEASE

# depmod(8) makes these in /lib/modules/RELEASE after the package is unpacked, so no package owns them.
DEPMOD_FILES = re.compile(
    r"^modules\.(dep|alias|symbols|builtin|softdep|devname|weakdep|builtin\.alias|builtin\.modinfo|order)(\.bin)?$"
)


def take_back(host, items, inventory):
    """Remove what was not there before; returns the names that would not go."""
    fresh = [item for item in items if item["name"] not in inventory]
    now = host.manager.inventory()
    names = [item["name"] for item in fresh if item["name"] in now]
    if names:
        host.manager.remove(names)
    host.manager.forget([item["name"] for item in fresh if item["name"] not in names])
    for item in fresh:
        sweep_release(host, item["release"])
    now = host.manager.inventory()
    return [name for name in names if name in now]


def releases_of(host, names, from_repository):
    """Kernel releases whose image or modules belong to these packages; one from a repository may add modules to the running kernel."""
    owner = (
        r"^(?:/usr)?/boot/vmlinuz-([^/]+)$" if from_repository else r"^(?:/usr)?/(?:boot/vmlinuz-|lib/modules/)([^/]+)$"
    )
    found = set()
    for name in names:
        for path in host.manager.files_of(name):
            owned = re.match(owner, path)
            if owned:
                found.add(owned.group(1))
    return sorted(found)


def sweep_unowned(host, entry):
    """What an rpm that was killed had unpacked: it enters a package in its database only at the end."""
    release = entry.get("release") or ""
    places = ["/boot/vmlinuz-" + release, "/lib/modules/" + release]
    if (
        not RELEASE.match(release)
        or release == host.running
        or [place for place in places if host.manager.owners(place)]
    ):
        return
    left = re.compile(r"^\.?(vmlinuz|System\.map|config|symvers)-%s(\.hmac|\.gz)?(;[0-9a-f]+)?$" % re.escape(release))
    for name in list_dir(host.path("boot")):
        if left.match(name):
            remove_file(host.path("boot/" + name))
    shutil.rmtree(host.path("lib/modules/" + release), True)
    sweep_release(host, release)


def sweep_release(host, release):
    """What tools made for a kernel that is gone, and no package owns: initramfs, depmod's files, empty folders."""
    if not release or release == host.running or os.path.exists(host.path("boot/vmlinuz-" + release)):
        return
    for name in list_dir(host.path("boot")):
        if re.match(
            r"^init(rd\.img|rd|ramfs)-%s(kdump)?(\.img)?(\.(old|bak|new|dpkg-bak|old-dkms))?$" % re.escape(release),
            name,
        ):
            remove_file(host.path("boot/" + name))
    remove_file(host.path("var/lib/initramfs-tools/" + release))
    modules = host.path("lib/modules/" + release)
    for name in list_dir(modules):
        if DEPMOD_FILES.match(name):
            remove_file(os.path.join(modules, name))
    for folder, _folders, _files in os.walk(modules, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            pass
