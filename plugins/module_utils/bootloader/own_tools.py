# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The distribution's own tools are asked what they take for the default: where they see another one than GRUB, their next write makes it so."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import release_of_image


class OwnTools:
    """For a backend, which has `machine`."""

    def disagreement(self, release):
        """What grubby says against this release being the default, or "". A host without grubby has nobody who could disagree."""
        grubby = self.machine.command("grubby")
        if grubby is None:
            return ""
        rc, out, err = self.machine.run([grubby, "--default-kernel"], timeout=60)
        path = ([line for line in out.split("\n") if line.startswith("/")] or [""])[-1]
        said = release_of_image(path) or (os.path.basename(os.path.dirname(path)) if path else "")
        if rc == 0 and said == release:
            return ""
        return "`grubby --default-kernel` says %s instead of %s" % (
            said or (err.strip() or out.strip() or "nothing")[-200:],
            release,
        )
