# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewall rules that strip the option from packets of untrusted sources, and the trial of those rules."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type
