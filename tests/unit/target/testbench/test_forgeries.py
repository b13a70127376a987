# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option areas that strangers send."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii

import pytest
from ansible_collections.realip.toa.plugins.module_utils.testbench.forgeries import areas, mixed, readable

OPTION = binascii.unhexlify(b"c8081092cb007107")
LONG = b"\xfd\x14" + b"\x07" * 18


@pytest.mark.parametrize("option", [OPTION, LONG])
def test_every_area_fits_and_can_be_read(option):
    kind = ord(option[:1])
    found = areas(option)
    assert len(found) == len(set(name for name, _area in found)) >= 10
    for name, area in found:
        assert 0 < len(area) <= 40 and option in area, name
        assert readable(area, [kind]) == [kind], name
        assert readable(area.replace(option[:1], b"\x01"), [kind]) == []


def test_as_many_kinds_as_fit():
    assert mixed([OPTION, LONG]) == OPTION + LONG + OPTION
    assert readable(mixed([OPTION, LONG]), [200, 253, 254]) == [200, 253]


@pytest.mark.parametrize(
    "area, kinds",
    [
        ("", []),
        ("c8", []),
        ("c802", []),
        ("c808", []),
        ("01c80800000000000001", [200]),
        ("c801c80800000000000000", [200]),
    ],
)
def test_what_can_be_read(area, kinds):
    assert readable(binascii.unhexlify(area.encode("ascii")), [200]) == kinds
