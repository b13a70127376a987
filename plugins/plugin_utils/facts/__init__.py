# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a host, made of what it answered, or assumed for a machine that is not there."""
