# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot loaders of the host: which one it is, its menu, its default, and one trial boot with a way back."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type
