# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the collection: what they are, and whether what somebody has set is right."""
