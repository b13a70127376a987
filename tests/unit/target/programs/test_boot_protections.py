# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What protects a trial, on each kind of boot loader: one table, filled by trying, which stands in docs/faults.md.

What protects one loader protects its siblings: a protection that is new gets a row here, and has to say `yes` on all of them.
"""

from __future__ import absolute_import, division, print_function

import os
import re

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import NO_WAY_TO_GET_STUCK
from boot_samples import SAMPLES, Host, UbuntuCloud
from el_samples import El7, El8, El9, Suse
from legacy_samples import El6, El6Gnu, OldDebian

DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(SAMPLES))), "docs", "faults.md")
LOADERS = [
    ("Debian", Host),
    ("Ubuntu cloud", UbuntuCloud),
    ("EL 7 (grubby)", El7),
    ("EL 8 (BLS)", El8),
    ("EL 9 (BLS)", El9),
    ("SLES, Btrfs", Suse),
    ("EL 6 (GRUB legacy)", El6),
    ("GNU's GRUB legacy", El6Gnu),
    ("Debian (GRUB legacy)", OldDebian),
]
YES, NO, NOT_THERE = "yes", "**no**", b"\xe2\x80\x93".decode("utf-8")
PROTECTIONS = []


def protection(title):
    def keep(function):
        PROTECTIONS.append((title, function))
        return function

    return keep


def armed(kind, folder):
    host = kind(folder)
    host.do("default", host.stock)
    host.install(host.new)
    host.do("armed", host.new)
    return host


def answer(truth):
    return YES if truth else NO


@protection("the trial boots once, and the old kernel after it")
def boots_once(host):
    return answer([host.boot(), host.boot()] == [host.new, host.stock])


@protection("GRUB cannot load the trial: the old kernel")
def is_loaded_or_not(host):
    image = re.compile("vmlinuz-" + re.escape(host.new))
    return answer([host.boot(None, lambda path: not image.search(path)), host.boot()] == [host.stock, host.stock])


@protection("GRUB's memory of what to boot is lost: the old kernel")
def memory_is_lost(host):
    if host.machine.exists(host.GRUB + "/grubenv"):
        host.set_environment(dict((name, value) for name, value in host.environment().items() if name == "kernelopts"))
        getattr(getattr(host, "tools", None), "kept_outside", {}).clear()
    elif host.RED_HAT:
        stage2 = host.read("/boot/grub/stage2")
        host.write("/boot/grub/stage2", stage2[:0x20C] + b"\0\0\0\0" + stage2[0x210:])
    else:
        host.remove("/boot/grub/default")
    return answer(host.boot() == host.stock)


@protection("a kernel that is installed meanwhile is never the default")
def others_are_installed(host):
    """With GRUB legacy its title moves all numbers; the way back has the trial's number then."""
    host.install(host.older)
    booted = [host.boot(), host.boot()]
    return answer(host.older not in booted and booted[1] == host.stock)


@protection("the trial has its initramfs")
def has_an_initramfs(host):
    places = [host.GRUB + "/custom.cfg", "/boot/loader/entries/~realip-toa-trial.conf", getattr(host, "CONFIG", "")]
    texts = [host.read(name).decode("latin-1") for name in places if name and host.machine.exists(name)]
    trial = re.search(r"Trial boot of.*?(?=\nmenuentry|\ntitle|\n###|\Z)", "\n".join(texts), re.S).group(0)
    return answer(re.search(r"(?m)^\s*initrd\S*\s+\S+%s" % re.escape(host.new), trial))


def _told(word):
    def told(host):
        if "systemd" in word and not host.machine.is_dir("/run/systemd/system"):
            return NOT_THERE
        host.boot()
        return answer(
            all(part in host.text("/proc/cmdline").split() for part in (word % 30 if "%" in word else word).split())
        )

    return told


for _what, _word, _pattern in NO_WAY_TO_GET_STUCK:
    protection("%s: a reboot" % _what)(_told(_word))


@protection("nobody confirms: the trial watchdog knows this trial")
def is_watched(host):
    host.boot()
    mark = re.search(r"realip_toa\.trial=\S+", host.text("/proc/cmdline")).group(0)
    return answer("\nmark=%s\n" % mark in host.text("/var/lib/realip-toa/watchdog.conf"))


@protection("emergency mode of systemd: a reboot, without /var")
def emergency_mode(host):
    if not host.machine.is_dir("/run/systemd/system"):
        return NOT_THERE
    host.boot()
    mark = re.search(r"realip_toa\.trial=\S+", host.text("/proc/cmdline")).group(0)
    unit = "/etc/systemd/system/emergency.target.wants/realip-toa-trial-emergency.service"
    return answer(
        os.path.islink(host.path(unit))
        and "ConditionKernelCommandLine=%s\n" % mark in host.text(os.readlink(host.path(unit)))
    )


@protection("the distribution's own tool sees the old kernel as the default")
def tools_agree(host):
    if host.machine.command("grubby") is None:
        return NOT_THERE
    return answer(host.tools.run(["grubby", "--default-kernel"])[1].strip() == "/boot/vmlinuz-" + host.stock)


@protection("what the trial was told is nowhere after the confirm")
def is_forgotten(host):
    host.boot()
    host.write("/etc/kernel/cmdline", host.text("/proc/cmdline"))
    host.do("confirmed", host.new)
    return answer(
        not [
            name
            for name, data in host.files().items()
            if b"realip_toa.trial" in (data if isinstance(data, bytes) else b"")
        ]
    )


def table(folder):
    lines = ["| protection | " + " | ".join(name for name, unused in LOADERS) + " |", "|---" * (len(LOADERS) + 1) + "|"]
    for number, (title, tried) in enumerate(PROTECTIONS):
        cells = []
        for name, kind in LOADERS:
            place = folder.mkdir("%d-%s" % (number, kind.__name__))
            cells.append(tried(armed(kind, place)))
        lines.append("| %s | %s |" % (title, " | ".join(cells)))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def filled(tmpdir_factory):
    return table(tmpdir_factory.mktemp("protections"))


def test_what_protects_one_loader_protects_all(filled):
    assert NO not in filled, filled


def test_the_table_of_the_documentation_is_the_one_that_was_tried(filled):
    with open(DOCS, "rb") as handle:
        assert filled in handle.read().decode("utf-8"), "docs/faults.md should have this table:\n\n" + filled
