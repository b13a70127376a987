# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions and BLS entries, on text alone."""

from __future__ import absolute_import, division, print_function

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader.bls import compare_versions, parse_bls_entry, sort_bls
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_script import boot_order
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import pick_entry

OLD, NEW = "4.4.0-210-generic", "4.4.87.toa"
UBUNTU = fake_hosts.debian_cfg([NEW, OLD], default="${saved_entry}", name="Ubuntu")
OLD_SPEC = "gnulinux-advanced-2c1f>gnulinux-%s-advanced-2c1f" % OLD


def default_of(text, env=None, bls=()):
    return boot_order(text, env, bls)["default"]["release"]


@pytest.mark.parametrize(
    "left, right, order",
    [
        ("1.0", "1.0", 0),
        ("1.0", "2.0", -1),
        ("2.0.1", "2.0", 1),
        ("5.5p1", "5.5p10", -1),
        ("10xyz", "10.1xyz", -1),
        ("xyz.4", "8", -1),
        ("1.0~rc1", "1.0", -1),
        ("1.0~rc1", "1.0~rc2", -1),
        ("1.0^", "1.0", 1),
        ("1.0^", "1.0.1", -1),
        ("007", "7", 0),
        ("1160", "693", 1),
        ("70.30.1.el9_0", "284.el9", -1),
        ("", "1", -1),
    ],
)
def test_versions_compare_as_rpm_has_it(left, right, order):
    assert (compare_versions(left, right), compare_versions(right, left)) == (order, -order)


def test_bls_entries_are_sorted_as_blscfg_does():
    releases = [
        "5.14.0-70.30.1.el9_0.x86_64",
        "0-rescue",
        "5.14.0-284.30.1.el9_2.x86_64",
        "6.0.6-1.el9.elrepo.x86_64",
        "5.14.0-284.el9.x86_64",
    ]
    entries = []
    for release in releases:
        path, text = fake_hosts.bls(fake_hosts.MACHINE_ID, release)
        entries.append(parse_bls_entry(text, path.rsplit("/", 1)[1]))
    assert [entry["release"] for entry in sort_bls(entries)] == [
        "6.0.6-1.el9.elrepo.x86_64",
        "5.14.0-284.30.1.el9_2.x86_64",
        "5.14.0-284.el9.x86_64",
        "5.14.0-70.30.1.el9_0.x86_64",
        "0-rescue",
    ]


def test_a_bls_entry():
    path, text = fake_hosts.bls(fake_hosts.MACHINE_ID, "5.14.0-70.30.1.el9_0.x86_64")
    entry = parse_bls_entry("# comment\nlinux /vmlinuz\n" + text, path.rsplit("/", 1)[1])
    assert entry["id"] == fake_hosts.MACHINE_ID + "-5.14.0-70.30.1.el9_0.x86_64"
    assert (entry["image"], entry["release"]) == ("/vmlinuz", "5.14.0-70.30.1.el9_0.x86_64")
    assert parse_bls_entry("", "x.conf")["release"] == ""


def test_a_machine_id_that_starts_with_a_digit_is_no_number():
    path, text = fake_hosts.bls("0123", "5.14.0-70.el9.x86_64")
    other = parse_bls_entry(fake_hosts.bls("0123", "5.14.0-99.el9.x86_64")[1], "0123-5.14.0-99.el9.x86_64.conf")
    entries = sort_bls([other, parse_bls_entry(text, path.rsplit("/", 1)[1])])
    assert pick_entry(entries, "0123-5.14.0-70.el9.x86_64")["release"] == "5.14.0-70.el9.x86_64"
