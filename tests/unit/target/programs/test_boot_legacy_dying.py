# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""boot.py with GRUB legacy on a host that dies at any change: what boots then, and that the next call goes on."""

from __future__ import absolute_import, division, print_function

import os

import pytest
from boot_samples import Died
from legacy_samples import KINDS, arm, now

STATE_FILE = "/var/lib/realip-toa/state.json"


@pytest.fixture(params=KINDS, ids=[kind.__name__ for kind in KINDS])
def host(request, tmp_path):
    return request.param(tmp_path)


def interrupted(kind, tmp_path, prepare, state, kernel, **more):
    """Yields the host as it died, for every change that the call makes."""
    changes = 0
    while True:
        host = kind(tmp_path / ("died-after-%d" % changes))
        prepare(host)
        try:
            release = {"new": host.new, "stock": host.stock}.get(kernel)
            host.do(state, release, machine=host.fragile(changes), **more)
        except Died:
            yield host
            changes += 1
            continue
        assert changes
        return


@pytest.fixture(params=KINDS, ids=[kind.__name__ for kind in KINDS])
def kind(request):
    return request.param


def test_default_that_died_anywhere(kind, tmp_path):
    for host in interrupted(kind, tmp_path, lambda host: None, "default", "stock"):
        before = host.text(host.CONFIG).replace("updatedefaultentry=true", "updatedefaultentry=false")
        assert host.boot() == host.stock
        host.do("default", host.stock)
        host.install(host.new)
        assert host.boot() == host.stock
        host.uninstall(host.new)
        host.do("reverted", restore=True)
        assert host.text(host.CONFIG) == before


def test_armed_that_died_anywhere(kind, tmp_path):
    def prepare(host):
        host.do("default", host.stock)
        host.install(host.new)

    for host in interrupted(kind, tmp_path, prepare, "armed", "new"):
        assert host.boot() == host.stock
        host.do("armed", host.new)
        assert host.boot() == host.new
        assert host.boot() == host.stock


def test_armed_without_default_before_it_that_died_anywhere(kind, tmp_path):
    def prepare(host):
        host.install(host.older)
        host.install(host.new)
        host.boot(host.stock)

    for host in interrupted(kind, tmp_path, prepare, "armed", "new"):
        assert host.boot() in (host.stock, host.new)  # The package had made its kernel the default before we came.
        host.boot(host.stock)
        host.do("armed", host.new)
        assert host.boot() == host.new
        assert host.boot() == host.stock


def test_confirmed_that_died_anywhere(kind, tmp_path):
    def prepare(host):
        arm(host)
        host.boot()

    for host in interrupted(kind, tmp_path, prepare, "confirmed", "new"):
        told = os.path.exists(host.path("/var/lib/realip-toa/confirmed"))
        watchdoged = os.path.exists(host.path("/var/lib/realip-toa/watchdog.conf"))
        assert told or not watchdoged or now(host)[0] == host.stock
        assert host.do("confirmed", host.new)["after"]["default"] == host.new
        assert host.boot() == host.new


def test_reverted_that_died_anywhere(kind, tmp_path):
    for host in interrupted(kind, tmp_path, arm, "reverted", None):
        host.do("reverted")
        assert host.boot() == host.stock


def test_restore_that_died_anywhere(kind, tmp_path):
    menus = []

    def prepare(host):
        menus.append(host.text(host.CONFIG))
        arm(host)
        host.boot()
        host.do("confirmed", host.new)
        host.do("reverted")
        host.boot()
        host.uninstall(host.new)

    for host in interrupted(kind, tmp_path, prepare, "reverted", None, restore=True):
        assert host.boot() == host.stock
        host.do("reverted", restore=True)
        assert host.text(host.CONFIG) == menus[-1]
        assert [name for name in host.files() if "realip" in name] == []


def test_arming_that_fails_puts_every_byte_back(host):
    """The last change of all: stage2's word in place, or the line that makes the number count."""
    host.do("default", host.stock)
    host.install(host.new)
    machine = host.machine
    write, write_at = machine.write_latin, machine.write_at

    failed = []

    def then_fails(work, when):
        def failing(*args):
            work(*args)
            if when(*args) and not failed:
                failed.append(args)
                raise IOError("the disk is gone")

        return failing

    machine.write_latin = then_fails(write, lambda name, text: "default=saved" in text or "default\t\tsaved" in text)
    machine.write_at = then_fails(write_at, lambda name, offset, data: name == "/boot/grub/stage2")
    before = host.files()
    with pytest.raises(IOError):
        host.do("armed", host.new)
    assert failed and host.files() == before
