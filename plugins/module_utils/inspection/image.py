# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Into an image: a room without the build host (host/image_room.py), and in it the kernel that the image will boot.

What a program asks of the running kernel is answered for that one, or not at all.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import look as look_at_boot
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import release_of_image
from ansible_collections.realip.toa.plugins.module_utils.host.image_room import Room
from ansible_collections.realip.toa.plugins.module_utils.host.io import list_dir, read_text
from ansible_collections.realip.toa.plugins.module_utils.host.writing import make_dirs
from ansible_collections.realip.toa.plugins.module_utils.host.running import now_in_image

_BPF = ("CONFIG_BPF_SYSCALL", "CONFIG_CGROUP_BPF")
_CONFIG_LIMIT = 1 << 20


def enter(wish):
    """`wish["look"]`: nothing is run. Returns what to call at the end. Whoever came here waits, and this is another process."""
    room = Room(bool(wish.get("look")))
    room.enter()
    release = kernel_of("/")
    now_in_image(release)
    bpf = has_bpf(release)
    if bpf:
        make_dirs("/sys/fs/bpf")
    room.cover(
        {
            "sys/kernel/osrelease": (release + "\n").encode("utf-8"),
            "sys/kernel/random/boot_id": b"",
            "cmdline": b"",
            "modules": b"",
            "version": b"",
            "filesystems": b"nodev\tcgroup2\nnodev\tbpf\n" if bpf else b"",
        }
    )
    return room.leave


def kernel_of(root):
    """The release that an image boots: the boot loader's default, or where it has none yet the newest of its kernels; "" without any."""
    there = sorted(kernels_in(root), key=in_order)
    default = look_at_boot(root)["default"]
    return default if default in there else (there or [""])[-1]


def kernels_in(root):
    """Releases that have an image in /boot and modules."""
    top = root.rstrip("/")
    names = [name for name in list_dir(top + "/boot") if name.startswith(("vmlinuz-", "vmlinux-", "Image-", "kernel-"))]
    return [
        release
        for release in [release_of_image(name) for name in names]
        if release and os.path.isdir("%s/lib/modules/%s" % (top, release))
    ]


def in_order(release):
    """A key by which numbers count as numbers."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.findall(r"[0-9]+|[^0-9.-]+", release)]


def has_bpf(release):
    """Can this kernel have eBPF programs on cgroups? Where its configuration is not there, its version alone decides."""
    for name in ("/boot/config-" + release, "/lib/modules/%s/config" % release):
        text = read_text(name, _CONFIG_LIMIT)
        if text:
            return all("\n%s=y\n" % option in text for option in _BPF)
    return True
