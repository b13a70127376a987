# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""boot.py on a host that dies at any change: what boots then, and that the next call goes on."""

from __future__ import absolute_import, division, print_function

import os

import pytest
from boot_samples import DEFAULT_GRUB, NEW, OLDER, STOCK, Died, Host, arm, refused, spec_of

IDLE = {"default": STOCK, "next": None, "trial": None, "watchdog": False}
STATE_FILE = "/var/lib/realip-toa/state.json"


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def interrupted(tmp_path, prepare, state, kernel, **more):
    """Yields (host, after how many changes it died), for every change that the call makes."""
    changes = 0
    while True:
        host = Host(tmp_path / ("died-after-%d" % changes))
        prepare(host)
        try:
            host.do(state, kernel, machine=host.fragile(changes), **more)
        except Died:
            yield host, changes
            changes += 1
            continue
        assert changes > 2
        return


def test_default_that_died_anywhere(tmp_path):
    for host, _changes in interrupted(tmp_path, lambda host: None, "default", STOCK):
        assert host.boot() == STOCK
        host.do("default", STOCK)
        host.install(NEW)
        assert host.boot() == STOCK
        host.uninstall(NEW)
        host.do("reverted", restore=True)
        assert host.read("/etc/default/grub") == DEFAULT_GRUB


def test_armed_that_died_anywhere(tmp_path):
    def prepare(host):
        host.do("default", STOCK)
        host.install(NEW)

    for host, _changes in interrupted(tmp_path, prepare, "armed", NEW):
        assert host.boot() == STOCK
        host.do("armed", NEW)
        assert host.boot() == NEW
        assert host.boot() == STOCK


def test_armed_without_default_before_it_that_died_anywhere(tmp_path):
    def prepare(host):
        host.install(OLDER)
        host.boot(STOCK)

    for host, _changes in interrupted(tmp_path, prepare, "armed", OLDER):
        assert host.boot() == STOCK
        host.do("armed", OLDER)
        assert host.boot() == OLDER
        assert host.boot() == STOCK


def test_confirmed_that_died_anywhere(tmp_path):
    def prepare(host):
        arm(host)
        host.boot()

    for host, changes in interrupted(tmp_path, prepare, "confirmed", NEW):
        told = os.path.exists(host.path("/var/lib/realip-toa/confirmed"))
        watchdoged = os.path.exists(host.path("/var/lib/realip-toa/watchdog.conf"))
        pinned = host.environment()["saved_entry"] == spec_of(NEW)
        # Nothing may reboot the host any more once the new kernel is the default.
        assert told or not pinned or not watchdoged, changes
        assert host.do("confirmed", NEW)["after"]["default"] == NEW
        assert host.boot() == NEW


def test_reverted_that_died_anywhere(tmp_path):
    for host, _changes in interrupted(tmp_path, arm, "reverted", None):
        host.do("reverted")
        assert host.boot() == STOCK


def test_restore_that_died_anywhere(tmp_path):
    def prepare(host):
        arm(host)
        host.boot()
        host.do("confirmed", NEW)
        host.do("reverted")
        host.boot()
        host.uninstall(NEW)

    for host, _changes in interrupted(tmp_path, prepare, "reverted", None, restore=True):
        assert host.boot() == STOCK
        host.do("reverted", restore=True)
        assert host.read("/etc/default/grub") == DEFAULT_GRUB
        assert [name for name in host.files() if "realip" in name or "grubenv" in name] == []


def test_step_that_fails_puts_every_file_back(host):
    host.install(NEW)
    real = host.run

    def broken(argv, timeout=120, stdin=None, env=None):
        return (
            (1, "", "no space left on device") if argv[0].endswith("update-grub") else real(argv, timeout, stdin, env)
        )

    host.machine.run = broken
    error = refused(host, "grub_mkconfig_failed", "armed", NEW) if host.boot(STOCK) else None
    assert "no space left on device" in error.message


def test_menu_that_does_not_say_what_it_should_is_put_back(host):
    """update-grub succeeds and changes nothing: the default would still follow what is installed."""
    host.install(NEW)
    host.boot(STOCK)
    real = host.run
    host.machine.run = lambda argv, **more: (0, "", "") if argv[0].endswith("update-grub") else real(argv, **more)
    error = refused(host, "boot_not_verified", "default", STOCK)
    assert "default is 4.4.87.toa instead of 4.4.0-31-generic" in error.message
