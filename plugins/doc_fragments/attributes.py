# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules support, in the words that most of them share; a module that differs says so in its own documentation."""

from __future__ import annotations


class ModuleDocFragment:
    """Of a module that changes hosts; READ_ONLY is that of a module that only looks."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    support: full
    description: Nothing is changed, and the result is that of a real run.
  diff_mode:
    support: full
    description: Shows the state before and after.
"""

    READ_ONLY = r"""
attributes:
  check_mode:
    support: full
    description: Changes nothing in any mode.
  diff_mode:
    support: full
    description: There is never a difference.
"""
