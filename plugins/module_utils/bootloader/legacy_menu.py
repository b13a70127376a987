# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB legacy's menu.lst or grub.conf: what it says, and which entry it boots. Pure."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import menu_entry, release_of_image


def parse_menu_lst(text):
    """menu.lst or grub.conf -> `entries` (in order; `spec` is the number, from 0), `default` (number or "saved"), `fallback`, `timeout`.

    Entries that load no kernel (chainloader) keep their place, because they count; a title with nothing below it does not.
    """
    menu = {"entries": [], "default": "0", "fallback": "", "timeout": ""}
    entry = None
    for line in (text or "").split("\n"):
        name, value = legacy_command(line)
        if name == "title":
            entry = menu_entry(value, "", "", "", "")
        elif name and entry is not None:
            _legacy_line(menu["entries"], entry, name, value)
        elif name in ("default", "fallback", "timeout"):
            menu[name] = value
    return menu


def legacy_command(line):
    """(name, argument) of a line of a legacy menu; two empty strings where it is blank or a comment. `name=argument` is the same."""
    match = re.match(r"[ \t]*([^\s#=][^\s=]*)[ \t]*=?[ \t]*(.*)", line)
    return (match.group(1).lower(), match.group(2).strip()) if match else ("", "")


def _legacy_line(entries, entry, name, value):
    """One command below a title."""
    if not entries or entries[-1] is not entry:
        entry["spec"] = str(len(entries))
        entries.append(entry)
    if name in ("kernel", "module") and not entry["release"]:
        words = [word for word in value.split() if not word.startswith("--")]
        if words and (name == "kernel" or release_of_image(words[0])):
            entry.update(image=words[0], options=" ".join(words[1:]), release=release_of_image(words[0]))


def parse_legacy_default(text):
    """/boot/grub/default, which `default saved` reads -> number of the entry, or None.

    Debian's `savedefault --once` writes "N:ONCE" there, and its GRUB boots ONCE for as long as that is there.
    """
    match = re.match(r"\s*(?:[0-9]+:)?([0-9]+)", text or "")
    return int(match.group(1)) if match else None


def pick_legacy(menu, saved=None):
    """The entry GRUB legacy boots: `default`, or the saved number; where there are not so many, `fallback`. None in an empty menu."""
    entries = menu["entries"]
    for wanted in (
        saved if menu["default"] == "saved" else parse_legacy_default(menu["default"]),
        parse_legacy_default(menu["fallback"]),
    ):
        if (wanted or 0) < len(entries):
            return entries[wanted or 0]
    return entries[0] if entries else None
