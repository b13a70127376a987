# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's environment block and settings files, on text alone."""

from __future__ import absolute_import, division, print_function

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader.environment import parse_assignments, parse_grubenv
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_script import boot_order

OLD, NEW = "4.4.0-210-generic", "4.4.87.toa"
UBUNTU = fake_hosts.debian_cfg([NEW, OLD], default="${saved_entry}", name="Ubuntu")
OLD_SPEC = "gnulinux-advanced-2c1f>gnulinux-%s-advanced-2c1f" % OLD


def default_of(text, env=None, bls=()):
    return boot_order(text, env, bls)["default"]["release"]


def test_environment_block():
    block = fake_hosts.grubenv(saved_entry=OLD_SPEC, next_entry="1>0")
    assert len(block) == 1024
    assert parse_grubenv(block) == {"saved_entry": OLD_SPEC, "next_entry": "1>0"}
    assert parse_grubenv(fake_hosts.grubenv()) == {}


def test_environment_block_with_protected_characters():
    assert parse_grubenv(fake_hosts.ENV_HEADER + "title=back\\\\slash\\\nand a new line\nother=1\n###") == {
        "title": "back\\slash\nand a new line",
        "other": "1",
    }


@pytest.mark.parametrize("text", [None, "", "saved_entry=0\n", "#" * 1024, "# GRUB environment block\nx=1\n"])
def test_what_is_no_environment_block(text):
    assert parse_grubenv(text) is None


def test_assignments():
    text = '# GRUB_DEFAULT=1\nGRUB_DEFAULT=0\nexport GRUB_DEFAULT="saved" # why not\nGRUB_CMDLINE_LINUX="a=\\"b\\" c"\nGRUB_X=\'single $x\'\nbad line\n'
    assert parse_assignments(text) == {"GRUB_DEFAULT": "saved", "GRUB_CMDLINE_LINUX": 'a="b" c', "GRUB_X": "single $x"}
    assert parse_assignments(None) == {}
