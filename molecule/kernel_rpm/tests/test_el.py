# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot loaders, inits and package manager of Enterprise Linux 6 and 7, through plain shell."""

from __future__ import annotations

import re

TOA = {"centos6": "2.6.32-220.23.1.el6.toa.x86_64", "centos7": "3.10.0-693.el7.centos.toa.x86_64"}


def grub_legacy_default(text: str) -> str:
    """The title that GRUB legacy boots by itself."""
    number = int(re.search(r"(?m)^default=(\d+)$", text).group(1))
    return re.findall(r"(?m)^title (.*)$", text)[number]


def test_toa_kernel_is_the_default(host, name):
    if name == "centos6":
        assert f"({TOA[name]})" in grub_legacy_default(host.file("/boot/grub/grub.conf").content_string)
    else:
        settings = dict(line.split("=", 1) for line in host.check_output("grub2-editenv list").splitlines())
        assert TOA[name] in settings["saved_entry"] and not settings.get("next_entry")


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
