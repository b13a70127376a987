# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A target module for the tests of the channel: says who it is, or misbehaves as it is told."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import sys

from ansible_collections.realip.toa.plugins.module_utils.hostio import TargetError


def main(args):
    return {
        "changed": False,
        "said": args.get("say"),
        "check": args["check"],
        "python": list(sys.version_info[:3]),
        "uid": os.getuid(),
        "path": sys.path,
    }
