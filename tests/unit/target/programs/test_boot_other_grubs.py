# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""boot.py where a distribution has changed GRUB 2: Ubuntu's cloud images, which boot without an initramfs; SLES on Btrfs."""

from __future__ import absolute_import, division, print_function

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import look
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2_text import with_initrd
from boot_samples import NEW, STOCK, UbuntuCloud
from el_samples import NEW7, STOCK7, TITLE7, Suse


@pytest.fixture
def ubuntu(tmp_path):
    return UbuntuCloud(tmp_path)


@pytest.fixture
def suse(tmp_path):
    return Suse(tmp_path)


# -- Ubuntu's cloud images ----------------------------------------------------------------------------------------------------


def arm(host):
    host.do("default", host.stock)
    host.install(host.new)
    return host.do("armed", host.new)


def test_the_image_boots_without_an_initramfs_and_the_trial_with_it(ubuntu):
    assert ubuntu.text("/boot/grub/grub.cfg").count("attempting initrdless boot") >= 2
    arm(ubuntu)
    custom = ubuntu.text("/boot/grub/custom.cfg")
    assert "initrd\t/boot/initrd.img-" + NEW in custom
    assert "panic=-1" not in custom and "initrdfail" not in custom
    assert ubuntu.boot() == NEW
    assert ubuntu.told_of_trial() and "panic=-1" not in ubuntu.text("/proc/cmdline")
    assert ubuntu.boot() == STOCK


@pytest.mark.parametrize(
    "rests", [{"initrdfail": "1"}, {"initrdfail": "1", "prev_entry": "0"}, {"initrdfail": "1", "prev_entry": ""}]
)
def test_what_is_left_over_from_a_boot_without_initramfs_is_no_obstacle(ubuntu, rests):
    """GRUB would take `prev_entry` instead of what is armed: stale, it would never boot the trial."""
    ubuntu.do("default", STOCK)
    ubuntu.install(NEW)
    values = ubuntu.environment()
    values.update(rests)
    ubuntu.set_environment(values)
    assert look(ubuntu.root)["one_shot"]
    assert ubuntu.do("armed", NEW)["after"]["next"] == NEW
    assert ubuntu.boot() == NEW
    assert ubuntu.boot() == STOCK


def test_what_is_left_over_after_arming_is_seen(ubuntu):
    arm(ubuntu)
    ubuntu.set_environment(dict(ubuntu.environment(), initrdfail="1"))
    assert ubuntu.do("armed", NEW)["changed"]
    assert ubuntu.boot() == NEW


def test_branches_that_say_nothing_about_an_initramfs_stay():
    lines = [
        "menuentry 'x' {",
        "\tif [ a = b ]; then",
        "\t\tinsmod one",
        "\telse",
        "\t\tinsmod two",
        "\tfi",
        "\tif [ x = y ]; then insmod gzio; fi",
        "\tlinux /vmlinuz-1 ro",
        "\tinitrd /initrd-1",
        "}",
    ]
    assert with_initrd(lines) == lines


def test_the_branch_with_the_initramfs_is_taken_wherever_it_stands():
    body = [
        "{",
        "if [ a ]; then",
        "  linux /v ro",
        "elif [ b ]; then",
        "  if [ c ]; then",
        "    insmod x",
        "  fi",
        "  linux /v ro",
        "  initrd /i",
        "fi",
        "}",
    ]
    assert with_initrd(body) == ["{", "  if [ c ]; then", "    insmod x", "  fi", "  linux /v ro", "  initrd /i", "}"]


# -- SLES on Btrfs ------------------------------------------------------------------------------------------------------------


def test_btrfs_is_no_obstacle_where_grub_has_a_place_of_its_own(suse, monkeypatch):
    suse.do("default", STOCK7)
    suse.install(NEW7)
    result = suse.do("armed", NEW7)
    assert result["one_shot"] == {"possible": True, "reason": ""}
    assert result["after"]["next"] == NEW7
    assert "next_entry" not in suse.environment()
    assert not suse.do("armed", NEW7)["changed"]
    assert suse.boot() == NEW7
    assert suse.boot() == STOCK7


def test_an_entry_that_is_armed_outside_of_the_file_is_taken_back(suse):
    suse.do("default", STOCK7)
    suse.install(NEW7)
    suse.do("armed", NEW7)
    suse.do("reverted")
    assert suse.tools.kept_outside == {}
    assert suse.boot() == STOCK7


def test_btrfs_without_such_a_place_is_what_it_was(suse):
    suse.set_environment({"saved_entry": TITLE7 % STOCK7})
    found = look(suse.root)
    assert (found["one_shot"], found["env_writable"]) == (False, False)
    assert "btrfs, which GRUB cannot write to" in found["reason"]


def test_the_facts_see_what_is_armed_outside_of_the_file(suse, monkeypatch):
    """A look reads files; only where the file says that it is not all is GRUB's editor asked."""
    from ansible_collections.realip.toa.plugins.module_utils.bootloader import detect

    suse.do("default", STOCK7)
    suse.install(NEW7)
    suse.do("armed", NEW7)
    monkeypatch.setattr(detect, "Machine", lambda root: suse.machine)
    found = look(suse.root)
    assert (found["one_shot"], found["default"], found["next"]) == (True, STOCK7, NEW7)
