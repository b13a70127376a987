# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building from source on a host: headers, compilers, modules and kernels."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type
