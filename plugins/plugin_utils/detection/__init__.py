# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts saw of the load balancer's traffic, and the lines of an inventory that follow from it. Pure: no I/O, no clock."""
