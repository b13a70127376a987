# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python that a unit or a crontab of root's runs: one that nobody but root can change.

The one that runs us may be anybody's: an inventory can name a virtual environment in somebody's home.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import sys

from ansible_collections.realip.toa.plugins.module_utils.host.io import COMMAND_PATH, TargetError, run
from ansible_collections.realip.toa.plugins.module_utils.host.own_folder import who_else

# What can be written into a unit or a crontab.
_PLAIN = re.compile(r"/[A-Za-z0-9_./+-]+\Z")
_PLATFORM = "/usr/libexec/platform-python"
_NAMES = ("python3", "python", "python2", "python2.7", "python2.6")
# Nothing that the caller's environment, the user's own modules or a .pth file could add.
OPTIONS = ("-E", "-s", "-S")
_ASKED = "import os, sys, zlib; print(os.path.dirname(os.__file__)); sys.exit(sys.version_info[:2] < (2, 6))"


def for_root():
    """Path of a Python that a timer of root's may run; ours, if that is one. TargetError `unsafe_interpreter` where there is none."""
    refused = []
    places = [os.path.join(folder, name) for name in _NAMES for folder in COMMAND_PATH.split(":")]
    for path in [sys.executable or ""] + [place for place in [_PLATFORM] + places if os.path.exists(place)]:
        why = problem_of(path)
        if not why:
            return path
        refused.append("%s (%s)" % (path, why))
    raise TargetError(
        "unsafe_interpreter",
        "no Python of this host is root's alone: %s" % ("; ".join(refused[:4])),
        "install the distribution's own Python, or give its folders back to root",
    )


def problem_of(path):
    """Why root had better not run this Python again and again, or ""."""
    if not _PLAIN.match(path):
        return "its path cannot be written into a unit or a crontab"
    why = who_else(path)
    if why:
        return why
    if path == sys.executable:  # no need to ask another one
        return who_else(os.path.dirname(os.path.abspath(os.__file__)))
    code, out, _err = run([path] + list(OPTIONS) + ["-c", _ASKED], timeout=30)
    library = out.strip()
    if code != 0 or not library:
        return "it does not run, or is older than 2.6"
    return who_else(library)
