# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking away what `make install` has put into /boot: its files and no others, and the distribution's own tool for the menu."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

import pytest
from ansible_collections.realip.toa.plugins.module_utils.building import kernel_install
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError

OURS = (
    "boot/vmlinuz-6.1.0.toa",
    "boot/vmlinuz-6.1.0.toa.old",
    "boot/System.map-6.1.0.toa",
    "boot/initrd.img-6.1.0.toa",
    "lib/modules/6.1.0.toa/modules.dep",
)
OTHERS = ("boot/vmlinuz-6.1.0", "boot/vmlinuz-6.1.0.toa2", "lib/modules/6.1.0/modules.dep")


@pytest.fixture
def root(tmpdir, monkeypatch):
    for name in OURS + OTHERS:
        tmpdir.join(name).ensure()
    ran = []
    monkeypatch.setattr(kernel_install, "run", lambda words, **more: ran.append(words) or (0, "", ""))
    monkeypatch.setattr(kernel_install, "which", lambda name: None)
    tmpdir.ran = ran
    return tmpdir


def left(root):
    return sorted(
        os.path.relpath(os.path.join(place, name), str(root))
        for place, _folders, names in os.walk(str(root))
        for name in names
    )


@pytest.mark.parametrize(
    "tool, first",
    [
        ("etc/kernel/postrm.d/zz", "run-parts"),
        ("sbin/new-kernel-pkg", "/sbin/new-kernel-pkg"),
        ("bin/kernel-install", "/bin/kernel-install"),
    ],
)
def test_a_kernel_goes_and_its_neighbours_stay(root, tool, first):
    root.join(tool).ensure()
    kernel_install.take_away("6.1.0.toa", str(root))
    assert left(root) == sorted(OTHERS + (tool,))
    (words,) = root.ran
    assert (
        words[0] == first
        and [word for word in words if "6.1.0.toa" in word]
        and not [word for word in words if "%" in word]
    )


@pytest.mark.parametrize(
    "also, first",
    [
        ("bin/kernel-install", "/bin/kernel-install"),
        ("sbin/new-kernel-pkg", "/sbin/new-kernel-pkg"),
        ("etc/debian_version", "run-parts"),
    ],
)
def test_a_folder_of_hooks_alone_makes_no_debian(root, also, first):
    """EL has /etc/kernel/postrm.d as soon as a package puts a hook there, and Debian's systemd brings kernel-install."""
    root.join("etc/kernel/postrm.d/zz").ensure()
    root.join("bin/kernel-install").ensure()
    root.join(also).ensure()
    kernel_install.take_away("6.1.0.toa", str(root))
    assert root.ran[0][0] == first


def test_a_boot_menu_that_keeps_it_is_told(root, monkeypatch):
    root.join("bin/kernel-install").ensure()
    monkeypatch.setattr(kernel_install, "run", lambda words, **more: (1, "", "grub.cfg: read-only"))
    with pytest.raises(TargetError) as caught:
        kernel_install.take_away("6.1.0.toa", str(root))
    assert caught.value.code == "boot_menu_kept" and "read-only" in caught.value.message


def test_the_kernel_of_a_package_is_the_package_managers(monkeypatch):
    monkeypatch.setattr(kernel_install, "which", lambda name: name == "rpm")
    monkeypatch.setattr(kernel_install, "run", lambda words: (0, "kernel-6.1.0-1.x86_64\n", ""))
    with pytest.raises(TargetError) as caught:
        kernel_install.take_away("6.1.0.toa")
    assert caught.value.code == "kernel_of_package" and "kernel-6.1.0-1" in caught.value.message


@pytest.mark.parametrize("release", ["", "../etc", "6.1;reboot", "-rf"])
def test_what_is_no_release(root, release):
    with pytest.raises(TargetError):
        kernel_install.take_away(release, str(root))
    assert left(root) == sorted(OURS + OTHERS)
