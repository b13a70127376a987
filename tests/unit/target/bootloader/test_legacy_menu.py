# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB legacy's menus, on text alone."""

from __future__ import absolute_import, division, print_function

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_script import boot_order
from ansible_collections.realip.toa.plugins.module_utils.bootloader.legacy_menu import parse_legacy_default, parse_menu_lst, pick_legacy

OLD, NEW = "4.4.0-210-generic", "4.4.87.toa"
UBUNTU = fake_hosts.debian_cfg([NEW, OLD], default="${saved_entry}", name="Ubuntu")
OLD_SPEC = "gnulinux-advanced-2c1f>gnulinux-%s-advanced-2c1f" % OLD


def default_of(text, env=None, bls=()):
    return boot_order(text, env, bls)["default"]["release"]


LEGACY = fake_hosts.CENTOS6["/boot/grub/grub.conf"]


def test_a_legacy_menu():
    menu = parse_menu_lst(LEGACY)
    assert [entry["release"] for entry in menu["entries"]] == [
        "2.6.32-220.23.1.el6.toa.x86_64",
        "2.6.32-754.35.1.el6.x86_64",
    ]
    assert [entry["spec"] for entry in menu["entries"]] == ["0", "1"]
    assert pick_legacy(menu)["release"] == "2.6.32-754.35.1.el6.x86_64"


@pytest.mark.parametrize(
    "line, saved, place",
    [
        ("default=0", None, 0),
        ("default 1", None, 1),
        ("default = 1", None, 1),
        ("default=saved", 1, 1),
        ("default saved", None, 0),
        ("default=7", None, 0),
        ("default=x", None, 0),
        ("#default=1", None, 0),
        ("default\t1", None, 1),
        ("default= 1", None, 1),
        ("DEFAULT=1", None, 1),
    ],
)
def test_the_default_of_a_legacy_menu(line, saved, place):
    menu = parse_menu_lst(line + "\n" + LEGACY.split("default=1\n")[1])
    assert pick_legacy(menu, saved) is menu["entries"][place]


def test_a_legacy_entry_without_a_kernel_counts():
    menu = parse_menu_lst(
        "default=1\ntitle Windows\nrootnoverify (hd0,0)\nchainloader +1\n"
        "title L\nkernel --no-mem-option /boot/vmlinuz-2.6.32-71.el6.x86_64 ro\n"
    )
    assert pick_legacy(menu)["release"] == "2.6.32-71.el6.x86_64"
    assert pick_legacy(menu)["options"] == "ro"
    assert pick_legacy(parse_menu_lst("")) is None


def test_a_xen_entry_of_a_legacy_menu_boots_its_module():
    menu = parse_menu_lst(
        "title Xen\nkernel /xen.gz dom0\nmodule /vmlinuz-2.6.18-8.el5xen ro\nmodule /initrd-2.6.18-8.el5xen.img\n"
    )
    assert menu["entries"][0]["release"] == "2.6.18-8.el5xen"


def test_the_legacy_default_file():
    assert parse_legacy_default("2\n#\n#\n#\n") == 2
    assert parse_legacy_default("") is None
    assert parse_legacy_default(None) is None
