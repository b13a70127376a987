# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB 2 whose entries are files in /boot/loader/entries (Boot Loader Specification): EL 8 and later, Alibaba Cloud Linux 3.

The same as bootloader/grub2.py but for the entries: each has its file, whose name is its id, and the trial entry is one more file.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import BLS_FOLDER, bls_entries
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2 import Grub2
from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import trial_title, with_trial_words
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError


class Grub2Bls(Grub2):
    """GRUB 2 with blscfg in its grub.cfg."""

    name = "grub2_bls"
    USES_BLS = True
    # Sorted below any machine-id, and so the last of the menu: where nothing is the default, GRUB takes the first.
    TRIAL_ID = "0-realip-trial"

    def files(self):
        return Grub2.files(self) + [self._file(self.TRIAL_ID)]

    def trial_files(self):
        return [self._file(self.TRIAL_ID)]

    def trial_is_current(self, release, words):
        return self.machine.read_latin(self._file(self.TRIAL_ID)) == self._trial_file(release, words)

    def write_trial(self, release, words):
        self.machine.write_latin(self._file(self.TRIAL_ID), self._trial_file(release, words))

    def remove_trial(self):
        self.machine.remove(self._file(self.TRIAL_ID))

    def has_trial(self):
        return self.machine.exists(self._file(self.TRIAL_ID))

    def notes(self, release):
        return []

    def _takes_trial(self):
        return True

    def _bls_entries(self):
        return bls_entries(self.machine.root or "/")

    def _order_of(self, text, env):
        self._orders.clear()  # The entries are files of their own, which change while grub.cfg stays.
        return Grub2._order_of(self, text, env)

    def _entries(self):
        return [entry for entry in self._bls_entries() if entry["id"] != self.TRIAL_ID]

    def _initramfs(self, entry):
        text = self.machine.read_latin(self._file(entry["id"])) if entry else ""
        words = [word for line in text.split("\n") if line.split()[:1] == ["initrd"] for word in line.split()[1:]]
        return ["/boot/" + os.path.basename(word) for word in words if not word.startswith("$")]

    def _body(self, entry):
        return self.machine.read(self._file(entry["id"])) if entry else None

    def _trial_file(self, release, words):
        """The release's own file with another title and with the trial's words on its command line."""
        lines, told = [], False
        for line in self.machine.read_latin(self._file(self._entry(release)["id"])).rstrip("\n").split("\n"):
            field = line.split()[:1]
            if field == ["title"]:
                line = "title " + trial_title(release)
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
