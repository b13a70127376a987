# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of every module that goes by what a vendor's nodes send."""

from __future__ import annotations


class ModuleDocFragment:
    """The choices are those of plugins/plugin_utils/formats.py; a test holds them equal."""

    DOCUMENTATION = r"""
options:
  vendor:
    description: Who sends the options. The default is C(toa_vendor).
    type: str
    choices: [tencent, alibaba, alibaba_cdn, huawei, ucloud, dpvs, netscaler, akamai, f5, custom]
"""
