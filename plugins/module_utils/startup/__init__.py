# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs at boot: init systems, rc.local and the other places that load modules."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type
