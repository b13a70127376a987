# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""boot.py where GRUB 2 is Red Hat's: EL 7 with grubby's menu, in which ids are copies, and EL 8 with a file for each entry."""

from __future__ import absolute_import, division, print_function

import os

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import bls_entries
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from boot_samples import FS, SAMPLES, Host

STOCK7, NEW7 = "3.10.0-1160.el7.x86_64", "3.10.0-693.el7.centos.toa.x86_64"
TITLE7 = "CentOS Linux (%s) 7 (Core)"

ENTRY7 = """menuentry '%%(title)s' --class centos --class gnu-linux --class gnu --class os --unrestricted $menuentry_id_option \
'gnulinux-3.10.0-1160.el7.x86_64-advanced-%(fs)s' {
	load_video
	set gfxpayload=keep
	insmod gzio
	insmod part_msdos
	insmod xfs
	set root='hd0,msdos1'
	if [ x$feature_platform_search_hint = xy ]; then
	search --no-floppy --fs-uuid --set=root --hint='hd0,msdos1'  %(fs)s
	else
	search --no-floppy --fs-uuid --set=root %(fs)s
	fi
	linux16 /vmlinuz-%%(release)s root=/dev/mapper/centos-root ro crashkernel=auto rd.lvm.lv=centos/root rhgb quiet LANG=en_US.UTF-8
	initrd16 /initramfs-%%(release)s.img
}
""" % {"fs": FS}


class El7(Host):
    """CentOS 7: /boot on its own partition and / on LVM, grub2- names, and each kernel's entry a copy that grubby put on top."""

    stock, new = STOCK7, NEW7
    GRUB = "/boot/grub2"
    COMMANDS = ("grub2-editenv", "grub2-mkconfig", "grub2-script-check", "grubby")
    RELEASE = STOCK7
    MOUNTS = "22 1 253:0 / / rw - xfs /dev/mapper/centos-root rw\n23 22 8:1 / /boot rw - xfs /dev/sda1 rw\n"

    def __init__(self, folder):
        self.entries = []
        self.root = str(folder)
        self.write("/sys/dev/block/253:0/dm/uuid", "LVM-abc\n")
        Host.__init__(self, folder)
        self.write("/etc/default/grub", "GRUB_DEFAULT=saved\nGRUB_DISABLE_SUBMENU=true\n")
        self.set_environment({"saved_entry": TITLE7 % STOCK7})
        self.generate()

    def install(self, release):
        """As an EL 7 kernel package does: files, and grubby copies the newest entry, id and all."""
        self.write("/boot/vmlinuz-" + release, "kernel")
        self.write("/boot/initramfs-%s.img" % release, "initramfs")
        if not os.path.isdir(self.path("/lib/modules/" + release)):
            os.makedirs(self.path("/lib/modules/" + release))
        self.entries.insert(0, release)
        self.generate()

    def generate(self):
        with open(os.path.join(SAMPLES, "grub-2.06-debian12.cfg"), "rb") as handle:
            sample = handle.read().decode("utf-8")
        begin, end = sample.index("menuentry 'Debian"), sample.index("### END /etc/grub.d/10_linux")
        menu = "".join(ENTRY7 % {"title": TITLE7 % release, "release": release} for release in self.entries)
        self.write(
            "/boot/grub2/grub.cfg",
            sample[:begin].replace('set default="0"', 'set default="${saved_entry}"') + menu + sample[end:],
        )

    def run(self, argv, timeout=120, stdin=None, env=None):
        if argv[0].endswith("grub2-script-check"):
            self.checked = stdin
            return 0, "", ""
        return Host.run(self, argv, timeout, stdin, env)


@pytest.fixture
def el7(tmp_path):
    return El7(tmp_path)


def test_el7_sequence_by_titles(el7):
    before = el7.files()
    assert el7.do("default", STOCK7)["changed"]
    el7.install(NEW7)
    result = el7.do("armed", NEW7)
    assert result["after"] == {
        "default": STOCK7,
        "next": NEW7,
        "trial": NEW7,
        "watchdog": True,
        "grub_default_setting": "saved",
    }
    assert el7.checked == el7.read("/boot/grub2/custom.cfg")
    assert el7.boot() == NEW7
    assert el7.told_of_trial()
    assert el7.boot() == STOCK7
    assert el7.do("armed", NEW7)["changed"]
    assert el7.boot() == NEW7
    assert el7.do("confirmed", NEW7)["after"]["default"] == NEW7
    assert el7.boot() == NEW7
    assert not [argv for argv in el7.ran if argv[0].endswith("mkconfig")]
    el7.do("reverted")
    el7.entries.remove(NEW7)
    el7.generate()
    for name in ("/boot/vmlinuz-" + NEW7, "/boot/initramfs-%s.img" % NEW7):
        el7.remove(name)
    assert el7.do("reverted", restore=True)["after"]["default"] == STOCK7
    assert el7.files() == before


def test_el7_id_of_another_kernel_is_never_used(el7):
    """Both entries have the stock kernel's id; GRUB takes the first one that fits, which is the new kernel's."""
    el7.install(NEW7)
    el7.do("default", STOCK7)
    assert el7.environment()["saved_entry"] == TITLE7 % STOCK7
    assert el7.boot() == STOCK7


def test_el7_with_grub_on_lvm(el7):
    el7.install(NEW7)
    el7.boot(STOCK7)
    el7.write("/proc/self/mountinfo", "22 1 253:0 / / rw - xfs /dev/mapper/centos-root rw\n")
    assert not el7.do("default", STOCK7)["one_shot"]["possible"]


def test_el7_with_uefi(el7):
    """grub.cfg and its environment block are on the EFI partition; what is below /boot/grub2 is a link to it."""
    for name in ("grub.cfg", "grubenv"):
        el7.write("/boot/efi/EFI/centos/" + name, el7.read("/boot/grub2/" + name))
        el7.remove("/boot/grub2/" + name)
    os.symlink("../efi/EFI/centos/grubenv", el7.path("/boot/grub2/grubenv"))
    os.symlink("../boot/efi/EFI/centos/grub.cfg", el7.path("/etc/grub2-efi.cfg"))
    os.makedirs(el7.path("/sys/firmware/efi"))
    el7.write("/proc/self/mountinfo", el7.MOUNTS + "24 23 8:2 / /boot/efi rw - vfat /dev/sda2 rw\n")
    el7.GRUB = "/boot/efi/EFI/centos"
    el7.entries.insert(0, NEW7)
    for name in ("/boot/vmlinuz-" + NEW7, "/boot/initramfs-%s.img" % NEW7, "/lib/modules/%s/modules.dep" % NEW7):
        el7.write(name, "x")
    el7.generate()
    el7.write("/boot/efi/EFI/centos/grub.cfg", el7.read("/boot/grub2/grub.cfg"))
    el7.remove("/boot/grub2/grub.cfg")
    assert el7.do("armed", NEW7)["after"]["next"] == NEW7
    assert os.path.exists(el7.path("/boot/efi/EFI/centos/custom.cfg"))
    assert el7.boot() == NEW7
    assert el7.boot() == STOCK7


# -- EL 8: Boot Loader Specification --------------------------------------------------------------------------------------

STOCK8, NEW8 = "4.18.0-553.el8_10.x86_64", "5.10.134-16.3.toa.el8.x86_64"
MACHINE_ID = "0f3ad1a0c2c74d4f9a0c1d3f5b7e9a11"
ENTRY8 = """title CentOS Linux (%(release)s) 8
version %(release)s
linux /vmlinuz-%(release)s
initrd /initramfs-%(release)s.img $tuned_initrd
options $kernelopts $tuned_params
id centos-20200101000000-%(release)s
grub_users $grub_users
grub_arg --unrestricted
grub_class kernel
"""


class El8(El7):
    """EL 8: grub.cfg calls blscfg, each kernel has its file, and the id of an entry is that file's name."""

    stock, new = STOCK8, NEW8
    RELEASE = STOCK8

    def __init__(self, folder):
        El7.__init__(self, folder)
        self.set_environment(
            {
                "saved_entry": "%s-%s" % (MACHINE_ID, STOCK8),
                "kernelopts": "root=/dev/mapper/cl-root ro crashkernel=auto",
            }
        )

    def install(self, release):
        self.write("/boot/loader/entries/%s-%s.conf" % (MACHINE_ID, release), ENTRY8 % {"release": release})
        El7.install(self, release)

    def generate(self):
        El7.generate(self)
        text = self.text("/boot/grub2/grub.cfg")
        begin, end = text.index("menuentry 'CentOS"), text.index("### END /etc/grub.d/10_linux")
        self.write("/boot/grub2/grub.cfg", text[:begin] + "insmod blscfg\nblscfg\n" + text[end:])

    def bls(self):
        return bls_entries(self.root)


@pytest.fixture
def el8(tmp_path):
    return El8(tmp_path)


def test_el8_sequence_by_files(el8):
    before = el8.files()
    assert el8.do("default", STOCK8)["changed"]
    el8.install(NEW8)
    result = el8.do("armed", NEW8)
    assert result["after"] == {
        "default": STOCK8,
        "next": NEW8,
        "trial": NEW8,
        "watchdog": True,
        "grub_default_setting": "saved",
    }
    assert not el8.do("armed", NEW8)["changed"]
    assert el8.environment()["next_entry"] == "0-realip-trial"
    assert el8.boot() == NEW8
    assert el8.told_of_trial()
    assert el8.boot() == STOCK8
    el8.do("armed", NEW8)
    el8.boot()
    assert el8.do("confirmed", NEW8)["after"]["default"] == NEW8
    assert el8.environment()["saved_entry"] == "%s-%s" % (MACHINE_ID, NEW8)
    assert el8.boot() == NEW8
    el8.do("reverted")
    for name in (
        "/boot/vmlinuz-" + NEW8,
        "/boot/initramfs-%s.img" % NEW8,
        "/boot/loader/entries/%s-%s.conf" % (MACHINE_ID, NEW8),
    ):
        el8.remove(name)
    assert el8.do("reverted", restore=True)["after"]["default"] == STOCK8
    assert el8.files() == before


def test_el8_trial_is_the_last_of_the_menu(el8):
    """Whatever the machine-id: a host without a saved entry must not boot the trial by default."""
    el8.install(NEW8)
    el8.do("armed", NEW8)
    el8.write("/boot/loader/entries/00000000000000000000000000000000-%s.conf" % STOCK8, ENTRY8 % {"release": STOCK8})
    assert [entry["id"] for entry in el8.bls()][-1] == "0-realip-trial"


def test_el8_without_initramfs(el8):
    el8.install(NEW8)
    el8.boot(STOCK8)
    el8.remove("/boot/initramfs-%s.img" % NEW8)
    with pytest.raises(TargetError) as caught:
        el8.do("armed", NEW8)
    assert (caught.value.code, "initramfs-" + NEW8 in caught.value.message) == ("kernel_incomplete", True)
