# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of one segment."""

from __future__ import absolute_import, division, print_function

import pytest
from ansible_collections.realip.toa.plugins.module_utils.detection import segment


@pytest.mark.parametrize(
    "kind, length, body, seen",
    [
        (254, 8, "1092cb007107", ("203.0.113.7", 4242, None)),
        (254, 16, "1092cb00710701bb0000c6336442", ("203.0.113.7", 4242, None)),
        (254, 20, "109220010db8" + "00" * 11 + "07", ("2001:db8::7", 4242, None)),
        (249, 40, "109220010db8" + "00" * 11 + "07" + "aa" * 20, ("2001:db8::7", 4242, None)),
        (28, 7, "01cb007107", ("203.0.113.7", None, 1)),
        (28, 19, "0120010db8" + "00" * 11 + "07", ("2001:db8::7", None, 1)),
        (254, 12, "00" * 10, None),
    ],
)
def test_the_client_in_an_option(kind, length, body, seen):
    assert segment.client(kind, length, bytes(bytearray.fromhex(body))) == seen
