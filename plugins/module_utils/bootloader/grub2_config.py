# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""grub.cfg gets the default that the settings say, and no entry gets another command line by that."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.backup import Backup
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2_menu import Grub2Menu
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2_text import with_set_default
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import bootable

# Variables of the environment block that are about what boots, and not about how.
_ABOUT_WHAT_BOOTS = ("saved_entry", "next_entry", "prev_saved_entry", "prev_entry", "initrdfail", "boot_success")


class Grub2Config(Grub2Menu):
    """Writes grub.cfg."""

    def settle_config(self):
        """The line that sets `default`, by the generator where that is Debian's way, by itself where a generator would do more.

        On Enterprise Linux a generator takes command lines from settings that nobody has kept up to date: grubby changed the entries.
        """
        if self._config_default() == self._expected_default():
            return
        if not self.machine.command("update-grub") and self._set_default_line():
            return
        before = self.command_lines()
        backup = Backup(self.machine, self.generated_files())
        variables = self._env()
        self._generate()
        after = self.command_lines()
        if any(after[name] != line for name, line in before.items() if name in after):
            backup.put_back()
            self._put_variables_back(variables)
            self._set_default_line()

    def command_lines(self):
        """{entry: command line that its kernel gets}, of all entries but ours."""
        variables = self._env()
        return dict(
            (
                entry["spec"] + " " + entry["release"],
                re.sub(r"\$\{?(\w+)\}?", lambda match: variables.get(match.group(1), match.group(0)), entry["options"]),
            )
            for entry in bootable(self._entries())
        )

    def generated_files(self):
        """Files that a generator of menus writes."""
        return [self.config, "/etc/kernel/cmdline"]

    def _set_default_line(self):
        """True where that was enough."""
        text = self.machine.read_latin(self.config)
        wanted = with_set_default(text, self._expected_default().encode("utf-8").decode("latin-1"))
        if wanted != text:
            self.machine.write_latin(self.config, wanted)
        return self._config_default() == self._expected_default()

    def _put_variables_back(self, before):
        now = self._env()
        for name in sorted(set(before) | set(now)):
            if name in _ABOUT_WHAT_BOOTS or before.get(name) == now.get(name):
                continue
            if name in before:
                self._edit_env("set", "%s=%s" % (name, before[name]))
            else:
                self._edit_env("unset", name)
