# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot Loader Specification: entries that are files, and the order in which GRUB's blscfg shows them. Pure."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import menu_entry, release_of_image

_ALPHANUMERIC = r"[0-9]+|[A-Za-z]+|~|\^"


def compare_versions(left, right):
    """rpm's order of two version strings: -1, 0 or 1."""
    ours, theirs = re.findall(_ALPHANUMERIC, left), re.findall(_ALPHANUMERIC, right)
    for one, two in zip(ours, theirs):
        if one == two:
            continue
        if "~" in (one, two):
            return -1 if one == "~" else 1
        if "^" in (one, two):
            return -1 if one == "^" else 1
        if one.isdigit() != two.isdigit():
            return 1 if one.isdigit() else -1
        if one.isdigit():
            if int(one) == int(two):
                continue
            return 1 if int(one) > int(two) else -1
        return 1 if one > two else -1
    if len(ours) == len(theirs):
        return 0
    longer, sign = (ours, 1) if len(ours) > len(theirs) else (theirs, -1)
    return -sign if longer[min(len(ours), len(theirs))] == "~" else sign


def parse_bls_entry(text, name):
    """One /boot/loader/entries/NAME -> entry; its id is the file's name without ".conf", as GRUB's blscfg has it."""
    fields = {}
    for line in (text or "").split("\n"):
        words = line.strip().split(None, 1)
        if len(words) == 2 and not words[0].startswith("#"):
            fields.setdefault(words[0], words[1])
    identity = name[: -len(".conf")] if name.endswith(".conf") else name
    image = fields.get("linux", "")
    release = release_of_image(image) or fields.get("version", "")
    return menu_entry(fields.get("title", identity), identity, image, fields.get("options", ""), release)


def sort_bls(entries):
    """Entries in the order in which blscfg shows them: newest version first, by NAME-VERSION-RELEASE of the id."""
    ordered = []
    for entry in entries:
        place = 0
        while place < len(ordered) and _compare_bls(entry, ordered[place]) <= 0:
            place += 1
        ordered.insert(place, entry)
    return ordered


def _compare_bls(left, right):
    ours, theirs = _split_bls_id(left["id"]), _split_bls_id(right["id"])
    for one, two in zip(ours, theirs):
        order = compare_versions(one, two)
        if order:
            return order
    return 0


def _split_bls_id(identity):
    parts = identity.rsplit("-", 2)
    return [""] * (3 - len(parts)) + parts
