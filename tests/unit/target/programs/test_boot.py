# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""boot.py on a host in a folder, booted by the rules of its own grub.cfg: the sequence, and every interruption."""

from __future__ import absolute_import, division, print_function


import pytest
from boot_samples import DEFAULT_GRUB, NEW, OLDER, STOCK, Host, arm, refused, spec_of

IDLE = {"default": STOCK, "next": None, "trial": None, "watchdog": False}
STATE_FILE = "/var/lib/realip-toa/state.json"


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_without_us_a_new_kernel_would_be_the_default(host):
    host.install(NEW)
    assert host.boot() == NEW


def test_default_keeps_the_running_kernel_whatever_is_installed(host):
    result = host.do("default", STOCK)
    assert result["changed"]
    assert result["before"] == dict(IDLE, grub_default_setting="0")
    assert result["after"] == dict(IDLE, grub_default_setting="saved")
    host.install(NEW)
    assert host.environment() == {"saved_entry": spec_of(STOCK)}
    assert host.boot() == STOCK
    assert host.read("/etc/default/grub") == DEFAULT_GRUB.replace(b"GRUB_DEFAULT=0", b"GRUB_DEFAULT=saved")
    assert not host.do("default", STOCK)["changed"]


def test_armed_boots_once(host):
    result = arm(host)
    assert result["after"] == {
        "default": STOCK,
        "next": NEW,
        "trial": NEW,
        "watchdog": True,
        "grub_default_setting": "saved",
    }
    assert result["one_shot"] == {"possible": True, "reason": ""}
    assert result["record"] == {"state": "armed", "kernel": NEW, "old": STOCK}
    assert host.boot() == NEW
    assert host.told_of_trial()
    assert host.boot() == STOCK


def test_armed_survives_that_menus_are_generated_again(host):
    arm(host)
    host.install("4.4.0-210-generic")
    host.install("9.9.9-1-generic")
    assert host.boot() == NEW
    assert host.boot() == STOCK


def test_confirmed_stays(host):
    arm(host)
    host.boot()
    result = host.do("confirmed", NEW)
    assert result["changed"]
    assert result["after"] == {
        "default": NEW,
        "next": None,
        "trial": None,
        "watchdog": False,
        "grub_default_setting": "saved",
    }
    assert [name for name in host.files() if "realip" in name] == [STATE_FILE]
    assert host.environment() == {"saved_entry": spec_of(NEW), "next_entry": ""}
    assert host.boot() == NEW
    host.install("9.9.9-1-generic")
    assert host.boot() == NEW
    assert "panic=" not in host.text("/proc/cmdline")
    assert not host.do("confirmed", NEW)["changed"]


def test_restore_leaves_every_byte_as_it_was(host):
    before = host.files()
    arm(host)
    host.boot()
    host.do("confirmed", NEW)
    assert host.do("reverted")["after"]["default"] == STOCK
    assert host.boot() == STOCK
    host.uninstall(NEW)
    result = host.do("reverted", restore=True)
    assert result["after"] == dict(IDLE, grub_default_setting="0")
    assert host.files() == before


def test_restore_at_once_from_the_armed_state(host):
    before = host.files()
    arm(host)
    host.uninstall(NEW)
    host.do("reverted", restore=True)
    assert host.files() == before


def test_restore_says_when_the_old_setting_means_another_kernel(host):
    arm(host)
    result = host.do("reverted", restore=True)
    assert result["after"]["default"] == NEW
    assert "the default is 4.4.87.toa and not 4.4.0-31-generic" in result["notes"][0]
    assert host.boot() == NEW


def test_saved_entry_of_before_comes_back(host):
    host.write("/etc/default/grub", 'GRUB_TIMEOUT=1\nGRUB_DEFAULT="saved"')
    host.install(OLDER)
    host.set_environment({"saved_entry": spec_of(OLDER), "other": "kept"})
    before = host.files()
    host.do("default", STOCK)
    host.install(NEW)
    assert host.boot() == STOCK
    host.uninstall(NEW)
    host.do("reverted", restore=True)
    assert host.files() == before


@pytest.mark.parametrize(
    "text",
    [
        b"GRUB_TIMEOUT=5\n",
        b"",
        b"GRUB_DEFAULT=1\nGRUB_DEFAULT='0'",
        b'  export GRUB_DEFAULT="0" # why\nX=1\n',
        b"GRUB_DEFAULT=\n",
    ],
)
def test_any_way_to_write_the_setting_comes_back(host, text):
    host.write("/etc/default/grub", text)
    host.generate()
    before = host.files()
    host.do("default", STOCK)
    host.install(NEW)
    assert host.boot() == STOCK
    host.uninstall(NEW)
    host.do("reverted", restore=True)
    assert host.files() == before


def test_file_that_was_not_there_goes_again(host):
    host.remove("/etc/default/grub")
    before = host.files()
    host.do("default", STOCK)
    assert host.read("/etc/default/grub")
    host.do("reverted", restore=True)
    assert host.files() == before


def test_drop_in_that_overrules_the_setting_is_the_one_that_is_changed(host):
    host.write("/etc/default/grub.d/50-cloud.cfg", "GRUB_DEFAULT=0\n")
    host.do("default", STOCK)
    assert host.text("/etc/default/grub.d/50-cloud.cfg") == "GRUB_DEFAULT=saved\n"
    assert host.read("/etc/default/grub") == DEFAULT_GRUB


def test_setting_that_somebody_changed_meanwhile_is_theirs(host):
    host.do("default", STOCK)
    host.write("/etc/default/grub", "GRUB_DEFAULT=1\n")
    host.do("reverted", restore=True)
    assert host.text("/etc/default/grub") == "GRUB_DEFAULT=1\n"


def test_reverted_where_nothing_was_armed(host):
    before = host.files()
    result = host.do("reverted")
    assert (result["changed"], result["notes"]) == (False, ["nothing was armed here"])
    assert host.files() == before


def test_one_shot_of_somebody_else_is_left_alone(host):
    host.set_environment({"next_entry": "0"})
    assert not host.do("reverted")["changed"]
    assert host.environment() == {"next_entry": "0"}


def test_reverted_before_the_reboot(host):
    arm(host)
    result = host.do("reverted")
    assert result["after"] == dict(IDLE, grub_default_setting="saved")
    assert [name for name in host.files() if "realip" in name] == [STATE_FILE]
    assert host.boot() == STOCK


def test_reverted_on_the_trial_kernel(host):
    arm(host)
    host.boot()
    result = host.do("reverted")
    assert result["notes"] == ["kernel 4.4.87.toa is still running; 4.4.0-31-generic comes with the next boot"]
    assert host.boot() == STOCK


def test_reverted_to_a_kernel_that_is_named(host):
    host.install(OLDER)
    arm(host)
    assert host.do("reverted", OLDER)["after"]["default"] == OLDER
    assert host.boot() == OLDER


def test_after_the_watchdog_went_back_the_reason_is_known_and_it_can_be_armed_again(host):
    arm(host)
    host.boot()
    text = host.text(STATE_FILE).replace('"state": "armed"', '"reason": "too late", "state": "reverted_by_watchdog"')
    host.write(STATE_FILE, text)
    host.boot()
    error = refused(host, "wrong_kernel", "confirmed", NEW)
    assert "too late" in error.message
    assert host.do("default", STOCK)["record"]["reason"] == "too late"
    assert host.do("armed", NEW)["record"] == {"state": "armed", "kernel": NEW, "old": STOCK}
    assert host.boot() == NEW


def test_arming_another_kernel_on_an_unconfirmed_one_falls_back_to_the_good_one(host):
    arm(host)
    host.boot()
    host.install("4.4.88.toa")
    result = host.do("armed", "4.4.88.toa")
    assert (result["record"]["old"], result["after"]["default"]) == (STOCK, STOCK)
    assert host.boot() == "4.4.88.toa"
    assert host.boot() == STOCK


def test_new_stock_kernel_becomes_the_one_to_go_back_to(host):
    host.do("default", STOCK)
    host.install("4.4.0-210-generic")
    host.boot("4.4.0-210-generic")
    assert host.do("default", "4.4.0-210-generic")["record"]["old"] == "4.4.0-210-generic"


def test_armed_while_it_runs_already(host):
    arm(host)
    host.boot()
    before = host.files()
    result = host.do("armed", NEW)
    assert (result["changed"], result["notes"]) == (False, ["kernel 4.4.87.toa is running already; nothing is armed"])
    assert host.files() == before
