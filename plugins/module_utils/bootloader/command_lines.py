# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a host keeps kernels' command lines: what a trial was told gets copied there by tools, and is taken out again.

kernel-install copies the running kernel's command line, grubby the default entry's or the last one's, grub2-mkconfig what is in the
settings: kernels that are installed during a trial, or weeks later, would all be "on trial", and reboot on a task that hangs.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import MARK_NAME, without_trial_words
from ansible_collections.realip.toa.plugins.module_utils.host.io import list_dir

BLS_FOLDER = "/boot/loader/entries"
# What kernel-install, grubby and the generators of menus take the command line of the next kernel from.
_SOURCES = ("/etc/kernel/cmdline", "/etc/kernel/cmdline.d", "/etc/default/grub", "/etc/default/grub.d", BLS_FOLDER)
_MOST_FILES = 500


def is_on_trial(machine):
    """The running kernel was told that it is on trial, by whichever trial."""
    return ("%s=" % MARK_NAME) in (machine.read("/proc/cmdline") or "")


class CommandLines:
    """For a backend, which has `machine` and says which files of the loader itself have command lines in them."""

    def places_with_trial_words(self):
        """Files with a trial's words in them, where no entry of the present trial has put them."""
        return [name for name in self._command_line_files() if self._told(name) != self.machine.read_latin(name)]

    def remove_trial_words(self, name):
        self.machine.write_latin(name, self._told(name))

    def _told(self, name):
        """The file's text as it is to be."""
        return without_trial_words(self.machine.read_latin(name))

    def _command_line_files(self):
        found = []
        for name in _SOURCES + tuple(self.loader_files()):
            below = [name]
            if self.machine.is_dir(name):
                below = ["%s/%s" % (name, entry) for entry in sorted(list_dir(self.machine.path(name)))]
            found.extend(path for path in below if path not in found and path not in self.trial_files())
        return found[:_MOST_FILES]

    @staticmethod
    def loader_files():
        """The loader's own files that have command lines."""
        return []

    @staticmethod
    def trial_files():
        """Files that belong to our trial."""
        return []
