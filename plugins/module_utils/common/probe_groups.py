# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of cases that a probe tries on request."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

GROUPS = ("ipv6", "mptcp", "defer_accept", "syn_cookies", "fastopen", "spoof")

# The families of sockets that a program listens with: AF_INET, and AF_INET6, which takes IPv4 too.
LISTENERS = ("inet", "inet6")
