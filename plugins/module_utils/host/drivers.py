# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drivers that this machine cannot do without (disks of / and /boot, their file systems, the network), and whether another kernel has them.

Files are read, no command is run. A driver is told by the name of its module, and where another kernel has none of that name, by what it
drives: `modalias` of the device against modules.alias. What cannot be told is not claimed to be missing.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import fnmatch
import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    list_dir,
    read_bytes,
    read_line,
    read_text,
)
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under

# A disk or network device may stand on others (LVM, RAID, bonds), which may stand on others again.
_DEEPEST = 8
_RAID_MODULES = {"raid4": "raid456", "raid5": "raid456", "raid6": "raid456"}


def lacking(release, running, root="/"):
    """[(driver, what for)] that the running kernel has and kernel `release` has not; "what for" is `root`, `boot` or `network`."""
    other, own = _Modules(release, root), _Modules(running, root)
    if not other.is_known:
        return []
    found = []
    for name, modalias, purpose in needed(root):
        # What is no module of any kind here, as the bus of PCI itself, has no name to look for.
        if own.has(name) and not other.has(name) and not other.drives(modalias) and (name, purpose) not in found:
            found.append((name, purpose))
    return found


def modules_of_root(release, root="/"):
    """Names of what the root file system stands on that are modules of kernel `release`, and so have to be in its initramfs."""
    modules = _Modules(release, root)
    return sorted(
        set(name for name, _modalias, purpose in needed(root) if purpose == "root" and modules.is_module(name))
    )


def needed(root="/"):
    """[(module, modalias or "", purpose)] of what this machine runs on now."""
    found = []
    for point, purpose in (("/", "root"), ("/boot", "boot")):
        device, filesystem = _mounted(root, point)
        if not device:
            continue
        found.append((filesystem, "", purpose))
        folder = under(root, "/sys/dev/block/" + device)
        if os.path.isdir(folder):
            found.extend((name, alias, purpose) for name, alias in _disk(root, os.path.realpath(folder), 0))
    for interface in _interfaces_with_default_route(root):
        found.extend((name, alias, "network") for name, alias in _interface(root, interface, 0))
    return found


class _Modules:
    """What modules.dep, modules.builtin and modules.alias say of one kernel."""

    def __init__(self, release, root):
        self.folder = under(root, "/lib/modules/" + release)
        self.loadable = self._read("modules.dep")
        self.builtin = self._read("modules.builtin")

    def _read(self, name):
        return read_bytes(os.path.join(self.folder, name), 32 << 20) or b""

    @property
    def is_known(self):
        """Without the list of what is built in nothing can be said to be missing."""
        return bool(self.builtin)

    def has(self, name):
        return self.is_module(name) or _lists(self.builtin, name)

    def is_module(self, name):
        return _lists(self.loadable, name) and not _lists(self.builtin, name)

    def drives(self, modalias):
        """Whether a module of another name would take this device."""
        if not modalias:
            return False
        for line in self._read("modules.alias").decode("latin-1").split("\n"):
            words = line.split()
            if (
                len(words) == 3
                and words[0] == "alias"
                and words[1][:4] == modalias[:4]
                and fnmatch.fnmatchcase(modalias, words[1])
            ):
                return True
        return False


def _lists(data, name):
    """File names have - where names of modules have _, or not."""
    variants = set([name, name.replace("_", "-"), name.replace("-", "_")])
    return bool([one for one in variants if b"/" + one.encode("latin-1", "replace") + b".ko" in data])


def _mounted(root, point):
    """(`major:minor`, file system) of what is mounted there last, or two empty texts."""
    found = ("", "")
    for line in (read_text(under(root, "/proc/self/mountinfo"), 1 << 20) or "").split("\n"):
        fields, _dash, rest = line.partition(" - ")
        words, more = fields.split(" "), rest.split(" ")
        if len(words) > 4 and words[4] == point and more[0] not in ("", "rootfs"):
            found = (words[2], more[0])
    return found


def _disk(root, folder, depth):
    below = list_dir(folder + "/slaves")
    if not below or depth >= _DEEPEST:
        return _upwards(root, folder)
    found = []
    if os.path.isdir(folder + "/dm"):
        found.append(("dm_mod", ""))
    level = read_line(folder + "/md/level")
    if level:
        found.append((_RAID_MODULES.get(level, level), ""))
    for name in below:
        found.extend(_disk(root, os.path.realpath(under(root, "/sys/class/block/" + name)), depth + 1))
    return found


def _interfaces_with_default_route(root):
    names = []
    for line in (read_text(under(root, "/proc/net/route"), 1 << 20) or "").split("\n")[1:]:
        words = line.split()
        if len(words) > 7 and words[1] == words[7] == "00000000":
            names.append(words[0])
    for line in (read_text(under(root, "/proc/net/ipv6_route"), 1 << 20) or "").split("\n"):
        words = line.split()
        if len(words) > 9 and words[0] == "0" * 32 and words[1] == "00" and words[9] != "lo":
            names.append(words[9])
    return sorted(set(name for name in names if "/" not in name and name not in (".", "..")))


def _interface(root, name, depth):
    folder = under(root, "/sys/class/net/" + name)
    if os.path.isdir(folder + "/device"):
        return _upwards(root, os.path.realpath(folder + "/device"))
    if depth >= _DEEPEST:
        return []
    found = [("bonding", "")] if os.path.isdir(folder + "/bonding") else []
    below = [entry[len("lower_") :] for entry in list_dir(folder) if entry.startswith("lower_")]
    below = below or (read_line(folder + "/bonding/slaves") or "").split() or list_dir(folder + "/brif")
    for lower in sorted(below):
        found.extend(_interface(root, lower, depth + 1))
    return found


def _upwards(root, folder):
    """Modules of the drivers of a device and of all that it hangs on, up to the bus of the machine."""
    found, top = [], os.path.realpath(under(root, "/sys"))
    while folder.startswith(top + "/"):
        try:
            name = os.path.basename(os.readlink(folder + "/driver/module"))
        except OSError:
            name = ""
        if re.match(r"[A-Za-z0-9_-]+\Z", name):
            found.append((name, (read_line(folder + "/modalias") or "")[:1024]))
        folder = os.path.dirname(folder)
    return found
