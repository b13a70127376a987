# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision: facts, policy and catalog in, plan out. Pure."""
