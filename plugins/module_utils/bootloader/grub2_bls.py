# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB 2 whose entries are files in /boot/loader/entries (Boot Loader Specification): EL 8 and later, Alibaba Cloud Linux 3.

The same as bootloader/grub2.py but for the entries: each has its file, whose name is its id, and the trial entry is one more file.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.bootloader.bls import parse_bls_entry, sort_bls
from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import sources_custom
from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import BLS_FOLDER, bls_entries
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2 import Grub2
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2_text import without_trial
from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import back_title
from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import trial_title, with_trial_words
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, list_dir


class Grub2Bls(Grub2):
    """GRUB 2 with blscfg in its grub.cfg."""

    name = "grub2_bls"
    USES_BLS = True
    # The order of the menu is that of versions, newest first. A tilde is older than anything, and no machine-id is as great a number:
    # so our way back is always the first of the menu, which GRUB takes where nothing else is the default, and the trial always the last.
    TRIAL_ID = "~realip-toa-trial"
    BACK_ID = "9" * 33 + "-realip-back"

    def files(self):
        return Grub2.files(self) + self.trial_files()

    def trial_files(self):
        return [self._file(self.TRIAL_ID), self._file(self.BACK_ID)]

    def trial_is_current(self, release, words):
        return all(self.machine.read_latin(name) == text for name, text in self._trial(release, words))

    def write_trial(self, release, words):
        """The way back first."""
        for name, text in self._trial(release, words):
            if name == self.custom:
                self._check_script(text)
                self._write_custom(text)
            elif text:
                self.machine.write_latin(name, text)
            else:
                self.machine.remove(name)

    def remove_trial(self):
        Grub2.remove_trial(self)
        for name in self.trial_files():
            self.machine.remove(name)

    def has_trial(self):
        return Grub2.has_trial(self) or any(self.machine.exists(name) for name in self.trial_files())

    def notes(self, release):
        if sources_custom(self._text()):
            return []
        return [
            "%s does not read custom.cfg (41_custom is missing), so a trial kernel that GRUB cannot load leaves the host in GRUB's menu"
            % self.config
        ]

    def generated_files(self):
        names = list_dir(self.machine.path(BLS_FOLDER))
        return Grub2.generated_files(self) + ["%s/%s" % (BLS_FOLDER, name) for name in names]

    def takes_trial(self):
        return True

    def _bls_entries(self):
        return bls_entries(self.machine.root or "/")

    def _order_of(self, text, env):
        self._orders.clear()  # The entries are files of their own, which change while grub.cfg stays.
        return Grub2._order_of(self, text, env)

    def _entries(self):
        return [entry for entry in self._bls_entries() if entry["id"] not in (self.TRIAL_ID, self.BACK_ID)]

    def _initramfs(self, entry):
        text = self.machine.read_latin(self._file(entry["id"])) if entry else ""
        words = [word for line in text.split("\n") if line.split()[:1] == ["initrd"] for word in line.split()[1:]]
        return [self._host_file(word) for word in words if not word.startswith("$")]

    def _body(self, entry):
        return self.machine.read(self._file(entry["id"])) if entry else None

    def _trial(self, release, words):
        """[(file, text that it has to have)]: the way back, what GRUB does when it cannot load the trial, the trial."""
        back = self._copied_file(self.old, back_title(self.old)) if self._entry(self.old) else ""
        trial = self._copied_file(release, trial_title(release), words)
        made = [
            parse_bls_entry(text, name + ".conf")
            for name, text in ((self.BACK_ID, back), (self.TRIAL_ID, trial))
            if text
        ]
        custom = rest = without_trial(self.machine.read_latin(self.custom))
        if sources_custom(self._text()):
            custom = self._with_section(rest, "", sort_bls(self._entries() + made))
        return [(self._file(self.BACK_ID), back), (self.custom, custom), (self._file(self.TRIAL_ID), trial)]

    def _copied_file(self, release, title, words=""):
        """The release's own file with another title and, for the trial, with its words on the command line."""
        lines, told = [], not words
        for line in self.machine.read_latin(self._file(self._entry(release)["id"])).rstrip("\n").split("\n"):
            field = line.split()[:1]
            if field == ["title"]:
                line = "title " + title
            elif field == ["options"] and not told:
                line, told = with_trial_words(line, words), True
            lines.append(line)
        if not told:
            raise TargetError(
                "loader_not_supported",
                "the entry of kernel %s in %s has no `options`" % (release, BLS_FOLDER),
                "install the kernel again, then run again",
            )
        return "\n".join(lines) + "\n"

    @staticmethod
    def _file(identity):
        return "%s/%s.conf" % (BLS_FOLDER, identity)
