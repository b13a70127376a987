# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""rpm.py and packages.py against an rpm that is made up; tests/integration/test_rpm.py has the real one."""

from __future__ import absolute_import, division, print_function

import contextlib
import os

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.state import load
from ansible_collections.realip.toa.plugins.module_utils.packaging import database_lock, rpm
from rpm_samples import (
    RELEASE,
    STOCK,
    TOA,
    call,
    configuration,
    files_of,
    read,
    refused,
    rpm_host,  # noqa: F401
)

# -- kernels -----------------------------------------------------------------------------------------------------------


def test_beside_the_running_one_and_away_again(host):
    item = host.package(host.folder)
    stock = files_of(host.root)
    predicted = call(host, [item], check=True)
    assert host.calls == []
    done = call(host, [item])
    assert list(done.pop("signatures")) == [item["file"]]
    assert done == predicted and done["after"]["installed"] == {TOA: "2.6.32-220.23.1.el6.toa"}
    path = os.path.join(host.root, "var/cache/realip-toa", TOA + ".rpm")
    assert host.calls == [["-i", "--test", "--oldpackage", path], ["-i", "--oldpackage", path]]
    assert sorted(host.installed) == sorted([STOCK, TOA, "bash-4.1-1.el6.x86_64"])
    assert (
        load(os.path.join(host.root, "var/lib/realip-toa/state.json"))["packages"]["installed"][TOA]["release"]
        == RELEASE
    )
    assert not call(host, [item])["changed"]
    assert call(host, [], "absent")["after"] == {"installed": {}, "held": [], "cached": []}
    assert host.calls[-1] == ["-e", TOA] and files_of(host.root) == stock
    assert not call(host, [item], "absent")["changed"]


def test_nothing_is_forced(host):
    host.package(host.folder)
    item = host.package(host.folder)
    call(host, [item])
    os.unlink(os.path.join(host.root, "boot/vmlinuz-" + RELEASE))
    call(host, [item])
    call(host, [item], "absent")
    words = set(word for arguments in host.calls for word in arguments if word.startswith("-"))
    assert words == set(["-i", "--test", "--oldpackage", "--replacepkgs", "-e"])


class PowerCut(Exception):
    pass


@contextlib.contextmanager
def cut_short(host):
    """The power goes when rpm has entered a package, and before it runs the package's last script."""
    whole = host.install

    def install(arguments, given):
        answer = whole(arguments, given)
        if "--test" not in arguments:
            raise PowerCut()
        return answer

    host.install = install
    try:
        yield
    finally:
        host.install = whole


def test_a_power_cut_in_its_last_script_is_made_good(host):
    """rpm has entered the package by then, and will not run the script that makes initramfs and boot entry again by itself."""
    item = host.package(host.folder)
    with cut_short(host), pytest.raises(PowerCut):
        call(host, [item])
    assert TOA in host.installed
    assert call(host, [item])["changed"] and "--replacepkgs" in host.calls[-1]
    assert not call(host, [item])["changed"]


def test_a_kernel_that_runs_was_installed_to_its_end(host):
    item = host.package(host.folder)
    with cut_short(host), pytest.raises(PowerCut):
        call(host, [item])
    assert not call(host, [item], running=RELEASE)["changed"]


def test_older_without_consent(host):
    problem = refused(host, [host.package(host.folder)], accept_downgrade=False)
    assert problem.code == "downgrade_needs_consent" and TOA in problem.message and STOCK in problem.message


SAID = [
    (
        "\tfile /lib/firmware/a b.bin from install of %s conflicts with file from package kernel-firmware-2-1.noarch\n"
        % TOA,
        "file_conflict",
        "a b.bin",
    ),
    (
        "\tfile /x conflicts between attempted installs of %s and other-1-1.noarch\n" % TOA,
        "file_conflict",
        "other-1-1.noarch",
    ),
    (
        "error: Failed dependencies:\n\tkernel-firmware >= 2.6.32-220 is needed by %s\n" % TOA,
        "dependency_missing",
        "kernel-firmware >= 2.6.32-220",
    ),
    (
        "error: Failed dependencies:\n\tbfa-firmware < 3.0 conflicts with %s\n" % TOA,
        "package_conflict",
        "bfa-firmware < 3.0",
    ),
    ("\tinstalling package %s needs 12MB on the /boot filesystem\n" % TOA, "boot_full", "12MB"),
    ("\tinstalling package %s needs 12MB more space on the / filesystem\n" % TOA, "disk_full", "12MB"),
    ("\tpackage %s does not verify: no digest\n" % TOA, "package_unsigned", "no digest"),
    ("error: something new\n", "install_refused", "something new"),
]


@pytest.mark.parametrize("said, code, named", SAID)
def test_what_rpm_refuses_is_told_before_anything_happens(host, said, code, named):
    host.says["test"] = (1, "", said)
    item = host.package(host.folder)
    problem = refused(host, [item])
    assert problem.code == code and named in problem.message and problem.remedy
    assert [call for call in host.calls if "--test" not in call] == []


def test_of_several_obstacles_the_one_that_consent_cannot_remove_is_told(host):
    both = "\tpackage %s (which is newer than %s) is already installed\n" % (STOCK, TOA) + SAID[0][0]
    host.says["test"] = (2, "", both)
    assert refused(host, [host.package(host.folder)]).code == "file_conflict"


@pytest.mark.parametrize(
    "said",
    [
        "warning: %%post(%s) scriptlet failed, exit status 1" % TOA,
        "error: %%post(%s) scriptlet failed, exit status 1" % TOA.rsplit(".", 1)[0],
    ],
)
def test_a_script_that_fails_is_no_success(host, said):
    host.says["scripts"] = (0, "", said)
    problem = refused(host, [host.package(host.folder)])
    assert problem.code == "install_failed" and "scriptlet failed" in problem.message
    assert host.calls[-1] == ["-e", TOA]


def test_scripts_of_others_are_not_ours(host):
    host.says["scripts"] = (0, "", "warning: %triggerin(kmod-20-1.x86_64) scriptlet failed, exit status 1")
    assert call(host, [host.package(host.folder)])["changed"]


def test_what_its_own_script_keeps_is_taken_back_without_it(host):
    host.says["scripts"] = (0, "", "warning: %%post(%s) scriptlet failed, exit status 1" % TOA)
    host.says["preun"] = (1, "", "error: %%preun(%s) scriptlet failed, exit status 1" % TOA)
    refused(host, [host.package(host.folder)])
    assert host.calls[-1] == ["-e", "--noscripts", TOA]


def test_a_script_that_keeps_what_was_there_is_respected(host):
    item = host.package(host.folder)
    call(host, [item])
    host.says["preun"] = (1, "", "error: %%preun(%s) scriptlet failed, exit status 1" % TOA)
    problem = refused(host, [item], "absent")
    assert problem.code == "remove_failed" and "preun" in problem.message


def test_what_was_unpacked_of_a_package_that_failed_goes(host):
    item = host.package(host.folder)
    host.says["-i"] = (1, "", "error: unpacking of archive failed on file /boot/x: cpio: read failed")

    def unpack(argv, timeout=120, run=host.run):
        if argv[3] == "-i" and "--test" not in argv:
            for name in ("boot/vmlinuz-" + RELEASE, "lib/modules/%s/toa.ko;5f00ab12" % RELEASE):
                path = os.path.join(host.root, name)
                if not os.path.isdir(os.path.dirname(path)):
                    os.makedirs(os.path.dirname(path))
                open(path, "w").close()
        return run(argv, timeout)

    rpm.run = unpack
    problem = refused(host, [item])
    assert problem.code == "install_failed" and "cpio" in problem.message
    assert not os.path.exists(os.path.join(host.root, "lib/modules", RELEASE))


def test_the_running_kernel_stays(host):
    assert refused(host, [{"name": STOCK, "format": "rpm"}], "absent").code == "running_kernel"
    assert refused(host, [{"name": "kernel", "file": STOCK + ".rpm"}], "absent").code == "running_kernel"


def test_a_damaged_database(host):
    host.says["-qa"] = (
        1,
        "",
        "error: db4 error(-30974) from dbenv->failchk: DB_RUNRECOVERY: Fatal error, run database recovery",
    )
    problem = refused(host, [host.package(host.folder)])
    assert problem.code == "package_tool_interrupted" and "--rebuilddb" in problem.remedy


def test_names_and_versions_out_of_file_names(host):
    manager = rpm.Rpm(host.root)
    for name, version in (
        (TOA + ".rpm", "2.6.32-220.23.1.el6.toa"),
        ("kernel-3.10.0-693.el7.centos.toa.x86_64.rpm", "3.10.0-693.el7.centos.toa"),
        ("kernel-firmware-2.6.32-696.13.2.el6.centos.plus.toa.x86_64.rpm", "2.6.32-696.13.2.el6.centos.plus.toa"),
        ("kernel.rpm", ""),
    ):
        assert manager.version_in_name(name) == version
    assert manager.identity("kernel", TOA + ".rpm") == TOA and manager.identity("vtoa", "") == "vtoa"


# -- waiting -----------------------------------------------------------------------------------------------------------


def test_a_program_that_left_its_pid_is_waited_for(host, monkeypatch):
    item = host.package(host.folder)
    pid_file = configuration(host.root, "%d\n" % os.getpid(), "../var/run/yum.pid")
    monkeypatch.setattr(
        database_lock,
        "read_text",
        lambda path, limit=0: "python\0/usr/bin/yum\0-y\0update\0" if path.startswith("/proc/") else read(path),
    )
    problem = refused(host, [item])
    assert problem.code == "package_lock_held" and "yum (pid %d)" % os.getpid() in problem.message
    os.unlink(pid_file)
    monkeypatch.undo()


def test_a_pid_file_that_was_left_behind_is_no_lock(host):
    configuration(host.root, "%d\n" % os.getpid(), "../var/run/zypp.pid")
    item = host.package(host.folder)
    # This test runs under neither yum nor dnf nor zypp.
    assert call(host, [item])["changed"]
