# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a trial was told does not outlast it: neither on the host's other command lines, nor in the kernel that was confirmed."""

from __future__ import absolute_import, division, print_function

import re

import pytest
from boot_samples import Host
from legacy_samples import El6, El6Gnu, OldDebian
from el_samples import El7, El8, El9

KINDS = [Host, El7, El8, El6, El6Gnu, OldDebian]
WATCHDOG = "/var/lib/realip-toa/watchdog.conf"


@pytest.fixture(params=KINDS, ids=[kind.__name__ for kind in KINDS])
def host(request, tmp_path):
    return request.param(tmp_path)


def armed(host):
    host.do("default", host.stock)
    host.install(host.new)
    host.do("armed", host.new)


def leak(host):
    """What tools make of the command line of a kernel that is on trial: {file: what it is without that}."""
    running = host.text("/proc/cmdline").strip()
    own = running[: running.index(" realip_toa")].rstrip()
    host.write("/etc/kernel/cmdline", running + "\n")
    host.write("/etc/default/grub.d/99-copied.cfg", 'GRUB_CMDLINE_LINUX="%s"\n' % running)
    return {
        "/etc/kernel/cmdline": own + "\n",
        "/etc/default/grub.d/99-copied.cfg": 'GRUB_CMDLINE_LINUX="%s"\n' % own,
    }


@pytest.mark.parametrize("ends", ["confirmed", "reverted", "default"])
def test_copies_of_the_words_are_taken_out_again(host, ends):
    armed(host)
    host.boot()
    wanted = leak(host)
    result = host.do(ends, None if ends == "reverted" else host.new if ends == "confirmed" else host.stock)
    for name, text in wanted.items():
        assert host.text(name) == text
        assert "take the trial's words out of %s" % name in result["steps"]
    assert not host.do(ends, host.new if ends == "confirmed" else host.stock)["changed"]


def test_what_is_copied_after_the_confirm_goes_with_the_next_call(host):
    armed(host)
    host.boot()
    host.do("confirmed", host.new)
    wanted = leak(host)
    assert host.do("confirmed", host.new)["changed"]
    for name, text in wanted.items():
        assert host.text(name) == text


def test_entries_of_kernels_that_came_during_the_trial(tmp_path):
    """kernel-install writes the running kernel's command line into the entry of the kernel that it installs."""
    host = El8(tmp_path)
    armed(host)
    host.boot()
    running = host.text("/proc/cmdline").strip()
    name = "/boot/loader/entries/feed-5.14.0.conf"
    host.write(name, "title x\nversion 5.14.0\nlinux /vmlinuz-5.14.0\noptions %s\n" % running)
    values = host.environment()
    values["kernelopts"] = running
    host.set_environment(values)
    host.do("confirmed", host.new)
    assert "realip" not in host.text(name) and "panic=" not in host.text(name)
    assert host.environment()["kernelopts"] == running[: running.index(" realip_toa")].rstrip()


def test_grubby_copies_the_trial_into_the_command_line_of_later_kernels(tmp_path):
    """EL 9: `grubby --update-kernel=ALL` keeps the options of the last entry, which is the trial, for kernels that come later."""
    host = El9(tmp_path)
    armed(host)
    host.boot()
    host.tools.run(["grubby", "--update-kernel=ALL", "--args=audit=1"])
    assert "realip_toa.trial" in host.text("/etc/kernel/cmdline")
    host.install(host.older)
    host.do("confirmed", host.new)
    assert host.text("/etc/kernel/cmdline").split()[-1] == "audit=1"
    assert not [name for name, data in host.files().items() if isinstance(data, bytes) and b"realip_toa.trial" in data]


def test_words_in_the_same_menu_as_the_trial_of_today(tmp_path):
    """grubby copied an entry of the last trial; the one of this trial keeps its own words."""
    host = El6(tmp_path)
    armed(host)
    host.boot()
    running = host.text("/proc/cmdline").strip()
    host.boot(host.stock)
    copied = "title copied\n\troot (hd0,0)\n\tkernel /vmlinuz-9 %s\n\tinitrd /initramfs-9.img\n" % running
    host.write(host.CONFIG, host.text(host.CONFIG) + copied)
    host.do("armed", host.new)
    assert len(re.findall("realip_toa.trial", host.text(host.CONFIG))) == 1
    assert host.boot() == host.new and host.told_of_trial()


def test_each_trial_has_a_number_of_its_own(host):
    armed(host)
    first = host.record()["nonce"]
    host.do("armed", host.new, confirm_timeout=900)
    assert host.record()["nonce"] == first
    assert "\nmark=realip_toa.trial=%s\n" % first in host.text(WATCHDOG)
    host.do("reverted")
    assert "nonce" not in host.record()
    host.do("armed", host.new)
    assert host.record()["nonce"] != first


SETTINGS = ("panic", "panic_on_oops", "softlockup_panic", "hung_task_panic")


def settings(host, **values):
    for name, value in values.items():
        host.write("/proc/sys/kernel/" + name, value + "\n")


def read_settings(host):
    return dict((name, host.text("/proc/sys/kernel/" + name).strip()) for name in SETTINGS)


def test_a_confirmed_kernel_behaves_in_trouble_as_the_old_one_did(host):
    before = {"panic": "0", "panic_on_oops": "1", "softlockup_panic": "0", "hung_task_panic": "0"}
    settings(host, **before)
    armed(host)
    host.boot()
    settings(host, panic="30", panic_on_oops="1", softlockup_panic="1", hung_task_panic="1")
    host.do("confirmed", host.new)
    assert read_settings(host) == before
    assert not host.do("confirmed", host.new)["changed"]


def test_settings_that_the_hosts_own_sysctl_made_are_left_alone(host):
    settings(host, panic="0", hung_task_panic="0")
    armed(host)
    host.boot()
    now = {"panic": "60", "panic_on_oops": "0", "softlockup_panic": "0", "hung_task_panic": "0"}
    settings(host, **now)
    host.do("confirmed", host.new)
    assert read_settings(host) == now


def test_settings_of_a_boot_that_is_no_trial_are_the_operators(host):
    armed(host)
    host.boot()
    host.do("confirmed", host.new)
    host.boot()
    settings(host, panic="30", hung_task_panic="1")
    assert not host.do("confirmed", host.new)["changed"]
