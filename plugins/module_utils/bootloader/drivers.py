# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses to boot a kernel without the drivers of this machine: in its modules, and for the root disk in its initramfs."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.host.drivers import lacking, modules_of_root
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError

_INITRAMFS = ("/boot/initrd.img-%s", "/boot/initramfs-%s.img", "/boot/initrd-%s")
# Debian's tool and dracut's; what they print names every file in the archive.
_LISTERS = ("lsinitramfs", "lsinitrd")


def need_drivers(machine, release, running):
    """TargetError `kernel_lacks_drivers` with the names."""
    missing = ["%s (%s)" % (name, purpose) for name, purpose in lacking(release, running, machine.root or "/")]
    if missing:
        raise TargetError(
            "kernel_lacks_drivers",
            "kernel %s has no driver for what this host stands on: %s" % (release, ", ".join(missing)),
            "install its modules as well (kernel-modules, linux-modules-extra of the same release), or build it with these drivers",
        )
    left_out = _not_in_initramfs(machine, release)
    if left_out:
        raise TargetError(
            "kernel_lacks_drivers",
            "the initramfs of kernel %s is without what the root file system stands on: %s"
            % (release, ", ".join(left_out)),
            "make it again on the host (`dracut -f --kver %s`, `update-initramfs -u -k %s`), then run again"
            % (release, release),
        )


def _not_in_initramfs(machine, release):
    """Modules that the archive lacks; empty where there is no archive, or nothing on the host can list it."""
    archives = [name % release for name in _INITRAMFS if machine.exists(name % release)]
    lister = machine.command(*_LISTERS)
    wanted = modules_of_root(release, machine.root or "/")
    if not archives or not lister or not wanted:
        return []
    code, listing, _err = machine.run([lister, machine.path(archives[0])], timeout=120)
    # An archive without any module may be one that the tool cannot read.
    if code != 0 or ".ko" not in listing:
        return []
    return [name for name in wanted if not [one for one in (name, name.replace("_", "-")) if "/%s.ko" % one in listing]]
