# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would boot now if the power went? Asked after every change on the disk that a rollout makes, on each kind of boot loader.

It is the proven old kernel, with an initramfs; or the trial, once, told that it is one and watched; or, from the confirm on, the new kernel.
"""

from __future__ import absolute_import, division, print_function

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine
from ansible_collections.realip.toa.plugins.module_utils.packaging.default_kernel import DefaultStays
from boot_samples import Host, UbuntuCloud
from el_samples import El7, El8, El9, Suse
from legacy_samples import El6, El6Gnu, OldDebian
from power_checker import Checker

KINDS = [Host, UbuntuCloud, El7, El8, El9, Suse, El6, El6Gnu, OldDebian]
WITH_RPM = [El7, El8, El9, El6]


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
