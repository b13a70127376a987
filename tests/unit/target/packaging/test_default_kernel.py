# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would boot if the power went right after a kernel was installed: the kernel that booted before."""

from __future__ import absolute_import, division, print_function

import pytest
from ansible_collections.realip.toa.plugins.module_utils.packaging import rpm
from ansible_collections.realip.toa.plugins.module_utils.packaging.default_kernel import DefaultStays
from ansible_collections.realip.toa.plugins.module_utils.programs import package as packages
from rpm_samples import call, refused, rpm_host  # noqa: F401 (rpm_host is a fixture)

from target.programs.test_boot_el import NEW7, STOCK7, TITLE7, El7, El8

SETTINGS = (
    "# UPDATEDEFAULT specifies if new-kernel-pkg should make\n# new kernels the default\n%s\nDEFAULTKERNEL=kernel\n"
)


def settings_of(tmpdir, text):
    path = tmpdir.join("etc/sysconfig/kernel")
    path.write(text, ensure=True)
    return path


@pytest.mark.parametrize(
    "line",
    [
        "UPDATEDEFAULT=yes",
        "  UPDATEDEFAULT='yes'  # as shipped",
        "UPDATEDEFAULT=",
        "UPDATEDEFAULT=yes\nUPDATEDEFAULT=yes",
    ],
)
def test_no_kernel_becomes_the_default_meanwhile(tmpdir, line):
    path = settings_of(tmpdir, SETTINGS % line)
    with DefaultStays(str(tmpdir)):
        meant = [one for one in path.read().splitlines() if one and not one.startswith("#")]
        assert set(meant) == set(["UPDATEDEFAULT=no", "DEFAULTKERNEL=kernel"])
    assert path.read() == SETTINGS % line


@pytest.mark.parametrize("line", ["UPDATEDEFAULT=no", 'UPDATEDEFAULT="no"', "#UPDATEDEFAULT=yes"])
def test_what_leaves_the_default_alone_is_left_alone(tmpdir, line):
    path = settings_of(tmpdir, SETTINGS % line)
    with DefaultStays(str(tmpdir)):
        assert path.read() == SETTINGS % line
    assert path.read() == SETTINGS % line


def test_without_such_settings_nothing_is_made(tmpdir):
    with DefaultStays(str(tmpdir)):
        pass
    assert tmpdir.listdir() == []


def test_a_run_that_was_killed_is_mended_by_the_next(tmpdir):
    path = settings_of(tmpdir, SETTINGS % "UPDATEDEFAULT=yes")
    DefaultStays(str(tmpdir)).__enter__()
    assert "\nUPDATEDEFAULT=no\n" in path.read()
    with DefaultStays(str(tmpdir)):
        assert path.read().count("UPDATEDEFAULT=no") == 1
    assert path.read() == SETTINGS % "UPDATEDEFAULT=yes"


def test_the_package_manager_sees_the_changed_settings_and_nobody_else(host, tmpdir, monkeypatch):
    path = settings_of(tmpdir.join("root"), SETTINGS % "UPDATEDEFAULT=yes")
    seen = []

    def run(argv, **more):
        if "-i" in argv and "--test" not in argv:
            seen.append("\nUPDATEDEFAULT=no\n" in path.read())
        return host.run(argv, **more)

    monkeypatch.setattr(rpm, "run", lambda argv, timeout=120, env=None: run(argv, timeout=timeout))
    item = host.package(host.folder)
    assert call(host, [item])["changed"] and seen == [True]
    assert path.read() == SETTINGS % "UPDATEDEFAULT=yes"
    call(host, [item], "absent")
    host.says["-i"] = (1, "", "error: unpacking of archive failed")
    refused(host, [item])
    assert path.read() == SETTINGS % "UPDATEDEFAULT=yes" and seen == [True, True]
    DefaultStays(host.root).__enter__()
    del host.says["-i"]
    call(host, [item])
    DefaultStays(host.root).__enter__()
    call(host, [], "absent")
    assert path.read() == SETTINGS % "UPDATEDEFAULT=yes"


class Brought(object):
    """What _keep_default() wants of a host."""

    def __init__(self, root):
        self.root = root


def test_a_kernel_that_makes_itself_the_default_does_not_stay_it(tmp_path, monkeypatch):
    """Some specs call new-kernel-pkg with --make-default, whatever the settings say."""
    el7 = El7(tmp_path)
    monkeypatch.setattr(packages, "Machine", lambda root: el7.machine)
    el7.do("default", STOCK7)
    el7.install(NEW7)
    el7.set_environment({"saved_entry": TITLE7 % NEW7})
    assert packages.look(el7.root)["default"] == NEW7
    packages._keep_default(Brought(el7.root), STOCK7)
    assert packages.look(el7.root)["default"] == STOCK7 and el7.boot() == STOCK7


def test_a_default_that_nobody_has_moved_is_left_alone(tmp_path, monkeypatch):
    el8 = El8(tmp_path)
    monkeypatch.setattr(packages, "Machine", lambda root: pytest.fail("nothing is to be done"))
    before = el8.files()
    packages._keep_default(Brought(el8.root), packages.look(el8.root)["default"])
    packages._keep_default(Brought(el8.root), None)
    assert el8.files() == before
