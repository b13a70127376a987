# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of GRUB legacy: the lines of a menu that say what boots, found and replaced. Pure."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_legacy_memory import header_lines
from ansible_collections.realip.toa.plugins.module_utils.bootloader.legacy_menu import legacy_command, pick_legacy

BACK, TRIAL = 0, 1
_AUTOMAGIC = "### BEGIN AUTOMAGIC KERNELS LIST"
UPDATE_ENTRY = re.compile(r"^(#[ \t]*updatedefaultentry=)(.*)$", re.M)
DEFAULT_TOKEN = re.compile(r"([ \t]*default(?:[ \t]*=[ \t]*|[ \t]+))(\S*)")
# The line of before goes into this comment, so that the way back is in the menu itself.
FALLBACK_MARK = "# realip.toa: until the trial is over, instead of: "


def default_setting(menu):
    return "saved" if menu["default"] == "saved" else pick_legacy(menu)["spec"]


def top_of_titles(lines):
    """Place of the first title, or of what update-grub writes anew with all titles in it."""
    for place, line in enumerate(lines):
        if line.startswith(_AUTOMAGIC) or legacy_command(line)[0] == "title":
            return place
    return len(lines)


def default_places(text):
    """Numbers of the lines that set `default`; the last one counts."""
    commands = [legacy_command(line) for line in header_lines(text)]
    return [place for place, (name, value) in enumerate(commands) if name == "default" and value]


def default_token(text):
    """Value of `default`, or None where no line sets it."""
    places = default_places(text)
    return DEFAULT_TOKEN.match(text.split("\n")[places[-1]]).group(2) if places else None


def token_at(text):
    """Offset of that value."""
    place = default_places(text)[-1]
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[:place]) + DEFAULT_TOKEN.match(lines[place]).end(1)


def with_fallback(text):
    lines = text.split("\n")
    places = [place for place, line in enumerate(header_lines(text)) if legacy_command(line)[0] == "fallback"]
    was = lines[places[-1]] if places else ""
    place = places[-1] if places else top_of_titles(lines)
    lines[place : place + len(places[-1:])] = [FALLBACK_MARK + was, "fallback %d" % BACK]
    return "\n".join(lines)


def without_fallback(text):
    lines = text.split("\n")
    for place, line in enumerate(lines):
        if line.startswith(FALLBACK_MARK):
            ours = 2 if legacy_command("".join(lines[place + 1 : place + 2]))[0] == "fallback" else 1
            was = line[len(FALLBACK_MARK) :]
            lines[place : place + ours] = [was] if was else []
            break
    return "\n".join(lines)
