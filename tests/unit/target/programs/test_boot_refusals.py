# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""boot.py where it must not go on, and where it may: refusals, and what is told."""

from __future__ import absolute_import, division, print_function

import os
import struct

import pytest
from boot_samples import NEW, OLDER, STOCK, Host, arm, refused, spec_of

IDLE = {"default": STOCK, "next": None, "trial": None, "watchdog": False}
STATE_FILE = "/var/lib/realip-toa/state.json"


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_wrong_kernel_is_not_confirmed(host):
    arm(host)
    error = refused(host, "wrong_kernel", "confirmed", NEW)
    assert NEW in error.message and STOCK in error.message


def test_kernel_that_is_not_installed(host):
    refused(host, "kernel_incomplete", "armed", NEW)
    refused(host, "no_boot_entry", "default", NEW)


@pytest.mark.parametrize("missing", ["/boot/vmlinuz-" + NEW, "/boot/initrd.img-" + NEW])
def test_kernel_that_is_half_installed(host, missing):
    host.install(NEW)
    host.write(missing, b"")
    assert missing in refused(host, "kernel_incomplete", "armed", NEW).message
    host.remove(missing)
    assert missing in refused(host, "kernel_incomplete", "armed", NEW).message


def test_kernel_that_was_cut_off(host):
    """GRUB may start what is there of an image, and that halts: no fallback, no watchdog."""
    host.do("default", STOCK)
    host.install(NEW)
    head = b"\0" * 0x1F1 + b"\x01\0\0" + struct.pack("<I", 64) + b"\0" * 10 + b"HdrS" + b"\x0f\x02"
    host.write("/boot/vmlinuz-" + NEW, head.ljust(2047, b"x"))
    assert "is cut off: it has 2047 of 2048 bytes" in refused(host, "kernel_incomplete", "armed", NEW).message
    host.write("/boot/vmlinuz-" + NEW, head.ljust(2048, b"x"))
    assert host.do("armed", NEW)["changed"]


def test_kernel_without_modules(host):
    host.install(NEW)
    os.rmdir(host.path("/lib/modules/" + NEW))
    refused(host, "kernel_incomplete", "armed", NEW)


def test_kernel_without_an_initramfs_where_the_running_one_has_one(host):
    host.install(NEW)
    text = host.text("/boot/grub/grub.cfg")
    host.write("/boot/grub/grub.cfg", text.replace("initrd\t/boot/initrd.img-" + NEW, "true"))
    assert "no initramfs" in refused(host, "kernel_incomplete", "armed", NEW).message


@pytest.mark.parametrize(
    "mount, extra, said",
    [
        ("ext4", {"/sys/dev/block/8:1/dm/uuid": "LVM-abc"}, "device-mapper volume (LVM)"),
        ("ext4", {"/sys/dev/block/8:1/dm/uuid": "CRYPT-LUKS2-abc"}, "device-mapper volume (CRYPT)"),
        ("ext4", {"/sys/dev/block/8:1/md/level": "raid1"}, "software RAID"),
        ("btrfs", {}, "is on btrfs"),
        ("zfs", {}, "is on zfs"),
    ],
)
def test_one_shot_that_would_stay_for_ever(host, mount, extra, said):
    host.install(NEW)
    host.boot(STOCK)
    host.write("/proc/self/mountinfo", "22 1 8:1 / / rw - %s /dev/sda1 rw\n" % mount)
    for name, text in extra.items():
        host.write(name, text)
    error = refused(host, "no_fallback", "armed", NEW)
    assert said in error.message
    result = host.do("armed", NEW, accept_no_fallback=True)
    assert not result["one_shot"]["possible"] and said in result["one_shot"]["reason"]
    assert said in result["notes"][0]
    assert host.environment()["next_entry"] == "realip-toa-trial"


def test_multipath_is_a_plain_disk_to_grub(host):
    host.write("/sys/dev/block/8:1/dm/uuid", "part1-mpath-3600508b4")
    assert arm(host)["one_shot"]["possible"]


def test_boot_on_a_partition_of_its_own_decides(host):
    host.write(
        "/proc/self/mountinfo",
        "22 1 253:0 / / rw - ext4 /dev/mapper/vg-root rw\n23 22 8:1 / /boot rw shared:2 master:1 - ext4 /dev/sda1 rw\n",
    )
    host.write("/sys/dev/block/253:0/dm/uuid", "LVM-abc")
    assert arm(host)["one_shot"]["possible"]


def test_configuration_that_does_not_know_one_shots(host):
    host.install(NEW)
    host.boot(STOCK)
    host.write("/boot/grub/grub.cfg", host.text("/boot/grub/grub.cfg").replace("next_entry", "nobody"))
    assert "does not take next_entry" in refused(host, "no_fallback", "armed", NEW).message


def test_running_kernel_that_has_left_the_menu(host):
    host.install(NEW)
    host.boot(OLDER)
    error = refused(host, "no_fallback", "armed", NEW)
    assert OLDER in error.message


def test_without_a_service_manager_there_is_no_watchdog(host):
    arm(host)
    host.do("reverted")
    os.rmdir(host.path("/run/systemd/system"))
    refused(host, "no_watchdog", "armed", NEW)
    result = host.do("armed", NEW, watchdog=False)
    assert result["after"]["watchdog"] is False
    assert "no trial watchdog" in result["notes"][0]
    assert host.boot() == NEW


@pytest.mark.parametrize(
    "files, said",
    [
        ({"/boot/loader/entries/x.conf": "title x\n"}, "no grub.cfg that reads them"),
        ({"/boot/grub/menu.lst": "default 0\n"}, "GRUB legacy"),
        ({}, "neither /boot/grub/grub.cfg"),
    ],
)
def test_other_boot_loaders(host, files, said):
    host.remove("/boot/grub/grub.cfg")
    for name, text in files.items():
        host.write(name, text)
    for state, kernel in (("default", STOCK), ("armed", NEW), ("confirmed", NEW)):
        assert said in refused(host, "loader_not_supported", state, kernel).message
    result = host.do("reverted", restore=True)
    assert (result["changed"], result["notes"], result["one_shot"]["possible"]) == (
        False,
        ["nothing was armed here"],
        False,
    )


def test_boot_loader_that_has_gone_since_it_was_armed(host):
    arm(host)
    host.remove("/boot/grub/grub.cfg")
    refused(host, "loader_not_supported", "reverted")


@pytest.mark.parametrize(
    "args",
    [
        {"state": "fired"},
        {"state": None},
        {"state": "armed"},
        {"state": "armed", "kernel": ""},
        {"state": "armed", "kernel": "../../etc"},
        {"state": "armed", "kernel": "4.4 x"},
        {"state": "armed", "kernel": "4.4\n"},
        {"state": "armed", "kernel": NEW, "panic": 0},
        {"state": "armed", "kernel": NEW, "confirm_timeout": 5},
        {"state": "armed", "kernel": NEW, "confirm_timeout": "600"},
        {"state": "armed", "kernel": NEW, "panic": True},
        {"state": "armed", "kernel": NEW, "restore": True},
    ],
)
def test_bad_options_name_the_option(host, args):
    error = refused(host, "bad_option", **dict({"kernel": None}, **args))
    assert any(name in error.message for name in ("state", "kernel", "panic", "confirm_timeout", "restore"))


def test_two_controllers_at_once(host, monkeypatch):
    from ansible_collections.realip.toa.plugins.module_utils.host.lock import HostLock

    monkeypatch.setattr(HostLock, "TIME_LIMIT", 0)
    with HostLock(host.path("/run/realip-toa/lock")):
        refused(host, "host_locked", "default", STOCK)
        assert host.do("default", STOCK, check=True)["changed"]


def test_other_timeout_or_panic_is_a_change(host):
    arm(host)
    assert "timeout=600\n" in host.text("/var/lib/realip-toa/watchdog.conf")
    assert host.do("armed", NEW, confirm_timeout=900)["steps"] == ["install the trial watchdog"]
    assert "timeout=900\n" in host.text("/var/lib/realip-toa/watchdog.conf")
    result = host.do("armed", NEW, confirm_timeout=900, panic=5)
    assert result["steps"][0] == "write the trial entry of 4.4.87.toa"
    host.boot()
    assert "panic=5" in host.text("/proc/cmdline").split()


def test_custom_cfg_of_the_operator_stays(host):
    own = b"menuentry 'Memory test \xe9' {\n\tlinux16 /boot/memtest\n}\n"
    host.write("/boot/grub/custom.cfg", own)
    arm(host)
    assert host.read("/boot/grub/custom.cfg").startswith(own)
    assert host.boot() == NEW
    host.do("confirmed", NEW)
    assert host.read("/boot/grub/custom.cfg") == own


def test_without_41_custom_the_real_entry_is_armed_and_that_is_said(host):
    host.do("default", STOCK)
    host.install(NEW)
    text = host.text("/boot/grub/grub.cfg")
    host.write("/boot/grub/grub.cfg", text[: text.index("### BEGIN /etc/grub.d/41_custom")])
    result = host.do("armed", NEW)
    assert "does not read custom.cfg" in result["notes"][0]
    assert (result["after"]["next"], result["after"]["trial"]) == (NEW, None)
    assert host.environment()["next_entry"] == spec_of(NEW)
    assert not host.do("armed", NEW)["changed"]
    assert host.boot() == NEW
    assert host.boot() == STOCK


def test_savedefault_makes_only_our_own_entry_a_one_shot(host):
    """GRUB_SAVEDEFAULT: each entry stores itself. Ours does not; a real one inside a submenu would, for good."""
    host.do("default", STOCK)
    host.install(NEW)
    text = host.text("/boot/grub/grub.cfg").replace(
        "\tload_video\n\t\tinsmod gzio", "\tsavedefault\n\t\tload_video\n\t\tinsmod gzio"
    )
    assert "savedefault\n\t\tload_video" in text
    host.write("/boot/grub/grub.cfg", text)
    host.do("armed", NEW)
    assert "savedefault" not in host.text("/boot/grub/custom.cfg")
    host.do("reverted")
    host.write("/boot/grub/grub.cfg", text[: text.index("### BEGIN /etc/grub.d/41_custom")])
    assert "GRUB_SAVEDEFAULT" in refused(host, "no_fallback", "armed", NEW).message


def test_menu_with_a_password_keeps_its_unrestricted_entries(host):
    host.do("default", STOCK)
    host.install(NEW)
    host.write(
        "/boot/grub/grub.cfg", host.text("/boot/grub/grub.cfg").replace("--class os ", "--class os --unrestricted ")
    )
    host.do("armed", NEW)
    headers = [line for line in host.text("/boot/grub/custom.cfg").split("\n") if line.startswith("menuentry")]
    assert [header.split()[-2] for header in headers] == ["'realip-toa-trial'", "'realip-toa-back'"]
    assert all(" --unrestricted " in header for header in headers)
