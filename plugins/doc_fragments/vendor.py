# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of every module that goes by what a vendor's nodes send; the choices are those of plugins/plugin_utils/option_formats.py."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils.doc_choices import choices
from ansible_collections.realip.toa.plugins.plugin_utils.option_formats import VENDOR_CHOICES


@choices(VENDORS=VENDOR_CHOICES, VENDORS_OR_NONE=('""', *VENDOR_CHOICES))
class ModuleDocFragment:
    """PLAN is that of toa_plan, which also takes none."""

    DOCUMENTATION = r"""
options:
  vendor:
    description: Who sends the options. The default is C(toa_vendor).
    type: str
    choices: [VENDORS]
"""

    PLAN = r"""
options:
  vendor:
    description:
      - Whose nodes send the option. Without O(option_kinds), its profile says which formats are wanted.
      - Where neither is given, a host is fine with whatever formats the chosen backend reads.
    type: str
    choices: [VENDORS_OR_NONE]
"""
