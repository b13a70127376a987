# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would boot now if the power went? Asked after every change on the disk that a rollout makes, on each kind of boot loader.

It is the proven old kernel, with an initramfs; or the trial, once, told that it is one and watched; or, from the confirm on, the new kernel.
"""

from __future__ import absolute_import, division, print_function

import os
import re

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine
from ansible_collections.realip.toa.plugins.module_utils.packaging.default_kernel import DefaultStays
from boot_samples import Host, UbuntuCloud
from el_samples import El7, El8, El9, Suse
from legacy_samples import El6, El6Gnu, OldDebian

KINDS = [Host, UbuntuCloud, El7, El8, El9, Suse, El6, El6Gnu, OldDebian]
WITH_RPM = [El7, El8, El9, El6]
WATCHDOG = "/var/lib/realip-toa/watchdog.conf"


class Observed(Machine):
    """A machine that calls `after` when something on its disk has changed."""

    def __init__(self, host, after):
        Machine.__init__(self, host.root, host.run, host.find)
        self.after = after

    def write(self, name, text, mode=None, **more):
        Machine.write(self, name, text, mode, **more)
        self.after()

    def write_at(self, name, offset, data):
        Machine.write_at(self, name, offset, data)
        self.after()

    def remove(self, name):
        found = Machine.remove(self, name)
        self.after()
        return found

    def must_run(self, argv, code, what, timeout=120, env=None):
        out = Machine.must_run(self, argv, code, what, timeout, env)
        self.after()
        return out


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


def watched(kind, folder):
    host = kind(folder)
    checker = Checker(host)
    host.machine = Observed(host, checker)
    if hasattr(host, "tools"):
        host.tools.after = checker
    checker()
    return host, checker


def install(host, release):
    """As toa_package has the package manager do it."""
    with DefaultStays(host.root):
        host.install(release)


def rollout(host, checker):
    """From the trial to the day on which all of it is taken back."""
    host.do("armed", host.new)
    checker()
    assert host.boot() == host.new
    checker()
    checker.allowed = [host.stock, host.new]
    host.do("confirmed", host.new)
    checker.allowed = [host.new]
    checker()
    install(host, host.older)
    checker()
    host.uninstall(host.older)
    checker()
    checker.allowed = [host.stock, host.new]
    host.do("reverted")
    checker.allowed = [host.stock]
    checker()
    assert host.boot() == host.stock
    host.uninstall(host.new)
    checker()
    host.do("reverted", restore=True)
    checker()


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_a_rollout_that_pins_first(kind, tmp_path):
    host, checker = watched(kind, tmp_path)
    host.do("default", host.stock)
    checker()
    install(host, host.new)
    checker()
    rollout(host, checker)
    assert checker.asked > 30


@pytest.mark.parametrize("kind", WITH_RPM, ids=[kind.__name__ for kind in WITH_RPM])
def test_a_rollout_that_installs_first(kind, tmp_path):
    """UPDATEDEFAULT is all that stands between the rpm's scriptlets and the default."""
    host, checker = watched(kind, tmp_path)
    install(host, host.new)
    checker()
    rollout(host, checker)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_a_trial_that_is_taken_back_before_it_is_booted(kind, tmp_path):
    host, checker = watched(kind, tmp_path)
    host.do("default", host.stock)
    install(host, host.new)
    host.do("armed", host.new)
    host.do("reverted")
    assert host.boot() == host.stock
    checker()


@pytest.mark.parametrize("kind", WITH_RPM, ids=[kind.__name__ for kind in WITH_RPM])
def test_the_checker_sees_what_it_is_for(kind, tmp_path):
    """Without us the scriptlets make the new kernel the default before it has an initramfs."""
    host, checker = watched(kind, tmp_path)
    with pytest.raises(AssertionError) as caught:
        host.install(host.new)
        checker()
    assert "%s boots, untried" % host.new in str(caught.value)
