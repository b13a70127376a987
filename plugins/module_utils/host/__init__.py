# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host itself: commands, files, lock, state file, and where its root folder is."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type
