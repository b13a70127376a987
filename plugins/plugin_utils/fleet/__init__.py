# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run over many hosts: selection, waves, maintenance windows, outcomes and progress."""
