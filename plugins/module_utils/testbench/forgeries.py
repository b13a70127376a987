# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Option areas by which a stranger gets an address past a filter that strips one option and stops. Pure.

Each area holds at least one complete forged option. What stands beside it is what some filter or some reader stumbles over: copies, options
of the same kind without a value, lengths that no option has, other kinds. The filter's trial and the proof's group `spoof` send them all.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import struct

from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import OPTIONS, STANDARD_KINDS

EOL, NOP = 0, 1


def areas(option):
    """[(name, bytes)] around one complete forged option; those that do not fit in a header are left out."""
    kind = option[:1]
    bare, short, none = kind + b"\x02", kind + b"\x01", kind + b"\x00"
    room = OPTIONS - len(option)
    found = [
        ("twice", option * 2),
        ("as often as it fits", option * (OPTIONS // len(option))),
        ("behind a bare kind", bare + option),
        ("behind bare kinds", bare * (room // 2) + option),
        ("before a bare kind", option + bare),
        ("behind a length of one", short + option),
        ("behind lengths of one", short * (room // 2) + option),
        ("behind a length of zero", none + option),
        ("behind another length", kind + b"\x04\x00\x00" + option),
        ("behind a kind of nobody", b"\x6f\x03\x00" + option),
        ("at the end", b"\x01" * room + option),
        ("before a kind cut short", option + b"\x01" * (room - 1) + kind if room else option),
    ]
    return [(name, area) for name, area in found if len(area) <= OPTIONS]


def mixed(options):
    """Several kinds in one header, there and back: as many as fit."""
    area = b""
    for option in list(options) + list(options)[::-1]:
        if len(area) + len(option) <= OPTIONS:
            area += option
    return area


def readable(area, kinds):
    """Kinds of `kinds` that some reader finds in an option area: one that stops at what is broken, or one that steps over it."""
    found, at = set(), 0
    while at < len(area) - 1:
        kind, length = struct.unpack("!BB", area[at : at + 2])
        if kind in (EOL, NOP):
            at += 1
            continue
        if kind in kinds and kind not in STANDARD_KINDS and length > 2 and at + length <= len(area):
            found.add(kind)
        at += max(length, 1)
    return sorted(found)
