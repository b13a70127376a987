# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel has to know of this machine to come up on it: firmware, the driver of the root disk, the driver of the network.

Files are read, no command is run. `root` is the directory that holds the file system to look at: "/" on a host, a made-up tree in tests.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import hashlib
import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import list_dir, read_line, read_text
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under

# Disks of SCSI are all driven by these two; what decides is the driver of the controller that they hang on.
_UPPER_DRIVERS = ("sd", "sr")
# A disk or network device may stand on others (LVM, RAID, bonds, bridges), which may stand on others again.
_DEEPEST = 8
_MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id", "/sys/class/dmi/id/product_uuid")
# Taint flag D: the kernel has died in an oops (Documentation/admin-guide/tainted-kernels.rst).
_TAINT_DIED = 128


def look_at_hardware(root="/"):
    """`hardware` of the facts: `firmware, root_driver, nic_driver, machine`; what cannot be found out is ""."""
    return {
        "firmware": "uefi" if os.path.isdir(under(root, "/sys/firmware/efi")) else "bios",
        "root_driver": root_driver(root),
        "nic_driver": nic_driver(root),
        "machine": machine(root),
    }


def oopses(root="/"):
    """How often this kernel has had an oops since it was booted; before Linux 6.2 only whether it has."""
    count = read_line(under(root, "/sys/kernel/oops_count")) or ""
    if re.match(r"[0-9]{1,9}$", count):
        return int(count)
    taint = read_line(under(root, "/proc/sys/kernel/tainted")) or ""
    return 1 if re.match(r"[0-9]{1,18}$", taint) and int(taint) & _TAINT_DIED else 0


def machine(root="/"):
    """The same for the same machine, whatever its name is. The machine's id itself is not told to others (machine-id(5))."""
    for path in _MACHINE_IDS:
        text = (read_line(under(root, path)) or "").strip().lower()
        if re.match(r"[0-9a-f-]{32,36}$", text):
            return hashlib.sha256(("realip.toa " + text).encode("ascii")).hexdigest()[:16]
    return ""


# ---- the root disk


def root_driver(root="/"):
    """As in `virtio_blk`, or `dm+virtio_blk` where something stands between; for what is on no disk, the type of the file system."""
    device, filesystem, source = _root_mount(root)
    for folder in ("/sys/dev/block/" + device, "/sys/class/block/" + _device_name(root, source)):
        if os.path.isdir(under(root, folder)):
            return _joined(_disk_drivers(root, os.path.realpath(under(root, folder)), 0))
    return filesystem


def _root_mount(root):
    """(`major:minor`, file system, source) of what is mounted on / last; early boot leaves others below it."""
    found = ("", "", "")
    for line in (read_text(under(root, "/proc/self/mountinfo"), 1 << 20) or "").split("\n"):
        fields, _dash, rest = line.partition(" - ")
        words, more = fields.split(" "), rest.split(" ")
        if len(words) > 4 and words[4] == "/" and len(more) > 1 and more[0] != "rootfs":
            found = (words[2], more[0], more[1])
    return found


def _device_name(root, source):
    """`/dev/mapper/vg-root` -> `dm-0`: the links lead to the kernel's own name."""
    return os.path.basename(os.path.realpath(under(root, source))) if source.startswith("/dev/") else ""


def _disk_drivers(root, folder, depth):
    below = list_dir(folder + "/slaves")
    if below and depth < _DEEPEST:
        # dm-0 -> dm, md127 -> md
        kind = re.match(r"[a-z]*", os.path.basename(folder)).group(0)
        found = [kind]
        for name in below:
            found.extend(_disk_drivers(root, os.path.realpath(under(root, "/sys/class/block/" + name)), depth + 1))
        return found
    top = os.path.realpath(under(root, "/sys"))
    while folder.startswith(top + "/"):
        driver = _link_name(folder + "/driver")
        if driver and driver not in _UPPER_DRIVERS:
            return [driver]
        folder = os.path.dirname(folder)
    return []


# ---- the network


def nic_driver(root="/"):
    """The driver of the interface with the default route, as in `virtio_net`, or `bond+ixgbe`."""
    interface = _default_interface(root)
    return _joined(_nic_drivers(root, interface, 0)) if interface else ""


def _default_interface(root):
    routes = []
    for line in (read_text(under(root, "/proc/net/route"), 1 << 20) or "").split("\n")[1:]:
        words = line.split()
        if len(words) > 7 and words[1] == "00000000" and words[7] == "00000000" and words[6].isdigit():
            routes.append((int(words[6]), words[0]))
    if not routes:
        for line in (read_text(under(root, "/proc/net/ipv6_route"), 1 << 20) or "").split("\n"):
            words = line.split()
            if len(words) > 9 and words[0] == "0" * 32 and words[1] == "00" and words[9] != "lo":
                routes.append((int(words[5], 16), words[9]))
    return min(routes)[1] if routes else ""


def _nic_drivers(root, interface, depth):
    if "/" in interface or interface in ("", ".", ".."):
        return []
    folder = under(root, "/sys/class/net/" + interface)
    driver = _link_name(folder + "/device/driver")
    if driver or depth >= _DEEPEST:
        return [driver] if driver else []
    found = re.findall(r"(?m)^DEVTYPE=([a-z0-9_]{1,20})$", read_text(folder + "/uevent", 4096) or "")
    below = [name[len("lower_") :] for name in list_dir(folder) if name.startswith("lower_")]
    # Kernels before 3.15 have no such links.
    below = below or (read_line(folder + "/bonding/slaves") or "").split() or list_dir(folder + "/brif")
    for name in sorted(below):
        found.extend(_nic_drivers(root, name, depth + 1))
    return found


def _link_name(path):
    try:
        return os.path.basename(os.readlink(path))
    except OSError:
        return ""


def _joined(drivers):
    """Each once, in the order in which they were found."""
    return "+".join([name for number, name in enumerate(drivers) if name and name not in drivers[:number]])
