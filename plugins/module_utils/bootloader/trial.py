# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A trial boot: what its entry is called, and what its kernel is told."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type


# Said on the kernel command line of a trial boot.
TRIAL_MARK = "realip_toa.trial=1"


def trial_title(release):
    return "Trial boot of %s (realip.toa)" % release


def with_trial_options(line, panic):
    """A kernel line with what a trial boot is told; the kernel takes the last `panic=` that it is given."""
    return "%s panic=%d %s" % (line.rstrip(), panic, TRIAL_MARK)
