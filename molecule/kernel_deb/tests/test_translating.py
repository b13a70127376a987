# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot loader and init of Debian and Ubuntu, through plain shell; the rest is in molecule/shared/kernel_package."""

from __future__ import annotations


def test_menu_has_no_trial(host):
    assert "realip_toa.trial" not in host.file("/boot/grub/grub.cfg").content_string
    assert not host.file("/boot/grub/custom.cfg").exists


def test_module_is_loaded_at_boot_by_something_that_runs(host):
    assert "toa" in host.file("/etc/modules-load.d/realip-toa.conf").content_string
    assert host.run("systemctl is-enabled systemd-modules-load").stdout.strip() == "static"
