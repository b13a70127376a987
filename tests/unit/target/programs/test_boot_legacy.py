# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""boot.py with GRUB legacy: the sequence, packages that move every number, a GRUB that cannot load or write, every interruption."""

from __future__ import absolute_import, division, print_function

import os
import re

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader import detect as boot_loader
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine
from boot_samples import Died
from legacy_samples import DEFAULT_FILE, ENTRY6, NEW6, STOCK6, El6, El6Gnu, OldDebian

STATE_FILE = "/var/lib/realip-toa/state.json"
KINDS = [El6, El6Gnu, OldDebian]


@pytest.fixture(params=KINDS, ids=[kind.__name__ for kind in KINDS])
def host(request, tmp_path):
    return request.param(tmp_path)


def refused(host, code, *args, **more):
    before = host.files()
    with pytest.raises(TargetError) as caught:
        host.do(*args, **more)
    assert caught.value.code == code
    assert caught.value.remedy
    assert host.files() == before
    return caught.value


def arm(host, **more):
    host.do("default", host.stock)
    host.install(host.new)
    return host.do("armed", host.new, **more)


def now(host):
    facts = boot_loader.look(host.root)
    assert facts["loader"] == "grub_legacy"
    return facts["default"], facts["next"]


# -- the sequence ---------------------------------------------------------------------------------------------------------


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
    assert host.text("/proc/cmdline").split()[-2:] == ["panic=30", "realip_toa.trial=1"]
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


# -- numbers --------------------------------------------------------------------------------------------------------------


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


# -- a GRUB that cannot -----------------------------------------------------------------------------------------------------


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


# -- what cannot be armed -------------------------------------------------------------------------------------------------


def broken(host, files):
    host.do("default", host.stock)
    host.install(host.new)
    for name, data in files.items():
        if data is None:
            host.remove(name)
        else:
            host.write(name, data)


@pytest.mark.parametrize(
    "files, said",
    [
        (
            {
                "/proc/self/mountinfo": "22 1 253:0 / / rw - ext4 /dev/mapper/vg-root rw\n",
                "/sys/dev/block/253:0/dm/uuid": "LVM-abc\n",
            },
            "device-mapper volume (LVM)",
        ),
        ({"/sys/dev/block/8:1/md/level": "raid1"}, "software RAID"),
        ({"/proc/self/mountinfo": "22 1 8:1 / / ro - ext4 /dev/sda1 ro\n"}, "mounted read-only"),
        ({"/boot/grub/stage2": None}, "not GRUB legacy itself"),
        ({"/boot/grub/stage2": b"\0" * 4096}, "neither GNU's GRUB 0.97 nor Red Hat's"),
        ({"/boot/grub2/grub.cfg": "insmod legacycfg\nlegacy_configfile /grub/grub.conf\n"}, "GRUB 2 reads"),
    ],
)
def test_no_one_shot(host, files, said):
    broken(host, files)
    error = refused(host, "no_fallback", "armed", host.new)
    assert said in error.message
    facts = boot_loader.look(host.root)
    assert (facts["one_shot"], facts["env_writable"], facts["default"]) == (False, False, host.stock) and said in facts[
        "reason"
    ]
    result = host.do("armed", host.new, accept_no_fallback=True)
    assert said in result["one_shot"]["reason"] and said in result["notes"][0]
    assert (result["after"]["default"], result["after"]["next"]) == (host.stock, host.new)
    assert not host.do("armed", host.new, accept_no_fallback=True)["changed"]
    assert [host.boot(), host.boot()] == [host.new, host.new]
    assert host.do("confirmed", host.new)["after"]["default"] == host.new
    assert host.boot() == host.new and "panic=" not in host.text("/proc/cmdline")


def test_uefi_has_another_menu_and_no_one_shot(tmp_path):
    host = El6(tmp_path)
    os.makedirs(host.path("/sys/firmware/efi"))
    os.makedirs(host.path("/boot/efi/EFI/redhat"))
    os.rename(host.path("/boot/grub/grub.conf"), host.path("/boot/efi/EFI/redhat/grub.conf"))
    os.unlink(host.path("/etc/grub.conf"))
    os.symlink("../boot/efi/EFI/redhat/grub.conf", host.path("/etc/grub.conf"))
    facts = boot_loader.look(host.root)
    assert (facts["config"], facts["default"], facts["one_shot"]) == ("/etc/grub.conf", STOCK6, False)
    assert "UEFI" in facts["reason"]


def test_red_hats_stage2_without_its_shell_is_not_trusted(tmp_path):
    host = El6(tmp_path)
    host.remove("/sbin/grub")
    assert "neither" in boot_loader.look(host.root)["reason"]


@pytest.mark.parametrize("missing", ["/boot/vmlinuz-%s", "/boot/initramfs-%s.img"])
def test_kernel_that_is_half_installed(tmp_path, missing):
    host = El6(tmp_path)
    host.install(NEW6)
    host.boot(STOCK6)
    host.write(missing % NEW6, b"")
    assert missing % NEW6 in refused(host, "kernel_incomplete", "armed", NEW6).message


def test_entry_with_a_line_that_goes_on_is_not_copied(tmp_path):
    host = El6(tmp_path)
    host.install(NEW6)
    host.boot(STOCK6)
    host.write(host.CONFIG, host.text(host.CONFIG).replace(" rhgb quiet", " rhgb \\\nquiet"))
    assert "goes on" in refused(host, "loader_not_supported", "armed", NEW6).message


# -- xen, links, savedefault ------------------------------------------------------------------------------------------------


def test_trial_of_a_xen_entry_tells_the_kernel_and_not_the_hypervisor(tmp_path):
    host = El6(tmp_path)
    host.install(NEW6)
    text = host.text(host.CONFIG)
    host.write(
        host.CONFIG,
        text.replace("kernel /vmlinuz-" + NEW6, "kernel /xen.gz dom0_mem=1G\n\tmodule /vmlinuz-" + NEW6).replace(
            "initrd /initramfs-%s" % NEW6, "module /initramfs-%s" % NEW6
        ),
    )
    host.boot(STOCK6)
    host.do("armed", NEW6)
    lines = [line for line in host.text(host.CONFIG).split("\n") if "realip_toa.trial" in line]
    assert len(lines) == 1 and lines[0].startswith("\tmodule /vmlinuz-" + NEW6)


def test_our_entries_do_not_save_themselves(tmp_path):
    host = OldDebian(tmp_path)
    arm(host)
    text = host.text(host.CONFIG)
    ours = text[text.index("title Back to") : text.index("### BEGIN AUTOMAGIC")]
    assert [line.strip() for line in ours.split("\n") if "savedefault" in line] == ["savedefault 0"]


# -- the trial watchdog with sysvinit ---------------------------------------------------------------------------------------------


class LiveMachine(Machine):
    """A machine whose commands count although it is a folder."""

    live = True


class Chkconfig:
    """chkconfig of EL 6, as far as the watchdog's script tells it what to do: links in the levels of its line "chkconfig:"."""

    def __init__(self, host, works=True):
        self.host = host
        self.works = works
        self.ran = []

    def find(self, name):
        return "/sbin/chkconfig" if name == "chkconfig" else None

    def run(self, argv, timeout=120, stdin=None, env=None):
        self.ran.append(argv[1:])
        script = self.host.text("/etc/rc.d/init.d/" + argv[2])
        levels, start, _stop = re.search(r"(?m)^# chkconfig: ([0-6]+) ([0-9]{2}) ([0-9]{2})$", script).groups()
        assert re.search(r"(?m)^# description: \S", script)
        for level in levels if self.works else "":
            link = self.host.path("/etc/rc.d/rc%s.d/S%s%s" % (level, start, argv[2]))
            if argv[1] == "--add":
                os.symlink("../init.d/" + argv[2], link)
            elif os.path.islink(link):
                os.unlink(link)
        return 0, "", ""


def watchdog_links(host):
    return sorted(name for name in host.files() if name.startswith("/etc/rc") and "/S" in name)


@pytest.mark.parametrize("works", [True, False])
def test_the_watchdog_is_enabled_with_chkconfig(tmp_path, works):
    host = El6(tmp_path)
    chkconfig = Chkconfig(host, works)
    machine = LiveMachine(host.root, chkconfig.run, chkconfig.find)
    host.install(NEW6)
    host.boot(STOCK6)
    host.do("armed", NEW6, machine=machine)
    assert chkconfig.ran == [["--add", "realip-toa-trial-watchdog"]]
    assert watchdog_links(host) == ["/etc/rc.d/rc%d.d/S01realip-toa-trial-watchdog" % level for level in (2, 3, 4, 5)]
    assert not host.do("armed", NEW6, machine=machine)["changed"]
    host.do("reverted", machine=machine)
    assert chkconfig.ran[1:] == [["--del", "realip-toa-trial-watchdog"]]
    assert [name for name in host.files() if "watchdog" in name] == []


def test_the_watchdog_is_enabled_by_hand_without_chkconfig(tmp_path):
    host = El6(tmp_path)
    host.install(NEW6)
    host.boot(STOCK6)
    assert host.do("armed", NEW6)["after"]["watchdog"]
    assert watchdog_links(host) == ["/etc/rc.d/rc%d.d/S01realip-toa-trial-watchdog" % level for level in (2, 3, 4, 5)]
    assert all(os.path.isfile(host.path(link)) and os.access(host.path(link), os.X_OK) for link in watchdog_links(host))
    host.do("reverted")
    assert watchdog_links(host) == []


# -- dying anywhere -------------------------------------------------------------------------------------------------------


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
