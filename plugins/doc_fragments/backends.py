# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that take backends; the choices are those of plugins/plugin_utils/planner/decide.py."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils.doc_choices import choices
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.registry import BACKENDS


@choices(BACKENDS=BACKENDS)
class ModuleDocFragment:
    """Of modules that choose among backends; RECORDED is that of toa_monitor, which is told one."""

    DOCUMENTATION = r"""
options:
  backends:
    description: Backends that may be used, the preferred one first. Without it and without C(toa_backends), all, in the order of the choices.
    type: list
    elements: str
    choices: [BACKENDS]
"""

    RECORDED = r"""
options:
  backend:
    description: What was proved. Needed with O(state=recorded).
    type: str
    choices: [BACKENDS]
"""
