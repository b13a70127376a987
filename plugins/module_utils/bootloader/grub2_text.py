# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of GRUB 2: menuentries cut out and copied as a trial, GRUB_DEFAULT and `set default` replaced. Pure."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import trial_title, with_trial_words

BEGIN = "### BEGIN realip.toa trial boot ###\n"
END = "### END realip.toa trial boot ###\n"
DEFAULT_LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?GRUB_DEFAULT=.*\n?", re.M)
_HEADER = re.compile(r"[ \t]*menuentry[ \t]")
_KERNEL_LINE = re.compile(r"^[ \t]*(?:linux|linux16|linuxefi)[ \t]")
INITRD_LINE = re.compile(r"^[ \t]*(?:initrd|initrd16|initrdefi)[ \t]+(.*)$", re.M)
SAVES_DEFAULT = re.compile(r"^[ \t]*savedefault[ \t]*\n", re.M)
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


def trial_entry(body, release, words, identity):
    """An entry's text -> the same under our id, with the trial's words on its kernel line, at the top level of the menu."""
    lines = body.split("\n")
    lines[0] = _trial_header(lines[0], release, identity)
    for place, line in enumerate(lines):
        if _KERNEL_LINE.match(line):
            lines[place] = with_trial_words(line, words)
    return SAVES_DEFAULT.sub("", "\n".join(lines).rstrip("\n") + "\n")


def _trial_header(header, release, identity):
    """Title and id are replaced; classes, users and --unrestricted stay, or a menu with a password would ask for it at boot."""
    header = _MENU_ID.sub("", header.strip())
    options = re.sub(r"""^menuentry[ \t]+('(?:[^']|'\\'')*'|"(?:\\.|[^"\\])*"|[^ \t]+)""", "", header, count=1)
    return "menuentry '%s'%s" % (
        trial_title(release),
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
