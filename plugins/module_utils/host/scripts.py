# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell scripts that we leave on hosts: files of their own beside our modules, packed with whichever module names them (channel/bundle.py)."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import sys


def script(name, **words):
    """The text of a script, from below module_utils, without the head that is about our sources. `words`: values for what it sets first."""
    root, folder = sys.modules[__name__.rpartition(".host.")[0]], os.path.dirname(os.path.abspath(__file__))
    packed = getattr(root, "SCRIPTS", {})
    if name in packed:
        source = packed[name]
    else:
        handle = open(os.path.join(os.path.dirname(folder), name), "rb")
        try:
            source = handle.read()
        finally:
            handle.close()
    text = "#!/bin/sh\n" + source.decode("ascii").split("\n\n", 1)[1]
    for word, value in words.items():
        line = "%s=%s" % (word, "'%s'" % value if " " in value else value)
        text, found = re.subn("(?m)^%s=.*$" % word, lambda _match, line=line: line, text, count=1)
        if not found:
            raise ValueError("%s sets no %s" % (name, word))
    return str(text)
