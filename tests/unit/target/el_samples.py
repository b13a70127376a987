# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enterprise Linux in a folder, with stand-ins of the distribution's own tools: EL 7 with grubby's menu, EL 8 and EL 9 with BLS files."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import sys

from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import bls_entries
from boot_samples import FS, SAMPLES, Host

sys.path.insert(0, os.path.join(SAMPLES, *"../../../lab/dress/el_bls/usr/lib/vendor-tools".split("/")))
from vendor_grubby import BEGIN, END
from vendor_tools import NAMES, Tools

STOCK7, NEW7 = "3.10.0-1160.el7.x86_64", "3.10.0-693.el7.centos.toa.x86_64"
STOCK8, NEW8 = "4.18.0-553.el8_10.x86_64", "5.10.134-16.3.toa.el8.x86_64"
STOCK9, NEW9 = "5.14.0-503.el9.x86_64", "5.14.0-70.toa.el9.x86_64"
TITLE7 = "CentOS Linux (%s) 7 (Core)"
MACHINE_ID = "0f3ad1a0c2c74d4f9a0c1d3f5b7e9a11"
ARGS = "root=/dev/mapper/centos-root ro crashkernel=auto rd.lvm.lv=centos/root rhgb quiet"
KERNEL_SETTINGS = "# UPDATEDEFAULT specifies if new-kernel-pkg should make\n# new kernels the default\nUPDATEDEFAULT=yes\n\nDEFAULTKERNEL=kernel\n"


class El7(Host):
    """CentOS 7: /boot on its own partition and / on LVM, grub2- names, and each kernel's entry a copy that grubby put on top."""

    stock, new, older = STOCK7, NEW7, "3.10.0-957.el7.x86_64"
    EL = 7
    GRUB = "/boot/grub2"
    COMMANDS = NAMES + ("grub2-script-check",)
    RELEASE = STOCK7
    MOUNTS = "22 1 253:0 / / rw - xfs /dev/mapper/centos-root rw\n23 22 8:1 / /boot rw - xfs /dev/sda1 rw\n"

    def __init__(self, folder, **switches):
        self.root = str(folder)
        self.tools = Tools(self.root, self.EL, MACHINE_ID, **switches)
        self.write("/sys/dev/block/253:0/dm/uuid", "LVM-abc\n")
        self.write("/etc/sysconfig/kernel", KERNEL_SETTINGS)
        self.write(
            "/etc/default/grub", 'GRUB_DEFAULT=saved\nGRUB_DISABLE_SUBMENU=true\nGRUB_CMDLINE_LINUX="rhgb quiet"\n'
        )
        self.write(self.GRUB + "/grub.cfg", self.menu())
        self.prepare()
        Host.__init__(self, folder)
        self.write(
            "/etc/default/grub", 'GRUB_DEFAULT=saved\nGRUB_DISABLE_SUBMENU=true\nGRUB_CMDLINE_LINUX="rhgb quiet"\n'
        )

    def menu(self):
        with open(os.path.join(SAMPLES, "grub-2.06-debian12.cfg"), "rb") as handle:
            sample = handle.read().decode("utf-8")
        sample = sample.replace('set default="0"', 'set default="${saved_entry}"')
        begin, end = sample.index("menuentry 'Debian"), sample.index(END)
        return sample[:begin] + self.first_entry() + sample[end:]

    def first_entry(self):
        return self.tools._entry7(STOCK7, ARGS).replace("}\n", "\tinitrd16 /initramfs-%s.img\n}\n" % STOCK7)

    def prepare(self):
        self.set_environment({"saved_entry": TITLE7 % STOCK7})

    def files_of(self, release):
        """What the rpm itself brings."""
        self.write("/boot/vmlinuz-" + release, "kernel")
        if not os.path.isdir(self.path("/lib/modules/" + release)):
            os.makedirs(self.path("/lib/modules/" + release))

    def install(self, release):
        """As the scriptlets of the kernel's rpm do it."""
        self.files_of(release)
        if release == self.RELEASE:
            self.write("/boot/initramfs-%s.img" % release, "initramfs")
            return
        self.tools.run(["new-kernel-pkg", "--package=kernel", "--install", release])
        self.tools.run(
            ["new-kernel-pkg", "--package=kernel", "--mkinitrd", "--dracut", "--depmod", "--update", release]
        )

    def uninstall(self, release):
        self.tools.run(["new-kernel-pkg", "--package=kernel", "--remove", release])
        self.tools.remove("/boot/vmlinuz-" + release)
        os.rmdir(self.path("/lib/modules/" + release))

    def environment(self):
        return self.tools.variables() if os.path.exists(self.path(self.GRUB + "/grubenv")) else None

    def everything_in_the_environment(self):
        return dict(self.tools.variables(), **self.tools.kept_outside)

    def took_next_entry(self, values):
        self.tools.kept_outside.pop("next_entry", None)
        Host.took_next_entry(self, values)

    def run(self, argv, timeout=120, stdin=None, env=None):
        self.ran.append(argv)
        if argv[0].endswith("grub2-script-check"):
            self.checked = stdin
            return 0, "", ""
        return self.tools.run(argv)

    def generate(self):
        self.tools.run(["grub2-mkconfig", "-o", self.path(self.GRUB + "/grub.cfg")])


class El8(El7):
    """EL 8: grub.cfg calls blscfg, each kernel has its file, and the id of an entry is that file's name."""

    stock, new, older = STOCK8, NEW8, "4.18.0-80.el8.x86_64"
    EL = 8
    RELEASE = STOCK8

    def menu(self):
        text = El7.menu(self)
        begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
        return text[:begin] + "insmod blscfg\nblscfg\n" + text[end:]

    def prepare(self):
        self.set_environment({"saved_entry": "%s-%s" % (MACHINE_ID, self.RELEASE), "kernelopts": ARGS})

    def install(self, release):
        if not os.path.isdir(self.path("/lib/modules/" + release)):
            os.makedirs(self.path("/lib/modules/" + release))
        fresh = release == self.RELEASE
        values = self.environment()
        if fresh:
            self.write("/proc/cmdline", ARGS + "\n")
        self.tools.run(["kernel-install", "add", release, "/lib/modules/%s/vmlinuz" % release])
        if fresh:
            self.set_environment(values)

    def uninstall(self, release):
        self.tools.run(["kernel-install", "remove", release])
        os.rmdir(self.path("/lib/modules/" + release))

    def bls(self):
        return bls_entries(self.root)


class El9(El8):
    """EL 9: the options of an entry stand in its file, and come from /etc/kernel/cmdline or from the running kernel."""

    stock, new, older = STOCK9, NEW9, "5.14.0-70.el9.x86_64"
    EL = 9
    RELEASE = STOCK9

    def prepare(self):
        self.set_environment({"saved_entry": "%s-%s" % (MACHINE_ID, self.RELEASE)})


class Suse(El7):
    """SLES on Btrfs: its GRUB keeps `next_entry` in a place of its own, and the file says so."""

    COMMANDS = ("grub2-editenv", "grub2-mkconfig", "grub2-script-check")
    MOUNTS = "22 1 0:35 / / rw - btrfs /dev/sda2 rw\n"

    def __init__(self, folder):
        El7.__init__(self, folder, outside=True)
        self.set_environment({"saved_entry": TITLE7 % STOCK7, "env_block": "512+1"})

    def install(self, release):
        """The initramfs first; the menu is generated, and each entry has an id of its own."""
        self.files_of(release)
        self.write("/boot/initramfs-%s.img" % release, "initramfs")
        entries = [entry for entry in self.tools.entries() if entry["release"] != release]
        self.tools._write_entries([{"text": self.tools._entry7(release, ARGS)}] + entries)

    def uninstall(self, release):
        self.tools._write_entries([entry for entry in self.tools.entries() if entry["release"] != release])
        for name in ("/boot/vmlinuz-" + release, "/boot/initramfs-%s.img" % release):
            self.tools.remove(name)
        os.rmdir(self.path("/lib/modules/" + release))

    def menu(self):
        ask = 'if [ "${env_block}" ]; then\n  set env_block="(${root})${env_block}"\n  export env_block\n  load_env -f "${env_block}"\nfi\n'
        text = El7.menu(self)
        place = text.index('if [ "${next_entry}" ]')
        return text[:place] + ask + text[place:]


__all__ = ["FS", "STOCK7", "NEW7", "TITLE7", "STOCK8", "NEW8", "MACHINE_ID", "El7", "El8", "El9", "Suse"]
