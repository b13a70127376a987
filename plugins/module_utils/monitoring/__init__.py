# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is watched after a rollout: drift, and the files of the monitor."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type
