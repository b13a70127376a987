# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""boot.py with GRUB legacy: what cannot be armed, odd entries, the watchdog with sysvinit."""

from __future__ import absolute_import, division, print_function

import os
import re

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader import detect as boot_loader
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine
from boot_samples import refused
from legacy_samples import NEW6, STOCK6, El6, OldDebian, KINDS, arm

STATE_FILE = "/var/lib/realip-toa/state.json"


@pytest.fixture(params=KINDS, ids=[kind.__name__ for kind in KINDS])
def host(request, tmp_path):
    return request.param(tmp_path)


def broken(host, files):
    host.do("default", host.stock)
    host.install(host.new)
    for name, data in files.items():
        if data is None:
            host.remove(name)
        else:
            host.write(name, data)


@pytest.mark.parametrize(
    "files, said",
    [
        (
            {
                "/proc/self/mountinfo": "22 1 253:0 / / rw - ext4 /dev/mapper/vg-root rw\n",
                "/sys/dev/block/253:0/dm/uuid": "LVM-abc\n",
            },
            "device-mapper volume (LVM)",
        ),
        ({"/sys/dev/block/8:1/md/level": "raid1"}, "software RAID"),
        ({"/proc/self/mountinfo": "22 1 8:1 / / ro - ext4 /dev/sda1 ro\n"}, "mounted read-only"),
        ({"/boot/grub/stage2": None}, "not GRUB legacy itself"),
        ({"/boot/grub/stage2": b"\0" * 4096}, "neither GNU's GRUB 0.97 nor Red Hat's"),
        ({"/boot/grub2/grub.cfg": "insmod legacycfg\nlegacy_configfile /grub/grub.conf\n"}, "GRUB 2 reads"),
    ],
)
def test_no_one_shot(host, files, said):
    broken(host, files)
    error = refused(host, "no_fallback", "armed", host.new)
    assert said in error.message
    facts = boot_loader.look(host.root)
    assert (facts["one_shot"], facts["env_writable"], facts["default"]) == (False, False, host.stock) and said in facts[
        "reason"
    ]
    result = host.do("armed", host.new, accept_no_fallback=True)
    assert said in result["one_shot"]["reason"] and said in result["notes"][0]
    assert (result["after"]["default"], result["after"]["next"]) == (host.stock, host.new)
    assert not host.do("armed", host.new, accept_no_fallback=True)["changed"]
    assert [host.boot(), host.boot()] == [host.new, host.new]
    assert host.do("confirmed", host.new)["after"]["default"] == host.new
    assert host.boot() == host.new and "panic=" not in host.text("/proc/cmdline")


def test_uefi_has_another_menu_and_no_one_shot(tmp_path):
    host = El6(tmp_path)
    os.makedirs(host.path("/sys/firmware/efi"))
    os.makedirs(host.path("/boot/efi/EFI/redhat"))
    os.rename(host.path("/boot/grub/grub.conf"), host.path("/boot/efi/EFI/redhat/grub.conf"))
    os.unlink(host.path("/etc/grub.conf"))
    os.symlink("../boot/efi/EFI/redhat/grub.conf", host.path("/etc/grub.conf"))
    facts = boot_loader.look(host.root)
    assert (facts["config"], facts["default"], facts["one_shot"]) == ("/etc/grub.conf", STOCK6, False)
    assert "UEFI" in facts["reason"]


def test_red_hats_stage2_without_its_shell_is_not_trusted(tmp_path):
    host = El6(tmp_path)
    host.remove("/sbin/grub")
    assert "neither" in boot_loader.look(host.root)["reason"]


@pytest.mark.parametrize("missing", ["/boot/vmlinuz-%s", "/boot/initramfs-%s.img"])
def test_kernel_that_is_half_installed(tmp_path, missing):
    host = El6(tmp_path)
    host.install(NEW6)
    host.boot(STOCK6)
    host.write(missing % NEW6, b"")
    assert missing % NEW6 in refused(host, "kernel_incomplete", "armed", NEW6).message


def test_entry_with_a_line_that_goes_on_is_not_copied(tmp_path):
    host = El6(tmp_path)
    host.install(NEW6)
    host.boot(STOCK6)
    host.write(host.CONFIG, host.text(host.CONFIG).replace(" rhgb quiet", " rhgb \\\nquiet"))
    assert "goes on" in refused(host, "loader_not_supported", "armed", NEW6).message


def test_trial_of_a_xen_entry_tells_the_kernel_and_not_the_hypervisor(tmp_path):
    host = El6(tmp_path)
    host.install(NEW6)
    text = host.text(host.CONFIG)
    host.write(
        host.CONFIG,
        text.replace("kernel /vmlinuz-" + NEW6, "kernel /xen.gz dom0_mem=1G\n\tmodule /vmlinuz-" + NEW6).replace(
            "initrd /initramfs-%s" % NEW6, "module /initramfs-%s" % NEW6
        ),
    )
    host.boot(STOCK6)
    host.do("armed", NEW6)
    lines = [line for line in host.text(host.CONFIG).split("\n") if "realip_toa.trial" in line]
    assert len(lines) == 1 and lines[0].startswith("\tmodule /vmlinuz-" + NEW6)


def test_our_entries_do_not_save_themselves(tmp_path):
    host = OldDebian(tmp_path)
    arm(host)
    text = host.text(host.CONFIG)
    ours = text[text.index("title Back to") : text.index("### BEGIN AUTOMAGIC")]
    assert [line.strip() for line in ours.split("\n") if "savedefault" in line] == ["savedefault 0"]


class LiveMachine(Machine):
    """A machine whose commands count although it is a folder."""

    live = True


class Chkconfig:
    """chkconfig of EL 6, as far as the watchdog's script tells it what to do: links in the levels of its line "chkconfig:"."""

    def __init__(self, host, works=True):
        self.host = host
        self.works = works
        self.ran = []

    def find(self, name):
        return "/sbin/chkconfig" if name == "chkconfig" else None

    def run(self, argv, timeout=120, stdin=None, env=None):
        self.ran.append(argv[1:])
        script = self.host.text("/etc/rc.d/init.d/" + argv[2])
        levels, start, _stop = re.search(r"(?m)^# chkconfig: ([0-6]+) ([0-9]{2}) ([0-9]{2})$", script).groups()
        assert re.search(r"(?m)^# description: \S", script)
        for level in levels if self.works else "":
            link = self.host.path("/etc/rc.d/rc%s.d/S%s%s" % (level, start, argv[2]))
            if argv[1] == "--add":
                os.symlink("../init.d/" + argv[2], link)
            elif os.path.islink(link):
                os.unlink(link)
        return 0, "", ""


def watchdog_links(host):
    return sorted(name for name in host.files() if name.startswith("/etc/rc") and "/S" in name)


@pytest.mark.parametrize("works", [True, False])
def test_the_watchdog_is_enabled_with_chkconfig(tmp_path, works):
    host = El6(tmp_path)
    chkconfig = Chkconfig(host, works)
    machine = LiveMachine(host.root, chkconfig.run, chkconfig.find)
    host.install(NEW6)
    host.boot(STOCK6)
    host.do("armed", NEW6, machine=machine)
    assert chkconfig.ran == [["--add", "realip-toa-trial-watchdog"]]
    assert watchdog_links(host) == ["/etc/rc.d/rc%d.d/S01realip-toa-trial-watchdog" % level for level in (2, 3, 4, 5)]
    assert not host.do("armed", NEW6, machine=machine)["changed"]
    host.do("reverted", machine=machine)
    assert chkconfig.ran[1:] == [["--del", "realip-toa-trial-watchdog"]]
    assert [name for name in host.files() if "watchdog" in name] == []


def test_the_watchdog_is_enabled_by_hand_without_chkconfig(tmp_path):
    host = El6(tmp_path)
    host.install(NEW6)
    host.boot(STOCK6)
    assert host.do("armed", NEW6)["after"]["watchdog"]
    assert watchdog_links(host) == ["/etc/rc.d/rc%d.d/S01realip-toa-trial-watchdog" % level for level in (2, 3, 4, 5)]
    assert all(os.path.isfile(host.path(link)) and os.access(host.path(link), os.X_OK) for link in watchdog_links(host))
    host.do("reverted")
    assert watchdog_links(host) == []
