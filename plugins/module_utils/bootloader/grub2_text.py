# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of GRUB 2: menuentries cut out and copied as a trial, GRUB_DEFAULT and `set default` replaced. Pure."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import with_trial_words

BEGIN = "### BEGIN realip.toa trial boot ###\n"
END = "### END realip.toa trial boot ###\n"
DEFAULT_LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?GRUB_DEFAULT=.*\n?", re.M)
_HEADER = re.compile(r"[ \t]*menuentry[ \t]")
_KERNEL_LINE = re.compile(r"^[ \t]*(?:linux|linux16|linuxefi)[ \t]", re.M)
INITRD_LINE = re.compile(r"^[ \t]*(?:initrd|initrd16|initrdefi)[ \t]+(.*)$", re.M)
# In an entry: makes it the default, or keeps in mind that it was tried without an initramfs.
_SAVES_SOMETHING = re.compile(r"^[ \t]*(?:savedefault|initrdfail)[ \t]*\n", re.M)
SAVES_DEFAULT = re.compile(r"^[ \t]*savedefault[ \t]*\n", re.M)
_SETS_DEFAULT = re.compile(r'^([ \t]*set default=)"?([^"\n]*)"?[ \t]*$', re.M)
_CONFIG_DEFAULT_SAVED = re.compile(r'^([ \t]*set default=)"\$\{saved_entry\}"', re.M)
_MENU_ID = re.compile(
    r"""[ \t](?:\$menuentry_id_option|\$\{menuentry_id_option\}|--id)[ \t=]+('[^']*'|"[^"]*"|[^ \t{]+)"""
)
# Where GRUB_DEFAULT was not set at all; the empty line before it is ours too, so that it comes off byte for byte.
ADDED = "GRUB_DEFAULT=saved\n"


def with_saved_default(text):
    found = list(DEFAULT_LINE.finditer(text))
    if not found:
        return text + "\n" + ADDED
    last = found[-1]
    return text[: last.start()] + ADDED + text[last.end() :]


def with_set_default(text, value):
    """grub.cfg in which `default` gets another value where nothing is armed: what grub-mkconfig would write, and no other byte."""
    for match in _SETS_DEFAULT.finditer(text):
        if "next_entry" not in match.group(2):
            return '%s%s"%s"%s' % (text[: match.start()], match.group(1), value, text[match.end() :])
    return text


def set_default_of(text):
    """Value that grub.cfg gives to `default` when nothing is armed, unexpanded; None where it gives none."""
    found = [match.group(2) for match in _SETS_DEFAULT.finditer(text) if "next_entry" not in match.group(2)]
    return found[0] if found else None


def with_config_default(text, setting):
    """grub.cfg as it would be with another GRUB_DEFAULT: the assignment that is not about next_entry."""
    value = "${saved_entry}" if setting == "saved" else setting
    return _CONFIG_DEFAULT_SAVED.sub(lambda match: '%s"%s"' % (match.group(1), value), text)


def without_trial(text):
    start = text.find(BEGIN)
    if start < 0:
        return text
    end = text.find(END, start)
    return text[:start] + (text[end + len(END) :] if end >= 0 else "")


def copied_entry(body, title, identity, words=""):
    """An entry's text -> the same under another title and id, at the top level of the menu, with these words on its kernel line.

    It boots with its initramfs whatever was the matter before (Ubuntu's cloud images try without it first), and saves nothing.
    """
    lines = with_initrd(body.rstrip("\n").split("\n"))
    lines[0] = _copied_header(lines[0], title, identity)
    for place, line in enumerate(lines):
        if words and _KERNEL_LINE.match(line):
            lines[place] = with_trial_words(line, words)
    return _SAVES_SOMETHING.sub("", "\n".join(lines) + "\n")


def with_initrd(lines):
    """Lines of an entry: of an `if` whose branches load the kernel with and without an initramfs, what the branch with it says."""
    found, place = [], 0
    while place < len(lines):
        branches, after = _branches(lines, place)
        loading = [branch for branch in branches if _KERNEL_LINE.search("\n".join(branch))]
        complete = [branch for branch in loading if INITRD_LINE.search("\n".join(branch))]
        if complete and len(complete) < len(branches):
            found.extend(with_initrd(complete[0]))
            place = after
        else:
            found.append(lines[place])
            place += 1
    return found


def _branches(lines, place):
    """([lines of each branch], number of the line behind it) of an `if` that begins here; no branch where none does."""
    if not re.match(r"[ \t]*if[ \t].*then[ \t]*$", lines[place]):
        return [], place
    branches, depth = [[]], 0
    for number in range(place + 1, len(lines)):
        word = re.split(r"[ \t;]+", lines[number].strip())[0]
        ends = re.search(r"(?:^|[ \t;])fi[ \t;]*$", lines[number]) is not None
        if word == "fi" and depth == 0:
            return branches, number + 1
        if word in ("else", "elif") and depth == 0:
            branches.append([])
            continue
        depth += (1 if word == "if" else 0) - (1 if ends else 0)
        branches[-1].append(lines[number])
    return [], place


def _copied_header(header, title, identity):
    """Title and id are replaced; classes, users and --unrestricted stay, or a menu with a password would ask for it at boot."""
    header = _MENU_ID.sub("", header.strip())
    options = re.sub(r"""^menuentry[ \t]+('(?:[^']|'\\'')*'|"(?:\\.|[^"\\])*"|[^ \t]+)""", "", header, count=1)
    return "menuentry '%s'%s" % (
        title,
        re.sub(r"[ \t]*\{$", " $menuentry_id_option '%s' {" % identity, options),
    )


def menuentry_blocks(text):
    """Texts of all menuentries of a generated configuration: header and closing brace are lines of their own there."""
    blocks, block, depth = [], None, 0
    for line in text.split("\n"):
        if block is None and _HEADER.match(line) and line.rstrip().endswith("{"):
            block, depth = [], 0
        if block is None:
            continue
        block.append(line)
        stripped = line.strip()
        depth += 1 if stripped.endswith("{") else -1 if stripped == "}" else 0
        if depth == 0:
            blocks.append("\n".join(block) + "\n")
            block = None
    return blocks


def title_paths(entries, wanted, prefix=""):
    """Specs by titles of an entry, outermost submenu first."""
    found = []
    for entry in entries:
        spec = prefix + entry["title"].replace(">", ">>")
        if entry is wanted:
            found.append(spec)
        elif entry["entries"]:
            found.extend(title_paths(entry["entries"], wanted, spec + ">"))
    return found
