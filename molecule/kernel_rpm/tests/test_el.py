# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot loaders, inits and package manager of Enterprise Linux 6 and 7, through plain shell."""

from __future__ import annotations

import re


def test_menu_has_one_entry_for_each_kernel(host, name):
    menu = host.check_output("cat /etc/grub.conf" if name == "centos6" else "cat /etc/grub2.cfg")
    assert len(re.findall(r"(?m)^\s*(?:kernel|linux)\s+/boot/vmlinuz-", menu)) == 2
    assert "realip" not in menu and not host.file("/boot/grub2/custom.cfg").exists


def test_module_is_loaded_at_boot_by_something_that_runs(host, name):
    if name == "centos6":
        script = host.file("/etc/sysconfig/modules/realip-toa.modules")
        assert "modprobe toa" in script.content_string and script.mode & 0o100
        assert not host.file("/run/systemd").exists and not host.exists("systemctl")
    else:
        assert "toa" in host.file("/etc/modules-load.d/realip-toa.conf").content_string
        assert host.check_output("systemctl is-enabled systemd-modules-load") == "static"


def test_an_update_brings_no_other_kernel(host):
    assert re.search(r"(?m)^exclude=kernel ", host.file("/etc/yum.conf").content_string)
