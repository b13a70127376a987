# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be refused while a host is still untouched: the wrong package, no room, the loss of the running kernel."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, list_dir

# What a host without any initramfs to measure by is expected to need for one, in bytes.
INITRAMFS_GUESS = 48 << 20
INITRAMFS_MAKERS = ("usr/sbin/update-initramfs", "usr/bin/dracut", "usr/sbin/dracut", "sbin/dracut", "sbin/mkinitrd")
# Kept free on every file system that is written to (grub.cfg, dpkg's own database), in bytes.
SLACK = 1 << 20
BLOCK = 4096


def preflight(host, items, inventory):
    """Everything that can be refused while the host is still untouched; `items` are in the cache."""
    _refuse_interrupted(host, [item["name"] for item in items], inventory)
    needs = []
    for item in items:
        package = host.manager.describe(host.cached_path(item))
        _refuse_other_package(host, item, package)
        needs.extend(package["files"])
        if item["role"] == "image":
            needs.append(("boot/initramfs", _initramfs_size(host)))
    _refuse_other_modules(host, items)
    if items:
        need_room(host, needs, ", ".join(item["file"] for item in items))
    host.manager.rehearse([host.cached_path(item) for item in items])


def _refuse_interrupted(host, names, inventory):
    """Our own half-done packages are simply done again; those of others are not ours to touch."""
    others = [name for name in host.manager.broken(inventory) if name not in names and name not in host.record()]
    if others:
        raise TargetError(
            "package_tool_interrupted",
            "an earlier installation was interrupted and left half done: %s" % ", ".join(others[:10]),
            "repair it on the host (dpkg --configure -a), then run again",
        )


def _refuse_other_package(host, item, package):
    problems = []
    if package["name"] != item["name"]:
        problems.append("it is the package %s, not %s" % (package["name"], item["name"]))
    if not host.manager.same_version(package["version"], item["version"]):
        problems.append("it is version %s, not %s" % (package["version"], item["version"]))
    if not host.manager.fits(package["arch"]):
        problems.append("it is for %s, and this host is %s" % (package["arch"], host.manager.native_arch()))
    paths = [re.sub(r"^usr/", "", path) for path, _size in package["files"]]
    if item["role"] == "image" and item["release"]:
        if "boot/vmlinuz-" + item["release"] not in paths:
            problems.append("it has no /boot/vmlinuz-%s" % item["release"])
        if not [path for path in paths if path.startswith("lib/modules/%s/" % item["release"])]:
            problems.append("it has no modules for %s" % item["release"])
    if problems:
        raise TargetError(
            "package_mismatch",
            "%s is not what was planned: %s" % (item["file"], "; ".join(problems)),
            "correct the catalog entry or the lock file, or serve the right file",
        )
    _refuse_loss_of_running(host, item, package, paths)


def _refuse_other_modules(host, items):
    """A kernel's drivers may come in packages of their own: those of another release would be no use to it."""
    releases = [item["release"] for item in items if item["role"] == "image" and item["release"]]
    for item in items:
        if item["role"] != "modules" or not releases:
            continue
        paths = [
            re.sub(r"^/?(usr/)?", "", path) for path, _size in host.manager.describe(host.cached_path(item))["files"]
        ]
        if not [path for path in paths for release in releases if path.startswith("lib/modules/%s/" % release)]:
            raise TargetError(
                "package_mismatch",
                "%s is not what was planned: it has no modules for %s" % (item["file"], " or ".join(releases)),
                "serve the modules of the same build as the kernel's",
            )


def _refuse_loss_of_running(host, item, package, paths):
    """dpkg removes without a question what a new package conflicts with and replaces, and overwrites what it brings anew."""
    running = "boot/vmlinuz-" + host.running
    over = [path for path in paths if path == running or path.startswith("lib/modules/%s/" % host.running)]
    if over or set(package["conflicts"]) & set(host.manager.owners("/" + running)):
        raise TargetError(
            "running_kernel",
            "%s would replace the kernel that is running, %s" % (item["file"], host.running),
            "boot another kernel first, then run again",
        )


def _initramfs_size(host):
    """Bytes that the new kernel's initramfs will take: as much as the largest that is there."""
    if not [name for name in INITRAMFS_MAKERS if os.path.exists(host.path(name))]:
        return 0
    sizes = [
        os.path.getsize(host.path("boot/" + name))
        for name in list_dir(host.path("boot"))
        # The rescue image has the drivers of all machines in it, and that of kdump next to none.
        if re.match(r"^init(rd|ramfs)", name) and not re.search(r"rescue|kdump", name)
    ]
    return max(sizes) if sizes else INITRAMFS_GUESS


def need_room(host, needs, what):
    """TargetError where a file system has not the room for `needs`: (path below the root, bytes) each."""
    wanted = {}
    for name, size in needs:
        folder = _existing_folder(host.path(name), host.root)
        device = os.stat(folder).st_dev
        entry = wanted.setdefault(device, {"bytes": SLACK, "files": 0, "folder": folder, "boot": False})
        entry["bytes"] += -(-size // BLOCK) * BLOCK
        entry["files"] += 1
        entry["boot"] = entry["boot"] or name.startswith("boot/")
    for entry in wanted.values():
        _need_room_on(host, entry, what)


def _need_room_on(host, entry, what):
    there = os.statvfs(entry["folder"])
    free = there.f_bavail * there.f_frsize
    if free >= entry["bytes"] and (not there.f_files or there.f_favail >= entry["files"]):
        return
    place = "/boot" if entry["boot"] else os.path.normpath("/" + os.path.relpath(entry["folder"], host.root))
    if free >= entry["bytes"]:
        need, have, unit = entry["files"], there.f_favail, "inodes"
    else:
        need, have, unit = -(-entry["bytes"] // 1024), free // 1024, "KiB"
    raise TargetError(
        "boot_full" if entry["boot"] else "disk_full",
        "%s has %d %s free, and %s needs %d" % (place, have, unit, what, need),
        "remove kernels that are neither running nor the fallback, then run again"
        if entry["boot"]
        else "make room there, then run again",
        need_kib=need,
        free_kib=have,
    )


def _existing_folder(path, root):
    while not os.path.isdir(path):
        parent = os.path.dirname(path)
        if len(parent) < len(root) or parent == path:
            return root
        path = parent
    return path


def refuse_bricking(host, releases):
    if host.running in releases:
        raise TargetError(
            "running_kernel",
            "the kernel %s is running and cannot be removed" % host.running,
            "boot another kernel first (toa_boot state: reverted, then toa_reboot), then run again",
        )
    others = [
        name
        for name in list_dir(host.path("boot"))
        if name.startswith("vmlinuz-") and name[len("vmlinuz-") :] not in releases
    ]
    if releases and not others:
        raise TargetError(
            "last_kernel",
            "no other kernel would be left in /boot",
            "install the distribution's kernel first, then run again",
        )
