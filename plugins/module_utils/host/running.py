# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernel counts: the one that runs us, or in an image the one that will run it.

An image is a root file system that is not running. This program then works inside of it (inspection/image.py), on a kernel that is the build host's:
nothing may be asked of that one, loaded into it or started by it.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

# {"release": of the kernel that the image boots} once this program is in one.
_IMAGE = {}


def in_image():
    """Do we work on a root file system that is not running?"""
    return bool(_IMAGE)


def now_in_image(release):
    """From here on this program works in an image; `release` is that of the kernel which it boots, "" where it has none."""
    _IMAGE["release"] = release


def uname():
    """As os.uname() has it, of the kernel that counts. A machine that does not run yet has no name and no build of a kernel."""
    real = os.uname()
    return (real[0], "", _IMAGE["release"], "", real[4]) if _IMAGE else tuple(real)


def kernel():
    """`uname -r` of the kernel that counts."""
    return uname()[2]
