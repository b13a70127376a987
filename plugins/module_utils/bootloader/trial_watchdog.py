# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trial watchdog: commit-confirmed for a kernel, on the host itself.

A POSIX shell script that the host's init starts early, without network and without Python. On a trial boot it waits for the
file `confirmed` with the boot_id of this very boot; when that has not come `timeout` seconds after the kernel started
(/proc/uptime, so a wrong clock does not matter), it says why and reboots. The boot loader's one-shot entry is spent by then, so
the host comes up with its old kernel. It acts once: with its settings file gone it never reboots anything again.

What it cannot see is a kernel that never gets as far as user space: there the words on the trial boot's command line turn panics,
oopses, loops and shells of the initramfs into a reboot (bootloader/trial.py); a kernel that hangs before any of that needs a watchdog
(hardware, or the hypervisor's). Where systemd ends in emergency mode a unit of its own reboots at once: nothing there can be confirmed.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import MARK_NAME
from ansible_collections.realip.toa.plugins.module_utils.bootloader.watchdog_files import (
    EMERGENCY_LINKS,
    EMERGENCY_TEXT,
    EMERGENCY_UNIT,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.watchdog_files import (
    CONFIRMED,
    LOG,
    NAME,
    SCRIPT,
    SCRIPT_TEXT,
    SEEN,
    SETTINGS,
    SYSV,
    SYSV_RUNLEVELS,
    SYSV_TEXT,
    UNIT,
    UNIT_LINKS,
    UNIT_TEXT,
)
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, list_dir
from ansible_collections.realip.toa.plugins.module_utils.host.writing import (
    make_dirs,
    remove_empty,
    remove_file,
)


class Watchdog:
    """The watchdog on one machine: installed, told, removed."""

    def __init__(self, machine):
        self.machine = machine
        self.systemd = machine.is_dir("/run/systemd/system")

    def installed(self):
        """True where any piece of it is on the host."""
        return any(self.machine.exists(name) for name in (SCRIPT, SETTINGS, UNIT, EMERGENCY_UNIT, SYSV))

    def current(self, settings):
        """True where all of it is exactly as `install` would leave it."""
        if self.machine.exists(CONFIRMED) or any(
            self.machine.read(name) != text for name, text, unused in self._files(settings)
        ):
            return False
        if self.systemd:
            return all(os.path.islink(self.machine.path(link)) for link in UNIT_LINKS + EMERGENCY_LINKS)
        return bool(self._sysv_links())

    def install(self, settings):
        """Settings first and what starts the watchdog last, so that it never runs without its settings."""
        for name in (CONFIRMED, SEEN):
            self.machine.remove(name)
        for name, text, mode in self._files(settings):
            # /etc/init.d is a link on Enterprise Linux, and the distribution's.
            self.machine.write(name, text, mode, shared=name == SYSV)
        if self.systemd:
            for unit, links in ((UNIT, UNIT_LINKS), (EMERGENCY_UNIT, EMERGENCY_LINKS)):
                for link in links:
                    _symlink(unit, self.machine.path(link))
            self._reload()
        else:
            self._enable_sysv()

    def told(self):
        """True where it knows already that this boot is good."""
        return (self.machine.read(CONFIRMED) or "").strip() == self.machine.boot_id

    def confirm(self):
        """Tell it that this boot is good: from here on it never reboots, whatever becomes of the caller."""
        self.machine.write(CONFIRMED, self.machine.boot_id + "\n", 0o644)

    def remove(self):
        """Take all of it but its log away; a watchdog that is waiting ends at once or, without its settings, by itself."""
        machine = self.machine
        for name in (SETTINGS, SEEN):
            machine.remove(name)
        if machine.live and self.systemd and machine.exists(UNIT):
            machine.run(["systemctl", "stop", NAME + ".service"], timeout=30)
        for link in UNIT_LINKS + EMERGENCY_LINKS:
            machine.remove(link)
            remove_empty(os.path.dirname(machine.path(link)))
        gone = [machine.remove(unit) for unit in (UNIT, EMERGENCY_UNIT)]
        if True in gone:
            self._reload()
        if machine.exists(SYSV):
            self._disable_sysv()
        for name in (SCRIPT, CONFIRMED):
            machine.remove(name)

    def has_log(self):
        return self.machine.exists(LOG)

    def remove_log(self):
        self.machine.remove(LOG)

    def _files(self, settings):
        if self.systemd:
            mark = re.search(r"(?m)^mark=(.*)$", settings)
            starters = [
                (EMERGENCY_UNIT, EMERGENCY_TEXT % {"mark": mark.group(1) if mark else MARK_NAME}, 0o644),
                (UNIT, UNIT_TEXT, 0o644),
            ]
        elif self.machine.is_dir("/etc/init.d"):
            starters = [(SYSV, SYSV_TEXT, 0o755)]
        else:
            raise TargetError(
                "no_watchdog",
                "this host has neither systemd nor /etc/init.d, so nothing could start the trial watchdog",
                "set `watchdog: false` if the host has another way back, such as a hardware watchdog",
            )
        return [(SETTINGS, settings, 0o644), (SCRIPT, SCRIPT_TEXT, 0o755)] + starters

    def _reload(self):
        if self.machine.live and self.systemd:
            self.machine.run(["systemctl", "daemon-reload"], timeout=60)

    def _enable_sysv(self):
        """With the distribution's own tool, which keeps the dependency files of insserv right; by hand where it has none."""
        machine = self.machine
        update, check = machine.command("update-rc.d"), machine.command("chkconfig")
        if machine.live and update:
            machine.must_run([update, NAME, "defaults"], "no_watchdog", "enabling the trial watchdog")
        elif machine.live and check:
            machine.must_run([check, "--add", NAME], "no_watchdog", "enabling the trial watchdog")
        if self._sysv_links():
            return
        for level in SYSV_RUNLEVELS:
            folder = "/etc/rc.d/rc%s.d" % level if machine.is_dir("/etc/rc.d/rc%s.d" % level) else "/etc/rc%s.d" % level
            _symlink("../init.d/" + NAME, machine.path(folder + "/S01" + NAME))

    def _disable_sysv(self):
        machine = self.machine
        update, check = machine.command("update-rc.d"), machine.command("chkconfig")
        if machine.live and check and not update:
            machine.run([check, "--del", NAME], timeout=60)
        machine.remove(SYSV)
        if machine.live and update:
            machine.run([update, NAME, "remove"], timeout=60)
        for link in self._sysv_links("SK"):
            remove_file(link)

    def _sysv_links(self, kinds="S"):
        found = []
        for level in "0123456S":
            for folder in ("/etc/rc%s.d" % level, "/etc/rc.d/rc%s.d" % level):
                for name in list_dir(self.machine.path(folder)):
                    if name[:1] in kinds and name[3:] == NAME:
                        found.append(self.machine.path(folder + "/" + name))
        return found


def _symlink(target, link):
    make_dirs(os.path.dirname(link))
    remove_file(link)
    os.symlink(target, link)
