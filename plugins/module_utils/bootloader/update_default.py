# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a kernel that is installed becomes the default by itself: UPDATEDEFAULT of Enterprise Linux, in /etc/sysconfig/kernel.

grubby, new-kernel-pkg and kernel-install read it, whatever boots the host: a default that is pinned stays only where it says no.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

KERNEL_SETTINGS = "/etc/sysconfig/kernel"
_UPDATE_DEFAULT = re.compile(r"^([ \t]*UPDATEDEFAULT=)(.*)$", re.M)


class UpdateDefault:
    """For a backend, which has `machine`."""

    def follows_installs(self):
        value = self._update_default()
        return value is not None and value.strip().strip("\"'") == "yes"

    def stop_following(self):
        if self.follows_installs():
            self._write_update_default("no")

    def update_default_of_before(self):
        """For the record: the value, byte for byte, or None where nothing sets it."""
        return self._update_default()

    def follow_again(self, before):
        """As it was before us, unless somebody has set something else since."""
        if before is not None and before != "no" and self._update_default() == "no":
            self._write_update_default(before)

    def _update_default(self):
        found = _UPDATE_DEFAULT.findall(self.machine.read_latin(KERNEL_SETTINGS))
        return found[-1][1] if found else None

    def _write_update_default(self, value):
        text = self.machine.read_latin(KERNEL_SETTINGS)
        last = list(_UPDATE_DEFAULT.finditer(text))[-1]
        self.machine.write_latin(KERNEL_SETTINGS, text[: last.start(2)] + value + text[last.end(2) :])
