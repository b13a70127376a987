# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Menus of GRUB legacy as text: with our two entries, without them, with another default. Nothing here writes."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible_collections.realip.toa.plugins.module_utils.bootloader.command_lines import CommandLines
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_legacy_memory import WORD
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_legacy_memory import (
    FILE,
    GrubLegacy,
    MENU,
    our_title,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_legacy_text import (
    BACK,
    DEFAULT_TOKEN,
    FALLBACK_MARK,
    default_places,
    top_of_titles,
    with_fallback,
    without_fallback,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.legacy_menu import legacy_command, pick_legacy
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import entry_of_release
from ansible_collections.realip.toa.plugins.module_utils.bootloader.own_tools import OwnTools
from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import (
    back_title,
    trial_title,
    with_trial_words,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.update_default import UpdateDefault
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError


class LegacyMenus(GrubLegacy, CommandLines, UpdateDefault, OwnTools):
    """GRUB legacy, with the menus that it would have after a change."""

    def memory(self):
        return MENU if self.problem() else self.kind()

    def disagreement(self, release):
        """While a trial is armed by `default` itself, which grubby cannot know, it is not asked."""
        return "" if self.has_next() and self.memory() != WORD else OwnTools.disagreement(self, release)

    def with_default(self, text, token):
        """The menu with another `default`: in the line that counts, or in a line above the first title."""
        places = default_places(text)
        lines = text.split("\n")
        if places:
            lines[places[-1]] = DEFAULT_TOKEN.sub(lambda match: match.group(1) + token, lines[places[-1]], count=1)
        else:
            lines.insert(top_of_titles(lines), "default=" + token)
        return "\n".join(lines)

    def with_trial(self, text, release, words):
        """The menu with our two entries on top of it. `default` stays on the entry it is on."""
        base = self.without_trial(text)
        menu = self.parse(base)
        lines = base.split("\n")
        trial = self._copy(lines, menu, self._own_entry(menu, release), trial_title(release), words)
        old = self._own_entry(menu, self.old) or pick_legacy(menu, self.saved())
        back = self._copy(lines, menu, old, back_title(old["release"]))
        if self.memory() == FILE:
            trial.insert(1, "\tsavedefault %d" % BACK)
        top = top_of_titles(lines)
        lines[top:top] = back + trial
        text = with_fallback("\n".join(lines))
        return (
            text
            if menu["default"] == "saved"
            else self.with_default(text, str(int(pick_legacy(menu)["spec"]) + len((back, trial))))
        )

    def without_trial(self, text):
        """The menu without our entries, whatever was put above them meanwhile."""
        menu = self.parse(text)
        if FALLBACK_MARK not in text and not any(our_title(entry) for entry in menu["entries"]):
            return text
        default = self.default_entry(menu)
        own = self._own_entry(menu, default["release"]) if our_title(default) else default
        lines = text.split("\n")
        rest = without_fallback("\n".join(line for line, ours in zip(lines, lines_of_ours(lines)) if not ours))
        foreign = [entry for entry in menu["entries"] if not our_title(entry)]
        return self.with_default(rest, str(foreign.index(own)) if own in foreign else "0")

    @staticmethod
    def _own_entry(menu, release):
        """The distribution's entry of a release, or None."""
        return (
            entry_of_release([entry for entry in menu["entries"] if not our_title(entry)], release) if release else None
        )

    @staticmethod
    def _body(lines, entry):
        """Lines of an entry below its title, without blank ones and comments."""
        number = -1
        body = []
        for place, line in enumerate(lines):
            name = legacy_command(line)[0]
            if name == "title":
                following = [legacy_command(other)[0] for other in lines[place + 1 :]]
                following = [other for other in following if other]
                number += 1 if following and following[0] != "title" else 0
            elif name and number == int(entry["spec"]):
                body.append(line)
        return body

    def _copy(self, lines, menu, entry, title, words=None):
        """An entry's lines under another title: without savedefault, and for a trial with its words."""
        body = self._body(lines, entry)
        copied = ["title " + title]
        for line in body:
            name, value = legacy_command(line)
            if line.rstrip("\r").endswith("\\"):
                raise TargetError(
                    "loader_not_supported",
                    "the entry of kernel %s in %s has a line that goes on in the next one"
                    % (entry["release"], self.config),
                    "write that entry with whole lines, then run again",
                )
            if words is not None and name in ("kernel", "module") and entry["image"] in value.split():
                line = with_trial_words(line, words)
            if name != "savedefault":
                copied.append(line)
        return copied

    def _initramfs(self, entry):
        if entry is None:
            return []
        words = []
        for line in self._body(self.text().split("\n"), entry):
            name, value = legacy_command(line)
            if name == "initrd":
                words.extend(value.split())
            elif name == "module" and entry["image"] not in value.split():
                words.extend(value.split()[:1])
        return ["/boot/" + os.path.basename(word) for word in words]


def lines_of_ours(lines):
    """For each line of a menu whether it belongs to one of our two entries."""
    found, ours = [], False
    for line in lines:
        name, value = legacy_command(line)
        ours = name == "title" and our_title({"title": value}) is not None or ours and name not in ("", "title")
        found.append(ours)
    return found
