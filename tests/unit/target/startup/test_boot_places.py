# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists, units and the initramfs that load TOA at boot, on made-up hosts."""

from __future__ import absolute_import, division, print_function

import os

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.startup.boot_places import find_places
from fake_hosts import CENTOS6, CENTOS7, DEBIAN8, EXECUTABLE, LINK, ROCKY9, UBUNTU1604
from place_samples import build, EL7_KERNEL, UBUNTU_KERNEL, only, places


# -- hosts as they come


@pytest.mark.parametrize("host", [UBUNTU1604, DEBIAN8, CENTOS7, CENTOS6, ROCKY9])
def test_a_stock_host_loads_nothing(tmpdir, host):
    assert places(tmpdir, host) == []


# -- modules-load.d and /etc/modules


def test_modules_load(tmpdir):
    found = only(
        tmpdir, UBUNTU1604, {"/etc/modules-load.d/realip-toa.conf": "# realip.toa: keeps toa across reboots\ntoa\n"}
    )
    assert found == {
        "path": "/etc/modules-load.d/realip-toa.conf",
        "kind": "modules_load",
        "module": "toa",
        "line": "toa",
        "line_number": 2,
        "effective": True,
        "reason": "",
        "ours": True,
        "file": "",
    }


@pytest.mark.parametrize(
    "files, reason",
    [
        ({"/etc/modules-load.d/toa": "toa\n"}, "only files named *.conf are read"),
        ({"/etc/modules-load.d/toa.conf": "modprobe toa\n"}, "this file lists names of modules, not commands"),
        ({"/etc/modules-load.d/toa.conf": "toa debug=1\n"}, "the whole line is taken for the name of a module"),
        (
            {"/usr/lib/modules-load.d/toa.conf": "toa\n", "/etc/modules-load.d/toa.conf": (LINK, "/dev/null")},
            "/etc/modules-load.d/toa.conf takes its place",
        ),
        (
            {"/etc/modules-load.d/toa.conf": "toa\n", "/etc/modprobe.d/no.conf": "blacklist toa\n"},
            "/etc/modprobe.d/no.conf blacklists it",
        ),
        (
            {"/etc/modules-load.d/toa.conf": "toa\n", "/etc/modprobe.d/no.conf": "install toa /bin/false\n"},
            "/etc/modprobe.d/no.conf replaces loading it by /bin/false",
        ),
        (
            {
                "/etc/modules-load.d/toa.conf": "toa\n",
                "/etc/systemd/system/systemd-modules-load.service": (LINK, "/dev/null"),
            },
            "systemd-modules-load.service is masked",
        ),
        ({"/etc/modules-load.d/toa.conf": "tcp-toa\r\n"}, ""),
    ],
)
def test_modules_load_that_may_not_work(tmpdir, files, reason):
    found = only(tmpdir, UBUNTU1604, files)
    assert (found["effective"], found["reason"]) == (not reason, reason)


def test_modprobe_by_name_does_not_mind_a_blacklist(tmpdir):
    found = only(
        tmpdir,
        UBUNTU1604,
        {"/etc/rc.local": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\n"), "/etc/modprobe.d/no.conf": "blacklist toa\n"},
    )
    assert found["effective"]


def test_modules_load_without_systemd(tmpdir):
    found = only(tmpdir.mkdir("el6"), CENTOS6, {"/etc/modules-load.d/toa.conf": "toa\n"})
    assert found["reason"] == "nothing reads modules-load.d on this host (init is upstart)"
    sysv = fake_hosts.changed(
        DEBIAN8,
        {
            "/run/systemd/system": None,
            "/proc/1/stat": "1 (init) S 0",
            "/etc/inittab": "",
            "/etc/init.d/kmod": "dirs='/etc/modules-load.d' /etc/modules",
            "/etc/modules-load.d/toa.conf": "toa\n",
        },
    )
    root = build(tmpdir.mkdir("sysv"), sysv, {"/etc/modules": "vtoa x=1\n"})
    assert [(place["module"], place["effective"]) for place in find_places(root, "3.16.0-11-amd64")] == [
        ("toa", True),
        ("vtoa", True),
    ]


def test_one_folder_under_two_names_is_read_once(tmpdir):
    root = fake_hosts.build(
        tmpdir,
        {key: value for key, value in UBUNTU1604.items() if not key.startswith("/lib/")},
        {"/usr/lib/modules-load.d/toa.conf": "toa\n", "/lib": (LINK, "usr/lib")},
    )
    assert [place["path"] for place in find_places(root, UBUNTU_KERNEL)] == ["/usr/lib/modules-load.d/toa.conf"]


def test_etc_modules(tmpdir):
    linked = only(tmpdir.mkdir("linked"), UBUNTU1604, {"/etc/modules": "loop\n# realip.toa\ntoa\n"})
    assert (linked["path"], linked["kind"], linked["line_number"], linked["effective"], linked["ours"]) == (
        "/etc/modules",
        "etc_modules",
        3,
        True,
        True,
    )
    alone = only(tmpdir.mkdir("alone"), CENTOS7, {"/etc/modules": "toa\n"})
    assert alone["reason"] == "nothing reads /etc/modules here: no modules-load.d file links to it"


def test_the_marker_covers_its_line_only_in_a_shared_file(tmpdir):
    script = "#!/bin/sh\nmodprobe vtoa\n# realip.toa\nmodprobe toa\nmodprobe ttm\nmodprobe toa # realip.toa\n"
    found = places(tmpdir, UBUNTU1604, files={"/etc/rc.local": (EXECUTABLE, script)})
    assert [(place["line_number"], place["ours"]) for place in found] == [(2, False), (4, True), (5, False), (6, True)]


# -- units and the initramfs

UNIT = "# realip.toa\n[Unit]\nDescription=x\n\n[Service]\nType=oneshot\nExecStart=/sbin/modprobe toa\n\n[Install]\nWantedBy=multi-user.target\n"


def test_our_unit(tmpdir):
    files = {"/etc/systemd/system/realip-toa.service": UNIT}
    off = only(tmpdir.mkdir("off"), UBUNTU1604, files)
    assert (off["kind"], off["module"], off["line"], off["line_number"], off["reason"], off["ours"]) == (
        "systemd",
        "toa",
        "ExecStart=/sbin/modprobe toa",
        7,
        "the unit is not enabled",
        True,
    )
    files["/etc/systemd/system/multi-user.target.wants/realip-toa.service"] = (LINK, "../realip-toa.service")
    assert only(tmpdir.mkdir("on"), UBUNTU1604, files)["effective"]


@pytest.mark.parametrize(
    "line, effective",
    [
        ("ExecStart=-/sbin/modprobe -q toa", True),
        ("ExecStart=/bin/sh -c 'modprobe toa'", True),
        ('ExecStart=/bin/sh -c "insmod /nowhere/toa.ko"', False),
        ("ExecStartPre=/sbin/modprobe toa", True),
    ],
)
def test_an_operators_unit(tmpdir, line, effective):
    found = only(
        tmpdir,
        UBUNTU1604,
        {
            "/etc/systemd/system/my.service": "[Service]\n%s\n" % line,
            "/etc/systemd/system/multi-user.target.wants/my.service": (LINK, "/etc/systemd/system/my.service"),
        },
    )
    assert (found["module"], found["effective"], found["ours"]) == ("toa", effective, False)


def test_a_unit_that_does_not_load_is_none_of_our_business(tmpdir):
    assert (
        places(
            tmpdir,
            UBUNTU1604,
            files={
                "/etc/systemd/system/x.service": "[Service]\nExecStart=/bin/rmmod toa\n",
                "/etc/systemd/system/realip-toa-trial-watchdog.service": "[Service]\nExecStart=/bin/sh /var/lib/x\n",
            },
        )
        == []
    )


def test_the_vtoa_unit(tmpdir):
    files = {
        "/usr/lib/systemd/system/vtoa.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/vtoa-start\n",
        "/etc/systemd/system/multi-user.target.wants/vtoa.service": (LINK, "/usr/lib/systemd/system/vtoa.service"),
    }
    found = only(tmpdir, ROCKY9, files)
    assert (found["module"], found["kind"], found["effective"]) == ("vtoa", "systemd", True)


def set_age(root, path, seconds):
    os.utime(root + path, (1500000000 - seconds, 1500000000 - seconds))


def test_the_initramfs(tmpdir):
    image = "/boot/initrd.img-" + UBUNTU_KERNEL
    root = build(tmpdir, UBUNTU1604, {"/etc/initramfs-tools/modules": "# list\ntoa\n", image: "cpio"})
    set_age(root, image, 100)
    set_age(root, "/etc/initramfs-tools/modules", 200)
    assert [place["effective"] for place in find_places(root, UBUNTU_KERNEL)] == [True]
    set_age(root, "/etc/initramfs-tools/modules", 50)
    assert [place["reason"] for place in find_places(root, UBUNTU_KERNEL)] == [
        image + " was made before this list was changed"
    ]
    os.unlink(root + image)
    assert "no initramfs" in find_places(root, UBUNTU_KERNEL)[0]["reason"]


def test_dracut(tmpdir):
    root = build(
        tmpdir,
        CENTOS7,
        {
            "/etc/dracut.conf.d/toa.conf": 'add_drivers+=" toa "\nforce_drivers+=" vtoa "\n',
            "/boot/initramfs-%s.img" % EL7_KERNEL: "cpio",
        },
    )
    set_age(root, "/etc/dracut.conf.d/toa.conf", 10)
    found = find_places(root, EL7_KERNEL)
    assert [(place["kind"], place["module"], place["effective"]) for place in found] == [
        ("initramfs", "toa", False),
        ("initramfs", "vtoa", True),
    ]
