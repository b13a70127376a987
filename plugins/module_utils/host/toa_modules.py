# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TOA kernel modules there are, and how to see them on a host without running a command.

Every function takes `root`, the directory that holds the host's file system: "/" on a host, a made-up tree in tests.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    list_dir,
    read_bytes,
    read_line,
    read_text,
    to_text,
)

# Name of the module -> its statistics in /proc/net; None where it makes none. hookers only serves vtoa.
STATS_FILES = {
    "toa": "toa_stats",
    "vtoa": "vtoa_stats",
    "tcp_toa": "toa_stats",
    "ttm": None,
    "ip_vs_ca": "ip_vs_ca_stats",
    "slb_vtoa": "vtoa_stats",
    "hookers": None,
}
TOA_MODULES = tuple(sorted(STATS_FILES))


_FILE = re.compile(r"(?:^|/)([A-Za-z0-9_-]+)\.ko(?:\.(?:xz|gz|zst|bz2))?$")
# What holds one of these may list one of them: "toa.ko" finds vtoa and the like as well, and hookers comes with vtoa alone.
_ENDINGS = (b"toa.ko", b"ttm.ko", b"ip_vs_ca.ko")
_HOOKERS = b"/hookers.ko"
# The graphics memory manager is called ttm too, and nearly every machine with a display has it.
_GRAPHICS_TTM = "/drm/ttm/ttm.ko"
_COUNTER = re.compile(r"^\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*:?((?:\s+[0-9]+)+)\s*$", re.M)


def under(root, path):
    """A path of the host, below the root that is looked at; fit for every Python whatever the path holds.

    Paths come out of files, too. In the C locale Python 2, and 3 before 3.7, cannot open text that is not ASCII; no Python can open a NUL.
    """
    whole = (path if root == "/" else root.rstrip("/") + path).replace("\0", "?")
    if str is bytes:
        return whole if isinstance(whole, str) else whole.encode("utf-8")
    try:
        os.fsencode(whole)
    except UnicodeEncodeError:
        return os.fsdecode(whole.encode("utf-8", "replace"))
    return whole


def module_of_file(path):
    """Name of the module that a .ko file holds ("/x/tcp-toa.ko.xz" -> "tcp_toa"), or ""."""
    match = _FILE.search(path)
    return match.group(1).replace("-", "_") if match else ""


def toa_files(release, root="/"):
    """TOA modules that one kernel has: {name: absolute path, or "builtin"}.

    Read from modules.dep, which is what modprobe goes by, and from modules.builtin.
    """
    folder = "/lib/modules/" + release
    found = {}
    for path in _listed(read_bytes(under(root, folder + "/modules.builtin"), 4 << 20) or b""):
        found[module_of_file(path)] = "builtin"
    for path in _listed(read_bytes(under(root, folder + "/modules.dep"), 16 << 20) or b""):
        found[module_of_file(path)] = path if path.startswith("/") else folder + "/" + path
    return found


def _listed(data):
    """Paths of TOA modules that have a line of their own.

    Plain searches in bytes: modules.dep is half a megabyte, for which a pattern takes ten times as long.
    """
    paths = []
    for ending in _ENDINGS:
        paths.extend(_lines_with(data, ending))
    if any(module_of_file(path).endswith("vtoa") for path in paths):
        paths.extend(_lines_with(data, _HOOKERS))
    return [path for path in paths if module_of_file(path) in STATS_FILES and not _is_graphics(path)]


def _lines_with(data, ending):
    """What stands before the colon in the lines that have `ending` there."""
    place = data.find(ending)
    while place >= 0:
        start = data.rfind(b"\n", 0, place) + 1
        yield to_text(data[start : place + len(ending) + 8]).split("\n", 1)[0].split(":", 1)[0].strip()
        place = data.find(ending, place + 1)


def _is_graphics(path):
    return path.endswith(_GRAPHICS_TTM) or (_GRAPHICS_TTM + ".") in path


def is_graphics_ttm(root="/"):
    """Whether the loaded `ttm` is the graphics memory manager of that name and not Baidu's module: it uses, or is used by, drm."""
    holders = list_dir(under(root, "/sys/module/ttm/holders"))
    return (
        os.path.lexists(under(root, "/sys/module/drm/holders/ttm"))
        or os.path.isdir(under(root, "/sys/class/drm/ttm"))
        or any(name.startswith("drm") or name in list_dir(under(root, "/sys/module/drm/holders")) for name in holders)
    )


def loaded_modules(root="/"):
    """/proc/modules -> {name: {"refcount": int or None, "state": "Live", "Loading" or "Unloading"}} for the TOA modules, by exact name."""
    found = {}
    for line in (read_text(under(root, "/proc/modules"), 4 << 20) or "").split("\n"):
        words = line.split()
        if len(words) >= 5 and words[0] in STATS_FILES:
            found[words[0]] = {"refcount": int(words[2]) if words[2].isdigit() else None, "state": words[4]}
    return found


def parameters(name, root="/"):
    """Module parameters as the kernel shows them: {name: text}; those that cannot be read are left out."""
    folder = "/sys/module/%s/parameters" % name
    values = {}
    for parameter in list_dir(under(root, folder))[:64]:
        value = read_line(under(root, folder + "/" + parameter))
        if value is not None:
            values[parameter] = value[:256]
    return values


def stats(name, root="/"):
    """Text of a module's statistics, or None where it has made no such file (or makes none at all).

    Modules make it in the first network namespace only, so that init's view is tried where ours is another.
    """
    if STATS_FILES.get(name) is None:
        return None
    for view in ("/proc/net/", "/proc/1/net/"):
        text = read_text(under(root, view + STATS_FILES[name]), 1 << 16)
        if text is not None:
            return text
    return None


def parse_counters(text):
    """Statistics -> {counter: sum over the CPUs}. A row per counter, a column per CPU; rows of another form (the heading) are left out."""
    totals = {}
    for name, columns in _COUNTER.findall(text or ""):
        totals[name] = totals.get(name, 0) + sum(int(column) for column in columns.split())
    return totals
