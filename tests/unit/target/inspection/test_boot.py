# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What facts say of boot loaders."""

from __future__ import absolute_import, division, print_function

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader import detect as boot_loader
from fake_hosts import (
    CENTOS6,
    FOLDER,
    LINK,
    MACHINE_ID,
    debian_cfg,
    grubenv,
    menuentry,
    mountinfo,
)
from look_samples import look

# -- boot


@pytest.mark.parametrize(
    "name, loader, config, default",
    [
        ("ubuntu1604", "grub2", "/boot/grub/grub.cfg", "4.4.87.toa"),
        ("debian8", "grub2", "/boot/grub/grub.cfg", "3.16.0-11-amd64"),
        ("centos7", "grub2", "/boot/grub2/grub.cfg", "3.10.0-693.el7.centos.toa.x86_64"),
        ("rocky9", "grub2_bls", "/boot/grub2/grub.cfg", "5.14.0-284.30.1.el9_2.x86_64"),
        ("centos6", "grub_legacy", "/boot/grub/grub.conf", "2.6.32-754.35.1.el6.x86_64"),
    ],
)
def test_boot_loaders(tmpdir, name, loader, config, default):
    boot = look(tmpdir, name)["boot"]
    one_shot = name != "centos6"
    assert (boot["loader"], boot["config"], boot["default"], boot["next"]) == (loader, config, default, None)
    assert (boot["env_writable"], boot["one_shot"], bool(boot["reason"])) == (one_shot, one_shot, not one_shot)
    assert boot["free_kib"] > 0


def test_boot_id(tmpdir):
    assert look(tmpdir, "debian8")["boot"]["boot_id"] == "5e0c2ad3-0001-4e4e-9a4f-000000000001"


def test_an_armed_kernel_is_next(tmpdir):
    spec = "gnulinux-advanced-2c1f>gnulinux-%s-advanced-2c1f"
    env = grubenv(saved_entry=spec % "4.4.0-210-generic", next_entry=spec % "4.4.87.toa")
    config = debian_cfg(["4.4.87.toa", "4.4.0-210-generic"], "${saved_entry}")
    boot = look(tmpdir, "ubuntu1604", {"/boot/grub/grub.cfg": config, "/boot/grub/grubenv": env})["boot"]
    assert (boot["default"], boot["next"]) == ("4.4.0-210-generic", "4.4.87.toa")


def test_a_saved_bls_entry(tmpdir):
    boot = look(
        tmpdir, "rocky9", {"/boot/grub2/grubenv": grubenv(saved_entry=MACHINE_ID + "-5.14.0-70.30.1.el9_0.x86_64")}
    )["boot"]
    assert boot["default"] == "5.14.0-70.30.1.el9_0.x86_64"


ON_LVM = {"/proc/self/mountinfo": mountinfo(("253:0", "/", "ext4", "rw")), "/sys/dev/block/253:0/dm/uuid": "LVM-wYz\n"}


@pytest.mark.parametrize(
    "layer, words",
    [
        (ON_LVM, "LVM"),
        (
            {
                "/proc/self/mountinfo": mountinfo(("253:0", "/", "ext4", "rw")),
                "/sys/dev/block/253:0/dm/uuid": "CRYPT-LUKS1-x\n",
            },
            "CRYPT",
        ),
        (
            {"/proc/self/mountinfo": mountinfo(("9:0", "/", "ext4", "rw")), "/sys/dev/block/9:0/md/level": "raid1\n"},
            "mdraid",
        ),
        ({"/proc/self/mountinfo": mountinfo(("0:34", "/", "btrfs", "rw"))}, "btrfs"),
        ({"/proc/self/mountinfo": mountinfo(("0:34", "/", "zfs", "rw"))}, "zfs"),
        ({"/proc/self/mountinfo": mountinfo(("8:1", "/", "ext4", "rw"), ("0:40", "/boot", "nfs4", "rw"))}, "nfs4"),
        (
            {"/proc/self/mountinfo": mountinfo(("8:1", "/", "ext4", "rw"), ("8:2", "/boot", "ext4", "ro,relatime"))},
            "read-only",
        ),
        ({"/proc/self/mountinfo": ""}, "mountinfo"),
        ({"/boot/grub/grubenv": "saved_entry=0\n"}, "not a GRUB environment block"),
        ({"/boot/grub/grubenv": (LINK, "../efi/EFI/debian/grubenv")}, "leads nowhere"),
    ],
)
def test_where_a_one_shot_boot_is_not_possible_the_reason_says_why(tmpdir, layer, words):
    boot = look(tmpdir, "debian8", layer)["boot"]
    assert (boot["env_writable"], boot["one_shot"]) == (False, False)
    assert words in boot["reason"]
    assert boot["default"] == "3.16.0-11-amd64"


def test_a_separate_boot_on_a_plain_disk_is_writable_whatever_the_root_is_on(tmpdir):
    layer = dict(
        ON_LVM, **{"/proc/self/mountinfo": mountinfo(("253:0", "/", "ext4", "rw"), ("8:1", "/boot", "ext2", "rw"))}
    )
    boot = look(tmpdir, "debian8", layer)["boot"]
    assert (boot["one_shot"], boot["reason"]) == (True, "")


def test_multipath_is_a_plain_disk_to_grub(tmpdir):
    layer = {
        "/proc/self/mountinfo": mountinfo(("253:1", "/", "ext4", "rw")),
        "/sys/dev/block/253:1/dm/uuid": "part1-mpath-3600\n",
    }
    assert look(tmpdir, "debian8", layer)["boot"]["one_shot"]


def test_a_missing_environment_block_can_be_made(tmpdir):
    boot = look(tmpdir, "debian8", {"/boot/grub/grubenv": None})["boot"]
    assert (boot["env_writable"], boot["one_shot"], boot["reason"]) == (True, True, "")


def test_a_configuration_written_by_hand_takes_no_armed_entry(tmpdir):
    boot = look(tmpdir, "debian8", {"/boot/grub/grub.cfg": "set default=0\n" + menuentry("a", "a", "3.16.0-11-amd64")})[
        "boot"
    ]
    assert (boot["env_writable"], boot["one_shot"]) == (True, False)
    assert boot["reason"] == "/boot/grub/grub.cfg does not take next_entry from the environment block"


def test_efi_on_enterprise_linux_7(tmpdir):
    layer = {
        "/sys/firmware/efi": (FOLDER, ""),
        "/etc/grub2-efi.cfg": (LINK, "../boot/efi/EFI/centos/grub.cfg"),
        "/boot/efi/EFI/centos/grub.cfg": fake_hosts.el7_cfg(["3.10.0-957.el7.x86_64"]),
        "/boot/efi/EFI/centos/grubenv": grubenv(),
        "/boot/grub2/grubenv": (LINK, "../efi/EFI/centos/grubenv"),
        "/boot/grub2/grub.cfg": None,
        "/proc/self/mountinfo": mountinfo(
            ("253:0", "/", "xfs", "rw"), ("8:2", "/boot", "xfs", "rw"), ("8:1", "/boot/efi", "vfat", "rw")
        ),
    }
    boot = look(tmpdir, "centos7", layer)["boot"]
    assert (boot["config"], boot["default"], boot["one_shot"]) == (
        "/boot/efi/EFI/centos/grub.cfg",
        "3.10.0-957.el7.x86_64",
        True,
    )


def test_the_efi_link_means_nothing_without_efi(tmpdir):
    boot = look(
        tmpdir,
        "centos7",
        {"/etc/grub2-efi.cfg": (LINK, "../boot/efi/EFI/centos/grub.cfg"), "/boot/efi/EFI/centos/grub.cfg": "x"},
    )["boot"]
    assert boot["config"] == "/boot/grub2/grub.cfg"


@pytest.mark.parametrize(
    "layer, words",
    [
        ({"/boot/grub/grub.cfg": None}, "no configuration of GRUB was found"),
        ({"/boot/grub/grub.cfg": "", "/boot/extlinux/extlinux.conf": "x"}, "extlinux"),
        (
            {
                "/boot/grub/grub.cfg": None,
                boot_loader.LOADER_INFO: b"\x06\0\0\0" + u"systemd-boot 252".encode("utf-16-le"),
            },
            "systemd-boot 252",
        ),
        ({boot_loader.LOADER_INFO: b"\x06\0\0\0" + u"systemd-boot 252".encode("utf-16-le")}, "systemd-boot 252"),
    ],
)
def test_other_boot_loaders(tmpdir, layer, words):
    boot = look(tmpdir, "debian8", layer)["boot"]
    assert (boot["loader"], boot["default"], boot["one_shot"]) == ("other", None, False)
    assert words in boot["reason"]


def test_grub_may_tell_the_firmware_its_name(tmpdir):
    layer = {boot_loader.LOADER_INFO: b"\x06\0\0\0" + u"GRUB 2.12".encode("utf-16-le")}
    assert look(tmpdir, "debian8", layer)["boot"]["loader"] == "grub2"


def test_grub_2_reading_a_legacy_menu_is_a_legacy_menu(tmpdir):
    boot = look(
        tmpdir, "centos6", {"/boot/grub/grub.cfg": "insmod legacycfg\nlegacy_configfile /boot/grub/menu.lst\n"}
    )["boot"]
    assert (boot["loader"], boot["default"]) == ("grub_legacy", "2.6.32-754.35.1.el6.x86_64")


def test_a_saved_legacy_default(tmpdir):
    text = CENTOS6["/boot/grub/grub.conf"].replace("default=1", "default=saved")
    boot = look(tmpdir, "centos6", {"/boot/grub/grub.conf": text, "/boot/grub/default": "0\n#\n#\n"})["boot"]
    assert boot["default"] == "2.6.32-220.23.1.el6.toa.x86_64"


def test_an_entry_that_names_its_kernel_by_a_link(tmpdir):
    layer = {
        "/boot/grub/grub.cfg": "set default=0\nmenuentry a {\n linux /vmlinuz root=/dev/sda1\n}\n",
        "/vmlinuz": (LINK, "boot/vmlinuz-3.16.0-11-amd64"),
    }
    assert look(tmpdir, "debian8", layer)["boot"]["default"] == "3.16.0-11-amd64"
