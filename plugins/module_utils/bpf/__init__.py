# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The eBPF backend on the host: bpf(2), the maps, and attaching our programs."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type
