# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the units of the eBPF backend may do is enough for what they do."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bpf.units import UNIT_TEXT, WATCH_TEXT


@pytest.mark.parametrize("text", [UNIT_TEXT, WATCH_TEXT])
def test_maps_may_be_made_before_linux_5_11(text):
    """There they count as locked memory. Without CAP_SYS_RESOURCE a unit cannot raise its limit: after a boot nothing was attached on 5.10."""
    assert "LimitMEMLOCK=infinity" in text.splitlines()
