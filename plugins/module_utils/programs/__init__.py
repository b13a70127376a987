# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry points: one file for each action, with main(args). Nothing else imports them."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type
