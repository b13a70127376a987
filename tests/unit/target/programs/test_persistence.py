# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""persist.py on made-up hosts: the places that run are used, those of the recipes go, and `absent` leaves every byte as it was."""

from __future__ import absolute_import, division, print_function

import os
import subprocess

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from persistence_samples import (
    DEBIAN_RC,
    centos6,
    centos7,
    debian,
    debian_sysv,
    tree_of_host,  # noqa: F401
)

CURLY = u"\u201cmodprobe toa\u201d\n"
HOSTS = {"debian": debian, "centos7": centos7, "centos6": centos6, "debian_sysv": debian_sysv}
PLACES = {
    ("debian", "auto"): "/etc/modules-load.d/realip-toa.conf",
    ("debian", "rc_local"): "/etc/rc.local",
    ("debian", "systemd"): "/etc/systemd/system/realip-toa-module.service",
    ("centos7", "auto"): "/etc/modules-load.d/realip-toa.conf",
    ("centos7", "rc_local"): "/etc/rc.d/rc.local",
    ("centos6", "auto"): "/etc/sysconfig/modules/realip-toa.modules",
    ("centos6", "rc_local"): "/etc/rc.d/rc.local",
    ("debian_sysv", "auto"): "/etc/modules",
}


@pytest.mark.parametrize("kind,method", sorted(PLACES))
def test_the_place_that_runs_then_nothing_to_do_then_as_it_was(tree, kind, method):
    HOSTS[kind](tree)
    before = tree.picture()
    predicted = tree.call(method=method, check=True)
    assert tree.picture() == before
    done = tree.call(method=method)
    assert done == predicted and done["changed"] and done["path"] == PLACES[kind, method]
    assert tree.effective() == [(done["path"], "toa")]
    again = tree.call(method=method)
    assert not again["changed"] and again["before"] == again["after"] and again["path"] == done["path"]
    assert tree.call("absent", check=True)["changed"] and tree.effective()
    assert tree.call("absent")["changed"]
    assert tree.picture() == before
    assert not tree.call("absent")["changed"]


@pytest.mark.parametrize("first", ["auto", "rc_local", "systemd"])
@pytest.mark.parametrize("second", ["auto", "rc_local", "systemd"])
@pytest.mark.parametrize("rc_local", [DEBIAN_RC, None])
def test_only_one_place_after_another_method(tree, first, second, rc_local):
    debian(tree, rc_local)
    before = tree.picture()
    tree.call(method=first)
    tree.call(method=second)
    assert tree.effective() == [(PLACES["debian", second], "toa")]
    tree.call("absent")
    assert tree.picture() == before


# -- the recipes' lines --------------------------------------------------------------------------------------------------

RECIPES = [
    # (line appended to rc.local, word of the note that says why it did not run)
    (u"modprobe toa\n", u"exit in line 6"),
    (CURLY, u"exit in line 6"),
    (u"/sbin/modprobe toa >/dev/null 2>&1\n", u"exit in line 6"),
    (u"insmod /lib/modules/3.10.0-693.el7.x86_64/kernel/net/toa/toa.ko\n", u"exit in line 6"),
    (u"insmod /lib/modules/`uname -r`/kernel/net/toa/toa.ko\n", u"exit in line 6"),
]


@pytest.mark.parametrize("line,word", RECIPES)
def test_appended_after_exit_0(tree, line, word):
    debian(tree, DEBIAN_RC + line)
    before = tree.picture()
    done = tree.call()
    assert tree.read("/etc/rc.local") == DEBIAN_RC
    assert len(done["notes"]) == 1 and word in done["notes"][0] and "line 7" in done["notes"][0]
    tree.call("absent")
    assert tree.picture() == before


def test_curly_quotes_are_named(tree):
    debian(tree, u"#!/bin/sh\n" + CURLY)
    done = tree.call()
    assert "typographic quotes" in done["notes"][0]
    assert tree.read("/etc/rc.local") == "#!/bin/sh\n"


def test_rc_local_that_keeps_others_out_goes_on_to_do_so(tree):
    centos7(tree, "#!/bin/bash\nmount -o password=secret //nas/x /mnt\n", 0o700)
    before = tree.picture()
    tree.call(method="rc_local")
    assert os.stat(tree.path("/etc/rc.d/rc.local")).st_mode & 0o777 == 0o700
    tree.call("absent")
    assert tree.picture() == before


@pytest.mark.parametrize("method", ["auto", "rc_local"])
def test_rc_local_not_executable(tree, method):
    centos7(tree, "#!/bin/bash\ntouch /var/lock/subsys/local\nmodprobe toa\n")
    before = tree.picture()
    done = tree.call(method=method)
    assert "not executable" in " ".join(done["notes"])
    assert os.stat(tree.path("/etc/rc.d/rc.local")).st_mode & 0o777 == (0o755 if method == "rc_local" else 0o644)
    assert os.path.islink(tree.path("/etc/rc.local"))
    tree.call("absent")
    assert tree.picture() == before


def test_a_red_hat_folder_that_a_recipe_made_on_debian_goes(tree):
    debian(tree)
    tree.put("/etc/rc.d/rc.local", "modprobe toa\n")
    before = tree.picture()
    done = tree.call()
    assert not os.path.exists(tree.path("/etc/rc.d"))
    assert "this host runs /etc/rc.local" in " ".join(done["notes"])
    assert tree.read("/etc/rc.local") == DEBIAN_RC
    tree.call("absent")
    assert tree.picture() == before


def test_that_folder_stays_when_something_else_is_in_it(tree):
    debian(tree)
    tree.put("/etc/rc.d/rc.local", "modprobe toa\n")
    tree.put("/etc/rc.d/notes", "mine")
    tree.call()
    assert os.listdir(tree.path("/etc/rc.d")) == ["notes"]


@pytest.mark.parametrize("name", ["toa", "vtoa", "tcp_toa"])
def test_sysconfig_scripts_of_the_vendors_go(tree, name):
    centos6(tree)
    tree.put(
        "/etc/sysconfig/modules/%s.modules" % name,
        "#!/bin/bash\nif [ -e /lib/modules/`uname -r`/x ]; then\n  modprobe %s\nfi\n" % name,
        0o755,
    )
    before = tree.picture()
    tree.call()
    assert os.listdir(tree.path("/etc/sysconfig/modules")) == ["realip-toa.modules"]
    tree.call("absent")
    assert tree.picture() == before


def alinux3(tree):
    """vtoa installed by its package, enabled, and loaded by what the document for another product says as well."""
    tree.put("/usr/lib/systemd/system/loadmodules.service", "[Service]\nExecStart=/usr/libexec/loadmodules\n")
    tree.link(
        "/etc/systemd/system/multi-user.target.wants/loadmodules.service", "/usr/lib/systemd/system/loadmodules.service"
    )
    tree.put("/usr/lib/systemd/system/vtoa.service", "[Service]\nExecStart=/usr/sbin/modprobe vtoa\n")
    tree.put("/etc/sysconfig/modules/vtoa.modules", "#!/bin/bash\nmodprobe vtoa > /dev/null 2>&1\n", 0o755)
    tree.put("/etc/sysconfig/modules/other.modules", "#!/bin/sh\nmodprobe loop\n", 0o755)


def test_a_service_takes_the_place_of_the_recipe(tree):
    alinux3(tree)
    refused = pytest.raises(TargetError, tree.call, name="vtoa", method="service", init="systemd").value
    assert refused.code == "method_unusable" and "vtoa.service is not enabled" in refused.message
    tree.link("/etc/systemd/system/multi-user.target.wants/vtoa.service", "/usr/lib/systemd/system/vtoa.service")
    before = tree.picture()
    predicted = tree.call(name="vtoa", method="service", init="systemd", check=True)
    assert tree.picture() == before
    done = tree.call(name="vtoa", method="service", init="systemd")
    assert (done["before"], done["after"]) == (predicted["before"], predicted["after"]) and done["changed"]
    assert (done["method"], done["path"]) == ("service", "/usr/lib/systemd/system/vtoa.service")
    assert os.listdir(tree.path("/etc/sysconfig/modules")) == ["other.modules"] and "vtoa.modules" in done["notes"][0]
    assert not tree.call(name="vtoa", method="service", init="systemd")["changed"]
    tree.call("absent", name="vtoa", init="systemd")
    assert tree.picture() == before


def test_no_service_without_its_unit_or_systemd(tree):
    assert (
        "no vtoa.service"
        in pytest.raises(TargetError, tree.call, name="vtoa", method="service", init="systemd").value.message
    )
    assert (
        "init is sysvinit"
        in pytest.raises(TargetError, tree.call, name="vtoa", method="service", init="sysvinit").value.message
    )


KEPT_IN_FORM = [
    ("if [ -e /x ]; then\n  modprobe toa\nfi\n", "if [ -e /x ]; then\n  : \nfi\n"),
    ("if [ -e /x ]; then\n  modprobe toa\n  touch /y\nfi\n", "if [ -e /x ]; then\n  touch /y\nfi\n"),
    ("touch /x && modprobe toa; touch /y\n", "touch /x && : ; touch /y\n"),
    ("touch /x &&\n  modprobe toa\ntouch /y\n", "touch /x &&\n  : \ntouch /y\n"),
    ("modprobe loop\nmodprobe toa # for the balancer\nmodprobe sch_fq\n", "modprobe loop\nmodprobe sch_fq\n"),
]


@pytest.mark.parametrize("mine,left", KEPT_IN_FORM)
def test_what_else_is_in_rc_local_stays_as_it_is(tree, mine, left):
    debian(tree, "#!/bin/sh\n" + mine)
    tree.call()
    assert tree.read("/etc/rc.local") == "#!/bin/sh\n" + left
    assert subprocess.call(["sh", "-n", tree.path("/etc/rc.local")]) == 0


def test_bytes_that_are_no_utf8_survive(tree):
    debian(tree, b"#!/bin/sh\n# caf\xe9\nmodprobe toa\n")
    tree.call(method="rc_local")
    handle = open(tree.path("/etc/rc.local"), "rb")
    assert handle.read() == b"#!/bin/sh\n# caf\xe9\nmodprobe toa || true  # realip.toa\n"
    handle.close()


# -- rc.local as the place ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "before,after",
    [
        (DEBIAN_RC, "#!/bin/sh -e\n#\n# rc.local\n\nlogger hello\nmodprobe toa || true  # realip.toa\nexit 0\n"),
        ("#!/bin/sh\nlogger a", "#!/bin/sh\nlogger a\nmodprobe toa || true  # realip.toa\n"),
        ("logger a\n", "#!/bin/sh\nlogger a\nmodprobe toa || true  # realip.toa\n"),
        ("", "#!/bin/sh\nmodprobe toa || true  # realip.toa\n"),
        (None, "#!/bin/sh\nmodprobe toa || true  # realip.toa\n"),
    ],
)
def test_the_line_stands_where_a_boot_reaches_it(tree, before, after):
    debian(tree, before)
    picture = tree.picture()
    tree.call(method="rc_local")
    assert tree.read("/etc/rc.local") == after
    assert os.stat(tree.path("/etc/rc.local")).st_mode & 0o777 == 0o755
    assert not tree.call(method="rc_local")["changed"]
    tree.call("absent")
    assert tree.picture() == picture


# -- what somebody did since ---------------------------------------------------------------------------------------------


def test_a_later_change_by_somebody_is_kept(tree):
    debian(tree, DEBIAN_RC)
    tree.call(method="rc_local")
    tree.put("/etc/rc.local", tree.read("/etc/rc.local").replace("logger hello", "logger goodbye"), 0o755)
    done = tree.call("absent")
    assert tree.read("/etc/rc.local") == DEBIAN_RC.replace("hello", "goodbye")
    assert "changed by somebody" in done["notes"][0]
    assert not tree.call("absent")["changed"]
    assert not os.path.exists(tree.path("/var/lib/realip-toa/state.json"))


def test_a_change_between_two_runs_of_ours_is_kept(tree):
    debian(tree, DEBIAN_RC)
    tree.call(method="rc_local")
    tree.put("/etc/rc.local", DEBIAN_RC.replace("hello", "goodbye"), 0o755)
    assert tree.call(method="rc_local")["changed"]
    tree.call("absent")
    assert tree.read("/etc/rc.local") == DEBIAN_RC.replace("hello", "goodbye")


def test_ours_goes_without_a_record_too(tree):
    debian(tree)
    before = tree.picture()
    tree.call(method="rc_local")
    os.unlink(tree.path("/var/lib/realip-toa/state.json"))
    os.rmdir(tree.path("/var/lib/realip-toa"))
    tree.call("absent")
    assert tree.picture() == before


# -- refusals -------------------------------------------------------------------------------------------------------------


def refused(tree, **more):
    before = tree.picture()
    with pytest.raises(TargetError) as caught:
        tree.call(**more)
    assert tree.picture() == before
    return caught.value


def test_a_blacklist_is_an_obstacle_and_nothing_is_left(tree):
    debian(tree)
    tree.put("/etc/modprobe.d/no.conf", "blacklist toa\n")
    problem = refused(tree)
    assert problem.code == "persistence_ineffective" and "/etc/modprobe.d/no.conf" in problem.message


def test_a_method_that_does_not_work_here(tree):
    debian(tree)
    problem = refused(tree, method="sysconfig_modules")
    assert problem.code == "method_unusable" and "loadmodules" in problem.message
    assert refused(tree, check=True, method="sysconfig_modules").code == "method_unusable"


def test_a_host_where_nothing_would_run(tree):
    tree.put("/proc/1/stat", "1 (runit) S 0")
    problem = refused(tree)
    assert problem.code == "no_persistence" and "modprobe toa" in problem.remedy


def test_another_module_name(tree):
    debian(tree)
    assert refused(tree, name="../../etc/passwd").code == "bad_option"
