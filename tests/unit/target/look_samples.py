# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of fake_hosts.py with their kernels, and the look at one of them."""

from __future__ import absolute_import, division, print_function

import fake_hosts
from ansible_collections.realip.toa.plugins.module_utils.programs import facts as inspect_host
from fake_hosts import CENTOS6, CENTOS7, DEBIAN8, ROCKY9, UBUNTU1604

KERNELS = {
    "ubuntu1604": "4.4.0-210-generic",
    "debian8": "3.16.0-11-amd64",
    "centos7": "3.10.0-1160.119.1.el7.x86_64",
    "centos6": "2.6.32-754.35.1.el6.x86_64",
    "rocky9": "5.14.0-284.30.1.el9_2.x86_64",
}
HOSTS = {"ubuntu1604": UBUNTU1604, "debian8": DEBIAN8, "centos7": CENTOS7, "centos6": CENTOS6, "rocky9": ROCKY9}


def look(folder, name, *layers, **options):
    root = fake_hosts.build(folder, HOSTS[name], *layers)
    release = options.get("release", KERNELS[name])
    return inspect_host.main({"check": False, "root": root, "uname": ("Linux", "h", release, "#1 SMP", "x86_64")})


KEYS = set(
    (
        "changed image os_files uname package_manager python init boot kernels modules counters ebpf persistence service security build container "
        "conflicts firewall hardware held ahead drift traffic state unread"
    ).split()
)
