# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""boot.py with GRUB legacy: the sequence on each kind of it, and every interruption."""

from __future__ import absolute_import, division, print_function


import pytest
from legacy_samples import DEFAULT_FILE, ENTRY6, NEW6, STOCK6, El6, El6Gnu, OldDebian, KINDS, arm, now

STATE_FILE = "/var/lib/realip-toa/state.json"


@pytest.fixture(params=KINDS, ids=[kind.__name__ for kind in KINDS])
def host(request, tmp_path):
    return request.param(tmp_path)


def test_without_us_a_new_kernel_would_be_the_default(host):
    host.install(host.new)
    assert host.boot() == host.new


def test_default_keeps_the_running_kernel_whatever_is_installed(host):
    result = host.do("default", host.stock)
    assert result["changed"]
    assert result["after"] == {
        "default": host.stock,
        "next": None,
        "trial": None,
        "watchdog": False,
        "grub_default_setting": "0",
    }
    host.install(host.new)
    assert now(host) == (host.stock, None)
    assert host.boot() == host.stock
    host.install("9.9.9-1")
    host.uninstall(host.new)
    assert host.boot() == host.stock
    assert not host.do("default", host.stock)["changed"]


def test_armed_boots_once(host):
    result = arm(host)
    assert (result["after"]["default"], result["after"]["next"], result["after"]["trial"]) == (
        host.stock,
        host.new,
        host.new,
    )
    assert result["after"]["watchdog"] and not result["notes"]
    assert result["one_shot"] == {"possible": True, "reason": ""}
    assert result["record"] == {"state": "armed", "kernel": host.new, "old": host.stock}
    assert now(host) == (host.stock, host.new)
    assert host.boot() == host.new
    assert host.told_of_trial()
    assert now(host) == (host.stock, None)
    assert host.boot() == host.stock
    assert "panic=" not in host.text("/proc/cmdline")
    assert host.boot() == host.stock


def test_confirmed_stays(host):
    arm(host)
    host.boot()
    result = host.do("confirmed", host.new)
    assert (
        result["after"]["default"],
        result["after"]["next"],
        result["after"]["trial"],
        result["after"]["watchdog"],
    ) == (host.new, None, None, False)
    assert [name for name in host.files() if "realip" in name] == [STATE_FILE]
    assert "realip" not in host.text(host.CONFIG)
    assert host.boot() == host.new
    assert "panic=" not in host.text("/proc/cmdline")
    host.install("9.9.9-1")
    assert host.boot() == host.new
    assert not host.do("confirmed", host.new)["changed"]


def test_restore_leaves_every_byte_as_it_was(host):
    before = host.files()
    arm(host)
    assert host.boot() == host.new
    host.do("confirmed", host.new)
    assert host.do("reverted")["after"]["default"] == host.stock
    assert host.boot() == host.stock
    host.uninstall(host.new)
    assert host.do("reverted", restore=True)["after"]["default"] == host.stock
    assert host.files() == before


@pytest.mark.parametrize("booted", [False, True])
def test_restore_at_once_from_the_armed_state(host, booted):
    before = host.files()
    arm(host)
    if booted:
        host.boot()
        host.boot()
    host.uninstall(host.new)
    host.do("reverted", restore=True)
    assert host.files() == before


def test_restore_while_the_new_kernel_is_installed(host):
    """grubby keeps a number on its kernel, so that is what is put back; update-grub's number is a place in the menu."""
    arm(host)
    result = host.do("reverted", restore=True)
    expected = host.new if isinstance(host, OldDebian) else host.stock
    assert result["after"]["default"] == expected == host.boot()
    assert bool(result["notes"]) == isinstance(host, OldDebian)


def test_a_title_that_is_put_on_top_of_an_armed_menu(host):
    """The number that is armed means our way back then; update-grub leaves our entries where they are."""
    arm(host)
    host.install("4.4.0-9")
    expected = host.new if isinstance(host, OldDebian) else host.stock
    assert now(host)[1] == expected or now(host)[1] is None
    assert host.boot() == expected
    assert host.boot() == host.stock
    assert host.do("armed", host.new)["changed"]
    assert host.boot() == host.new
    assert host.boot() == host.stock


def test_kernel_that_is_removed_while_ours_is_the_default(host):
    host.install(host.older)
    host.do("default", host.stock)
    arm(host)
    host.boot()
    host.do("confirmed", host.new)
    host.uninstall(host.older)
    assert host.boot() == host.new
    assert not host.do("confirmed", host.new)["changed"]


def test_arming_again_on_another_kernel_renews_the_way_back(host):
    arm(host)
    host.install(host.older)
    host.boot(host.older)
    result = host.do("armed", host.new)
    assert (result["after"]["default"], result["record"]["old"]) == (host.older, host.older)
    assert host.boot() == host.new
    assert host.boot() == host.older


def test_kernel_that_grub_cannot_load(host):
    arm(host)
    assert host.boot(loads=lambda image: not image.endswith(host.new)) == host.stock
    assert host.boot() == host.stock


@pytest.mark.parametrize("kind", [El6Gnu, OldDebian])
def test_gnu_grub_that_cannot_write_does_not_try(tmp_path, kind):
    host = kind(tmp_path)
    arm(host)
    host.write("/boot/grub/default", "1\n")
    assert host.boot() == host.stock
    host.remove("/boot/grub/default")
    assert host.boot() == host.stock


def test_saved_entry_of_before_comes_back(host):
    host.install(host.older)
    text = host.text(host.CONFIG)
    host.write(
        host.CONFIG,
        text.replace("default=0", "default=saved")
        .replace("default=1", "default=saved")
        .replace("default\t\t0", "default saved"),
    )
    if host.RED_HAT:
        data = host.read("/boot/grub/stage2")
        host.write("/boot/grub/stage2", data[:0x20C] + b"\1\0\0\0" + data[0x210:])
    else:
        host.write("/boot/grub/default", DEFAULT_FILE)
    saved = host.boot()
    assert now(host) == (saved, None)
    before = host.files()
    assert host.do("default", saved)["before"]["grub_default_setting"] == "saved"
    host.install(host.new)
    host.do("armed", host.new)
    assert host.boot() == host.new
    host.do("confirmed", host.new)
    host.do("reverted")
    host.boot()
    host.uninstall(host.new)
    host.do("reverted", restore=True)
    assert host.files() == before


@pytest.mark.parametrize(
    "header",
    [
        "timeout=5\n",
        "",
        "default 0\nfallback=1\n",
        "default = 00 \nfallback 1\ntimeout 1\n",
        "default=1\n# default=7\n  default=0\n",
        u"# \xe9\ndefault\t0\r\n",
        "default=9\n",
        "fallback 0 1\ndefault\nhiddenmenu\n",
    ],
)
@pytest.mark.parametrize("kind", [El6, El6Gnu])
def test_any_header_comes_back(tmp_path, kind, header):
    host = kind(tmp_path)
    host.install(host.new)
    host.write(
        host.CONFIG,
        header.encode("latin-1") + (ENTRY6 % {"release": STOCK6} + ENTRY6 % {"release": NEW6}).encode("latin-1"),
    )
    assert host.boot() == host.stock
    before = host.files()
    host.do("armed", host.new)
    assert [host.boot(), host.boot()] == [host.new, host.stock]
    host.do("reverted", restore=True)
    assert host.files() == before
