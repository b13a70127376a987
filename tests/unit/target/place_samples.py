# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of fake_hosts.py and their kernels, and what find_places() says of them."""

from __future__ import absolute_import, division, print_function

import fake_hosts
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import TOA_MODULES
from ansible_collections.realip.toa.plugins.module_utils.startup.boot_places import find_places
from fake_hosts import CENTOS6, CENTOS7, DEBIAN8, ROCKY9, UBUNTU1604

UBUNTU_KERNEL, EL7_KERNEL, EL6_KERNEL = (
    "4.4.0-210-generic",
    "3.10.0-1160.119.1.el7.x86_64",
    "2.6.32-754.35.1.el6.x86_64",
)
KERNELS = {
    id(UBUNTU1604): UBUNTU_KERNEL,
    id(DEBIAN8): "3.16.0-11-amd64",
    id(CENTOS7): EL7_KERNEL,
    id(CENTOS6): EL6_KERNEL,
    id(ROCKY9): "5.14.0-284.30.1.el9_2.x86_64",
}


def build(folder, host, *layers):
    """The host, whose kernel has the TOA modules that its places name."""
    listed = "".join("updates/%s.ko:\n" % name for name in TOA_MODULES)
    folder_of_kernel = "/lib/modules/" + KERNELS.get(id(host), KERNELS[id(DEBIAN8)])
    made = dict(("%s/updates/%s.ko" % (folder_of_kernel, name), "") for name in TOA_MODULES)
    made[folder_of_kernel + "/modules.dep"] = listed
    return fake_hosts.build(folder, host, made, *layers)


def places(folder, host, **files):
    root = build(folder, host, files.pop("files", files))
    return find_places(root, KERNELS[id(host)])


def only(folder, host, files):
    found = places(folder, host, files=files)
    assert len(found) == 1, found
    return found[0]
