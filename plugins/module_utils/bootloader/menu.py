# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of a boot menu, whatever loader shows them: how they are named, found and chosen. Pure.

An entry is a dict: `title`, `id`, `spec` (what grub-reboot and grub-set-default take: ids, or titles, joined by ">"),
`image` (path of the kernel as the loader sees it), `release` (`uname -r` of that image, or ""), `options` (kernel command line),
`entries` (list of a submenu, or None for a bootable entry).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

_NESTING_LIMIT = 40
_IMAGE_NAME = re.compile(r"(?:vmlinu[xz]|bzImage|zImage|Image|kernel|linux)-(?:genkernel-)?(\d.*)$")


def menu_entry(title, identity, image, options, release, entries=None):
    return {
        "title": title,
        "id": identity,
        "spec": (identity or title).replace(">", ">>"),
        "image": image,
        "options": options,
        "release": release,
        "entries": entries,
    }


def release_of_image(path):
    """`uname -r` that a kernel image's name stands for: "/vmlinuz-4.4.87.toa" -> "4.4.87.toa"; "" where it has none."""
    match = _IMAGE_NAME.search((path or "").rsplit("/", 1)[-1])
    return match.group(1) if match else ""


def pick_entry(entries, spec):
    """The entry GRUB would boot for a value of `default`: what it names or, where it names nothing, the first one.

    A submenu that is named without an entry of its own boots its first entry. None only where there is nothing to boot.
    """
    depth = 0
    components = split_spec(spec)
    while entries and depth < _NESTING_LIMIT:
        wanted = components[depth] if depth < len(components) else ""
        entry = _match(entries, wanted) or entries[0]
        if entry["entries"] is None:
            return entry
        entries = entry["entries"]
        depth += 1
    return None


def find_entry(entries, spec):
    """The entry (or submenu) that a spec names exactly, or None: what grub-reboot should be refused for."""
    entry = None
    for component in split_spec(spec):
        if entries is None:
            return None
        entry = _match(entries, component)
        if entry is None:
            return None
        entries = entry["entries"]
    return entry


def split_spec(spec):
    """ "Advanced>1" -> ["Advanced", "1"]; ">>" stands for a ">" inside a title (GRUB: normal/menu.c)."""
    return [part.replace("\0", ">") for part in (spec or "").replace(">>", "\0").split(">")]


def bootable(entries):
    """All bootable entries of a menu, submenus opened, in menu order."""
    found = []
    for entry in entries:
        if entry["entries"] is None:
            found.append(entry)
        else:
            found.extend(bootable(entry["entries"]))
    return found


def entry_of_release(entries, release):
    """The entry to name when this very kernel is to be booted, or None.

    Distributions give the newest kernel a first entry whose id stays when another kernel takes its place, so an entry that has
    the release in its id or title is preferred; recovery entries and those with another init are never taken.
    """
    fitting = [entry for entry in bootable(entries) if entry["release"] == release and not _is_special(entry)]
    for entry in fitting:
        if release in entry["id"] or (not entry["id"] and release in entry["title"]):
            return entry
    return fitting[0] if fitting else None


def _is_special(entry):
    words = entry["options"].split()
    return (
        "-recovery-" in entry["id"]
        or "-init-" in entry["id"]
        or "-rescue" in entry["id"]
        or "single" in words
        or "recovery" in words
        or "rescue" in words
    )


def _match(entries, wanted):
    if re.match(r"[0-9]+$", wanted):
        place = int(wanted)
        return entries[place] if place < len(entries) else None
    for entry in entries:
        if wanted and wanted in (entry["title"], entry["id"]):
            return entry
    return None
