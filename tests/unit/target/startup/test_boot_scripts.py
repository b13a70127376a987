# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that load TOA at boot, on made-up hosts: rc.local and /etc/sysconfig/modules."""

from __future__ import absolute_import, division, print_function

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.startup.boot_places import find_places
from fake_hosts import CENTOS6, CENTOS7, DEBIAN8, EXECUTABLE, LINK, ROCKY9, UBUNTU1604
from place_samples import build, UBUNTU_KERNEL, only, places


# -- the documents' line


def test_the_documents_line_does_nothing_on_ubuntu(tmpdir):
    """echo "modprobe toa" >> /etc/rc.d/rc.local, after somebody made the folder: rc-local.service runs /etc/rc.local."""
    found = only(tmpdir, UBUNTU1604, {"/etc/rc.d/rc.local": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\n")})
    assert found == {
        "path": "/etc/rc.d/rc.local",
        "kind": "rc_local",
        "module": "toa",
        "line": "modprobe toa",
        "line_number": 2,
        "effective": False,
        "reason": "this host runs /etc/rc.local, not this file",
        "ours": False,
        "file": "",
    }


def test_the_documents_line_does_nothing_on_debian_without_rc_local(tmpdir):
    found = only(tmpdir, DEBIAN8, {"/etc/rc.d/rc.local": "modprobe toa\n"})
    assert (found["effective"], found["reason"]) == (False, "this host runs /etc/rc.local, not this file")


def test_the_documents_line_works_on_centos_6(tmpdir):
    found = only(
        tmpdir, CENTOS6, {"/etc/rc.d/rc.local": (EXECUTABLE, "#!/bin/sh\ntouch /var/lock/subsys/local\nmodprobe toa\n")}
    )
    assert (found["path"], found["line_number"], found["effective"], found["reason"]) == (
        "/etc/rc.d/rc.local",
        3,
        True,
        "",
    )


def test_the_documents_line_on_centos_7_needs_an_executable_file(tmpdir):
    text = "#!/bin/bash\ntouch /var/lock/subsys/local\nmodprobe toa\n"
    stock = only(tmpdir.mkdir("stock"), CENTOS7, {"/etc/rc.d/rc.local": text})
    assert (stock["effective"], stock["reason"]) == (False, "not executable")
    made = only(tmpdir.mkdir("made"), CENTOS7, {"/etc/rc.d/rc.local": (EXECUTABLE, text)})
    assert made["effective"]


def test_on_centos_7_a_file_in_place_of_the_link_is_not_run(tmpdir):
    found = only(tmpdir, CENTOS7, {"/etc/rc.local": (EXECUTABLE, "#!/bin/sh\ninsmod /root/toa.ko\n")})
    assert found["reason"] == "this host runs /etc/rc.d/rc.local, not this file"


def test_a_link_between_the_two_is_one_place(tmpdir):
    found = places(
        tmpdir,
        UBUNTU1604,
        files={
            "/etc/rc.local": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\nexit 0\n"),
            "/etc/rc.d/rc.local": (LINK, "../rc.local"),
        },
    )
    assert [(place["path"], place["effective"]) for place in found] == [("/etc/rc.local", True)]


def test_centos_6_without_its_start_link(tmpdir):
    found = only(
        tmpdir,
        CENTOS6,
        {
            "/etc/rc.d/rc.local": (EXECUTABLE, "modprobe toa\n"),
            "/etc/rc.d/rc3.d/S99local": None,
            "/etc/rc.d/rc3.d/S10network": "x",
        },
    )
    assert found["reason"] == "no start link (S99local) of this host's runlevel leads to rc.local"


def test_debian_with_sysvinit_runs_rc_local_without_a_first_line(tmpdir):
    host = fake_hosts.changed(
        DEBIAN8,
        {
            "/run/systemd/system": None,
            "/proc/1/stat": "1 (init) S 0",
            "/etc/inittab": "",
            "/etc/init.d/rc.local": "x",
            "/etc/rc.local": (EXECUTABLE, "modprobe toa\n"),
        },
    )
    root = build(tmpdir, host)
    assert [place["effective"] for place in find_places(root, "3.16.0-11-amd64")] == [True]


@pytest.mark.parametrize(
    "text, reason",
    [
        ("modprobe toa\n", "the first line is no #! line, so systemd cannot run it"),
        (
            "#!/bin/sh\r\nmodprobe toa\r\n",
            "the #! line ends in a carriage return, so that its interpreter is not found",
        ),
        ("#!/bin/sh -e\nexit 0\nmodprobe toa\n", "comes after the exit in line 2"),
    ],
)
def test_what_rc_local_needs_under_systemd(tmpdir, text, reason):
    found = only(tmpdir, UBUNTU1604, {"/etc/rc.local": (EXECUTABLE, text)})
    assert (found["effective"], found["reason"]) == (False, reason)


@pytest.mark.parametrize(
    "unit, reason",
    [
        ({"/etc/systemd/system/rc-local.service": (LINK, "/dev/null")}, "rc-local.service is masked"),
        ({"/lib/systemd/system/rc-local.service": None}, "there is no rc-local.service on this host"),
    ],
)
def test_without_its_unit_rc_local_is_not_run(tmpdir, unit, reason):
    found = only(tmpdir, UBUNTU1604, dict(unit, **{"/etc/rc.local": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\n")}))
    assert found["reason"] == reason


def test_an_operators_own_unit_names_the_file(tmpdir):
    files = {
        "/etc/systemd/system/rc-local.service": "[Service]\nExecStart=/etc/rc.d/rc.local\n",
        "/etc/rc.d/rc.local": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\n"),
    }
    assert only(tmpdir, UBUNTU1604, files)["effective"]


# -- paths of modules


@pytest.mark.parametrize(
    "line, reason",
    [
        ("insmod /root/toa/toa.ko", "there is no /root/toa/toa.ko"),
        ("insmod toa.ko", "there is no /toa.ko"),
        ("insmod xxxxx /toa.ko", "there is no /xxxxx"),
        (
            "insmod /lib/modules/4.4.0-31-generic/kernel/net/toa.ko",
            "the path belongs to kernel 4.4.0-31-generic, and %s is running" % UBUNTU_KERNEL,
        ),
        ("insmod /lib/modules/`uname -r`/extra/toa.ko", "there is no /lib/modules/%s/extra/toa.ko" % UBUNTU_KERNEL),
        ("insmod /lib/modules/$(uname -r)/kernel/net/toa.ko", ""),
        ("insmod /lib/modules/%s/kernel/net/toa.ko" % UBUNTU_KERNEL, ""),
        ("insmod $DIR/toa.ko", ""),
    ],
)
def test_insmod_needs_a_file_of_the_running_kernel(tmpdir, line, reason):
    found = only(
        tmpdir,
        UBUNTU1604,
        {
            "/etc/rc.local": (EXECUTABLE, "#!/bin/sh\n%s\n" % line),
            "/lib/modules/4.4.0-31-generic/kernel/net/toa.ko": "elf",
            "/lib/modules/%s/kernel/net/toa.ko" % UBUNTU_KERNEL: "elf",
        },
    )
    assert (found["effective"], found["reason"]) == (not reason, reason)


# -- /etc/sysconfig/modules

HUAWEI = "#!/bin/sh\n/sbin/modinfo -F filename /root/toa/toa.ko > /dev/null 2>&1\nif [ $? -eq 0 ]; then\n  /sbin/insmod /root/toa/toa.ko\nfi\n"


@pytest.mark.parametrize(
    "host, script, reason",
    [
        (CENTOS6, (EXECUTABLE, HUAWEI), ""),
        (CENTOS7, (EXECUTABLE, HUAWEI), ""),
        (CENTOS7, (EXECUTABLE, HUAWEI[len("#!/bin/sh\n") :]), ""),  # run by a shell, which forgives a missing #! line
        (CENTOS7, HUAWEI, "not executable"),
        (
            ROCKY9,
            (EXECUTABLE, HUAWEI),
            "nothing runs /etc/sysconfig/modules here: this distribution has no loadmodules unit",
        ),
        (
            UBUNTU1604,
            (EXECUTABLE, HUAWEI),
            "nothing runs /etc/sysconfig/modules here: this distribution has no loadmodules unit",
        ),
    ],
)
def test_sysconfig_modules(tmpdir, host, script, reason):
    found = only(tmpdir, host, {"/etc/sysconfig/modules/toa.modules": script, "/root/toa/toa.ko": "elf"})
    assert (found["kind"], found["module"], found["effective"], found["reason"]) == (
        "sysconfig_modules",
        "toa",
        not reason,
        reason,
    )


def test_sysconfig_modules_of_a_masked_unit_or_with_another_name(tmpdir):
    files = {"/etc/sysconfig/modules/toa.modules": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\n")}
    masked = only(
        tmpdir.mkdir("masked"),
        CENTOS7,
        dict(files, **{"/etc/systemd/system/rhel-loadmodules.service": (LINK, "/dev/null")}),
    )
    assert masked["reason"] == "rhel-loadmodules.service is masked"
    unwanted = only(
        tmpdir.mkdir("unwanted"),
        CENTOS7,
        dict(files, **{"/usr/lib/systemd/system/basic.target.wants/rhel-loadmodules.service": None}),
    )
    assert unwanted["reason"] == "rhel-loadmodules.service is not enabled"
    other = only(
        tmpdir.mkdir("other"), CENTOS7, {"/etc/sysconfig/modules/toa.sh": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\n")}
    )
    assert other["reason"] == "only files named *.modules are run"
