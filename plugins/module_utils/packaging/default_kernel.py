# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel that is installed does not become what boots next: with UPDATEDEFAULT=yes (Enterprise Linux's default) it would, before it has an initramfs.

grubby, new-kernel-pkg and kernel-install read /etc/sysconfig/kernel, a shell script. Its line says no while the package manager runs; the line
that was there stands above it as a comment, so that a run that was killed is mended by the next one.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import read_bytes
from ansible_collections.realip.toa.plugins.module_utils.host.writing import write_atomic

SETTINGS = "etc/sysconfig/kernel"
_MARKER = "# realip.toa, while a kernel is installed; the line was: "
_LINE = re.compile(r"(?m)^[ \t]*UPDATEDEFAULT=.*$")
_OURS = re.compile(r"(?m)^" + re.escape(_MARKER) + r"(.*)\n[ \t]*UPDATEDEFAULT=no[ \t]*$")
_MOST = 1 << 16


class DefaultStays:
    """Context in which a kernel's installation leaves the default of the boot loader alone. `root` is "/" on a host."""

    def __init__(self, root="/"):
        self.path = os.path.join(root, SETTINGS)

    def __enter__(self):
        text = self._text()
        if text is not None:
            self._write(text, _LINE.sub(self._replaced, _OURS.sub(_original, text)))
        return self

    def __exit__(self, *unused):
        self.put_back()
        return False

    def put_back(self):
        """The line that was there, where ours is in its place."""
        text = self._text()
        if text is not None:
            self._write(text, _OURS.sub(_original, text))

    @staticmethod
    def _replaced(match):
        line = match.group(0)
        return line if re.match(r"[ \t]*UPDATEDEFAULT=[\"']?no\b", line) else "%s%s\nUPDATEDEFAULT=no" % (_MARKER, line)

    def _text(self):
        """Bytes are kept as they are, whatever their encoding."""
        data = read_bytes(self.path, _MOST)
        return None if data is None or len(data) == _MOST else data.decode("latin-1")

    def _write(self, old, new):
        if new != old:
            write_atomic(self.path, new.encode("latin-1"))


def _original(match):
    return match.group(1)
