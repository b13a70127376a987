# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would boot now if the power went: asked of a pretended host in unit tests, and of a copy of a lab machine's files in tests/machines."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

WATCHDOG = "/var/lib/realip-toa/watchdog.conf"


class Checker:
    """Lets the power go in thought, and says what is wrong with what boots then."""

    def __init__(self, host):
        self.host = host
        self.allowed = [host.stock]
        self.asked = 0
        self.busy = False
        self.last = None

    def outside(self):
        """What a GRUB keeps where no file is."""
        return getattr(getattr(self.host, "tools", None), "kept_outside", {})

    def __call__(self):
        if self.busy:
            return
        self.busy = True
        try:
            self.asked += 1
            watched = self.host.machine.exists(WATCHDOG) and self.host.text(WATCHDOG)
            state = (self.disk(), list(self.allowed), watched, dict(self.outside()))
            if state == self.last:
                return  # What was changed is nothing that a boot reads.
            self.last = state
            release, line = self.boots()[0]
            mark = re.search("realip_toa.trial=([0-9a-f]+)", line)
            if mark:
                self.check_trial(release, mark.group(0))
            else:
                assert release in self.allowed, "%s boots, untried" % release
                self.check_initramfs(release)
        finally:
            self.busy = False

    def check_trial(self, release, mark):
        host = self.host
        self.check_initramfs(release)
        assert "\nmark=%s\n" % mark in host.text(WATCHDOG), "a trial that nobody watches"
        assert host.stock in self.allowed
        assert self.boots()[1][0] == host.stock, "the trial boots twice"
        image = re.compile("vmlinuz-" + re.escape(release))
        assert self.boots(lambda path: not image.search(path))[0][0] == host.stock, (
            "GRUB cannot load the trial, and stays where it is"
        )

    def check_initramfs(self, release):
        host = self.host
        names = ["/boot/initrd.img-%s" % release, "/boot/initramfs-%s.img" % release]
        assert [name for name in names if os.path.exists(host.path(name))], "%s has no initramfs" % release
        config = host.path(host.GRUB + "/grub.cfg")
        if os.path.exists(config):
            for entry in re.findall(r"(?ms)^menuentry .*?^\}", host.text(host.GRUB + "/grub.cfg")):
                assert "vmlinuz-%s " % release not in entry or "initrd" in entry, "its entry has no initramfs"

    def boots(self, loads=lambda image: True):
        """[(release, command line)] of this boot and of the next one; the disk is then as it was."""
        host = self.host
        before, outside = self.disk(), dict(self.outside())
        found = []
        for unused in range(2):
            release = host.boot(None, loads)
            found.append((release, host.text("/proc/cmdline") if release else ""))
        for name, data in self.disk().items():
            if name not in before:
                host.remove(name)
            elif data != before[name]:
                host.write(name, before[name])
        for name in set(before) - set(self.disk()):
            host.write(name, before[name])
        if outside:
            host.tools.kept_outside.update(outside)
        host.boots -= len([release for release, unused_line in found if release])
        return found

    def disk(self):
        found = {}
        for top in ("/boot", "/proc"):
            for folder, _folders, names in os.walk(self.host.path(top)):
                for name in names:
                    path = os.path.join(folder, name)
                    if not os.path.islink(path):
                        found[path[len(self.host.root) :]] = self.host.read(path[len(self.host.root) :])
        return found
