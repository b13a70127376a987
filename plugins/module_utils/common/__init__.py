# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Knowledge that hosts and the controller share: pure data and pure functions, in the syntax of Python 2.6."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type
