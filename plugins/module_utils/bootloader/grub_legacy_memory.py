# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB legacy (0.97) on one host, seen from its files: its menu, where it keeps a number of its own, what it boots next. Only looks.

There are two GRUBs 0.97, and they remember differently (sources: stage2/builtins.c and stage2.c of either):

* Red Hat's (EL 5, EL 6) has a word in the file stage2, at byte 0x20c: the saved entry, and with `savedefault --once` a flag and
  the entry to boot once. GRUB takes the flag off before it boots that entry, whatever comes of it. It does so at the line
  `default`, without which nothing is taken. Its `savedefault` inside a menu knows no number.
* GNU's, which Debian, Ubuntu, SUSE and Gentoo have, reads the saved entry from the file /boot/grub/default where the menu says
  `default saved`, and an entry's own `savedefault N` writes it back. Debian's `savedefault --once` in the grub shell is not
  taken off by the GRUB that boots: that entry would stay the default for ever.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import struct

from ansible_collections.realip.toa.plugins.module_utils.bootloader.legacy_menu import (
    legacy_command,
    parse_legacy_default,
    parse_menu_lst,
    pick_legacy,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import release_of_image
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under

CONFIGS = ("/boot/grub/grub.conf", "/boot/grub/menu.lst", "/etc/grub.conf")
STAGE2 = "/boot/grub/stage2"
DEFAULT_FILE = "/boot/grub/default"

# stage2/shared.h: offsets in the second sector of stage2, and the flag of Red Hat's "once only".
SECTOR = 512
WORD_AT = SECTOR + 0x0C
_VERSION_AT, _ID_AT, _TEXTS_AT = SECTOR + 0x06, SECTOR + 0x10, SECTOR + 0x12
_COMPATIBLE = b"\x03\x02"
_ONCE = 0x10000
_MOST_BYTES = 8 << 20

# What the two say of `savedefault` when they are asked for help.
_GNU_HELP = b"savedefault [NUM"
_RED_HAT_HELP = b"savedefault [--stage2=STAGE2_FILE] [--default=DEFAULT] [--once]"
_SHELLS = ("/sbin/grub", "/usr/sbin/grub")
_GRUB2_CONFIGS = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")

# Where it keeps the number of the entry that is armed. MENU is a plain `default N`, which nothing takes back at boot.
WORD, FILE, MENU = "word", "file", "menu"

OUR_TITLE = re.compile(r"(Trial boot of|Back to) (\S+) \(realip\.toa\)\Z")


def legacy_config(machine):
    """Path of the menu that GRUB legacy reads on this host, or None. With UEFI it is what /etc/grub.conf leads to."""
    if machine.is_dir("/sys/firmware/efi"):
        candidates = CONFIGS[2:]
    else:
        named = os.path.basename(_named_config(machine))
        candidates = sorted(CONFIGS, key=lambda path: os.path.basename(path) != named)
    for path in candidates:
        if parse_menu_lst(machine.read(path))["entries"]:
            return path
    return None


def entry_release(machine, entry):
    """Kernel release of an entry, or None; one that names its image by a link (/vmlinuz) is followed."""
    if entry is None:
        return None
    if entry["release"] or not entry["image"]:
        return entry["release"] or None
    image = re.sub(r"^\([^)]*\)", "", entry["image"])
    for path in (image, "/boot/" + image.lstrip("/")):
        real = os.path.realpath(under(machine.root or "/", path))
        if os.path.isfile(real):
            return release_of_image(real) or None
    return None


def our_title(entry):
    """("Trial boot of" or "Back to", release) of an entry that we wrote, or None."""
    match = OUR_TITLE.match(entry["title"])
    return match.groups() if match else None


class GrubLegacy:
    """What GRUB legacy would do on this host. Nothing is kept: each question reads the files anew."""

    name = "grub_legacy"

    def __init__(self, machine):
        self.machine = machine
        self.config = legacy_config(machine)

    def look(self):
        """Its part of `boot` in the facts."""
        problem = self.problem()
        return {
            "loader": self.name,
            "config": self.config,
            "default": self.default(),
            "next": self.next(),
            "env_writable": not problem,
            "one_shot": not problem,
            "reason": problem,
        }

    def text(self):
        """The menu, a byte a character."""
        return self.machine.read_latin(self.config)

    def menu(self):
        return self.parse(self.text())

    def parse(self, text):
        """parse_menu_lst(), with the releases of entries that name their image by a link."""
        menu = parse_menu_lst(text)
        for entry in menu["entries"]:
            entry["release"] = entry_release(self.machine, entry) or ""
        return menu

    def default(self):
        """Release that boots when nothing is armed, or when what is armed has had its turn."""
        entry = self.default_entry(self.menu())
        return entry["release"] or None if entry else None

    def default_entry(self, menu):
        """The same as an entry of this menu. Our trial entry is never it: it makes our way back the default, or is taken back."""
        entry = pick_legacy(menu, self.saved())
        return menu["entries"][0] if entry and our_title(entry) and our_title(entry)[0].startswith("Trial") else entry

    def next(self):
        """Release that is armed for the next boot, or None."""
        menu = self.menu()
        once = self.once()
        if once is not None:
            entry = pick_legacy(dict(menu, default=str(once)))
            return entry["release"] or None if entry else None
        entry = pick_legacy(menu, self.saved())
        title = our_title(entry) if entry else None
        return title[1] if title and title[0].startswith("Trial") else None

    def saved(self):
        """Number that `default saved` stands for; None, which is the first entry, where there is none."""
        if self.kind() == WORD:
            word = self.word()
            return word & 0xFF if word & _ONCE else word
        return parse_legacy_default((self.machine.read(DEFAULT_FILE) or "")[:10])

    def once(self):
        """Number of the entry that Red Hat's GRUB boots once, or None."""
        if self.kind() != WORD or not any(legacy_command(line)[0] == "default" for line in header_lines(self.text())):
            return None
        word = self.word()
        return word >> 8 & 0xFF if word & _ONCE else None

    def word(self):
        return struct.unpack("<I", self._stage2()[WORD_AT : WORD_AT + 4])[0]

    def word_with(self, once):
        """Bytes of the word with another entry to boot once, or (None) with none. The saved entry stays."""
        saved = self.saved() & 0xFF
        return struct.pack("<I", saved if once is None else saved | once << 8 | _ONCE)

    def kind(self):
        """WORD or FILE: the memory that this GRUB has, or None where that cannot be told."""
        data = self._stage2()
        if data[_VERSION_AT : _VERSION_AT + 2] != _COMPATIBLE or data[_ID_AT : _ID_AT + 1] != b"\0":
            return None
        if _GNU_HELP in data:
            return FILE
        red_hat = [name for name in _SHELLS if _RED_HAT_HELP in (self.machine.read_bytes(name, _MOST_BYTES) or b"")]
        return WORD if red_hat and b"savedefault" in data else None

    def problem(self):
        """Why no entry can be armed for one boot only, or ""."""
        machine = self.machine
        if any(machine.size(name) for name in _GRUB2_CONFIGS):
            return "GRUB 2 reads %s, and it cannot take back what it has booted from there" % self.config
        if machine.is_dir("/sys/firmware/efi"):
            return "GRUB legacy has no one-shot boot with UEFI"
        if not machine.size(STAGE2):
            return "%s is missing, so it is not GRUB legacy itself that reads %s" % (STAGE2, self.config)
        kind = self.kind()
        if kind is None:
            return "%s is neither GNU's GRUB 0.97 nor Red Hat's, so how it remembers an entry is not known" % STAGE2
        place = STAGE2 if kind == WORD else os.path.dirname(DEFAULT_FILE)
        return machine.grub_write_problem(place) or machine.read_only_problem(place)

    def _stage2(self):
        return self.machine.read_bytes(STAGE2, _MOST_BYTES) or b""


def header_lines(text):
    """Lines above the first title."""
    lines = text.split("\n")
    for place, line in enumerate(lines):
        if legacy_command(line)[0] == "title":
            return lines[:place]
    return lines


def _named_config(machine):
    """Path of the menu as it is written in stage2, behind the version, or ""."""
    data = (machine.read_bytes(STAGE2, 2 * SECTOR) or b"")[_TEXTS_AT:]
    texts = data.split(b"\0", 2)
    return texts[1].decode("latin-1") if len(texts) > 2 else ""
