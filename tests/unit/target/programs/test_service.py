# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""service.py against a systemd and an rpm that are made up: what is asked of them, and what is made of their answers."""

from __future__ import absolute_import, division, print_function

import os

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.programs import service

UNIT = "/usr/lib/systemd/system/vtoa.service"
MODULE = "/lib/modules/5.10.134-18.al8.x86_64/extra/vtoa.ko.xz"
DRIVER = "vtoa 4096 0 - Live 0xffffffffc0000000\n"
HELPER = "hookers 4096 1 vtoa, Live 0xffffffffc0000000\n"


class Systemd(object):
    """One unit of systemd, and the module that it loads below `root`."""

    def __init__(self, root):
        self.root = root
        self.files = ["/etc/sysctl.d/vtoa.conf", UNIT, MODULE, MODULE.replace("vtoa", "hookers")]
        self.unit = "vtoa.service"
        self.shown = {
            "LoadState": "loaded",
            "ActiveState": "inactive",
            "UnitFileState": "disabled",
            "Type": "oneshot",
            "RemainAfterExit": "yes",
            "Result": "success",
            "NeedDaemonReload": "no",
        }
        self.asked = []
        self.refuses = {}
        self.deaf = False
        os.makedirs(os.path.join(root, "proc/net"))
        os.makedirs(os.path.join(root, "run/systemd/system"))
        self.load(False)

    def load(self, loaded):
        for name, text in (
            ("proc/modules", HELPER + DRIVER if loaded else "ext4 1 0 - Live 0x0\n"),
            ("proc/net/vtoa_stats", "x 1\n" if loaded else None),
        ):
            path = os.path.join(self.root, name)
            if text is None:
                if os.path.exists(path):
                    os.unlink(path)
                continue
            handle = open(path, "w")
            handle.write(text)
            handle.close()

    def run(self, argv, timeout=120):
        if argv[0] == "rpm":
            assert argv[-1] == "vtoa"
            return (
                (0, "1.2-3.al8\n" + "".join(path + "\n" for path in self.files), "")
                if self.files is not None
                else (1, "not installed\n", "")
            )
        if argv[0] == "journalctl":
            assert "--unit=" + self.unit in argv
            return 0, "modprobe: ERROR: could not insert\n", ""
        verb = argv[1]
        if verb == "daemon-reload":
            self.asked.append(verb)
            return 0, "", ""
        assert argv[-1] == self.unit
        if verb == "show":
            return 0, "".join("%s=%s\n" % pair for pair in self.shown.items()), ""
        if verb == "is-enabled":
            return (0 if self.refuses.get("is-enabled") is None else 1), "", ""
        self.asked.append(verb)
        if verb in self.refuses:
            return 1, "", self.refuses[verb]
        if not self.deaf:
            getattr(self, verb)()
        return 0, "", ""

    def start(self):
        self.shown["ActiveState"] = "active" if self.shown["RemainAfterExit"] == "yes" else "inactive"
        self.load(True)

    restart = start

    def stop(self):
        self.shown["ActiveState"] = "inactive"
        self.load(False)

    def enable(self):
        self.shown["UnitFileState"] = "enabled"

    def disable(self):
        self.shown["UnitFileState"] = "disabled"


@pytest.fixture
def systemd(tmpdir, monkeypatch):
    host = Systemd(str(tmpdir.mkdir("root")))
    monkeypatch.setattr(service, "run", host.run)
    return host


def call(host, state, check=False, **more):
    return service.main(
        dict({"name": "vtoa", "state": state, "check": check, "root": host.root, "running": "x"}, **more)
    )


def refused(host, state, **more):
    before = (dict(host.shown), list(host.asked))
    with pytest.raises(TargetError) as caught:
        call(host, state, **more)
    assert (host.shown, host.asked) == before
    return caught.value


def shows(active, enabled):
    return {"name": "vtoa", "active": active, "enabled": enabled}


# state, was active, was enabled -> what systemctl is asked for, becomes active, becomes enabled
TABLE = [
    ("started", False, False, ["start"], True, False),
    ("started", True, False, [], True, False),
    ("stopped", True, True, ["stop"], False, True),
    ("stopped", False, True, [], False, True),
    ("restarted", True, True, ["restart"], True, True),
    ("restarted", False, True, ["restart"], True, True),
    ("enabled", False, False, ["enable"], False, True),
    ("enabled", False, True, [], False, True),
    ("disabled", True, True, ["disable"], True, False),
    ("disabled", True, False, [], True, False),
    ("status", True, False, [], True, False),
]


@pytest.mark.parametrize("state, active, enabled, asked, later_active, later_enabled", TABLE)
def test_states(systemd, state, active, enabled, asked, later_active, later_enabled):
    if active:
        systemd.start()
    if enabled:
        systemd.enable()
    predicted = call(systemd, state, check=True)
    assert systemd.asked == []
    done = call(systemd, state)
    assert systemd.asked == asked and done["changed"] is bool(asked)
    assert (done["before"], done["after"]) == (shows(active, enabled), shows(later_active, later_enabled))
    assert [predicted[key] for key in ("changed", "before", "after")] == [
        done[key] for key in ("changed", "before", "after")
    ]
    if state != "restarted":
        assert not call(systemd, state)["changed"]


def test_what_is_found_out_from_the_package(systemd):
    found = call(systemd, "started")
    assert (found["unit"], found["version"]) == ("vtoa.service", "1.2-3.al8")
    assert found["modules"] == [{"name": "vtoa", "loaded": True, "live": True}]


@pytest.mark.parametrize(
    "files, unit",
    [
        (["/usr/lib/systemd/system/slb.service"], "slb.service"),
        (["/lib/systemd/system/a.service", "/usr/lib/systemd/system/vtoa.service"], "vtoa.service"),
        (["/etc/rc.d/init.d/vtoactl"], "vtoactl.service"),
        (
            ["/usr/lib/systemd/system/vtoa@.service", "/usr/lib/systemd/system/multi-user.target.wants/x.service"],
            "vtoa.service",
        ),
        ([], "vtoa.service"),
        (None, "vtoa.service"),
    ],
)
def test_the_unit(systemd, files, unit):
    systemd.files, systemd.unit = files, unit
    assert call(systemd, "status")["unit"] == unit


def test_several_units_and_none_of_the_name(systemd):
    systemd.files = ["/usr/lib/systemd/system/b.service", "/usr/lib/systemd/system/a.service"]
    problem = refused(systemd, "started")
    assert problem.code == "unit_ambiguous" and "a.service, b.service" in problem.message
    systemd.unit = "a.service"
    assert call(systemd, "started", unit="a")["unit"] == "a.service"
    assert refused(systemd, "started", unit="../a").code == "bad_option"


def test_an_active_unit_whose_module_is_gone_is_started_again(systemd):
    systemd.start()
    systemd.load(False)
    assert call(systemd, "started", check=True)["changed"] and systemd.asked == []
    assert call(systemd, "started")["changed"] and systemd.asked == ["restart"]


def test_a_unit_that_runs_once_has_run_when_its_module_is_there(systemd):
    systemd.shown["RemainAfterExit"] = "no"
    assert call(systemd, "status")["after"] == shows(False, False)
    assert call(systemd, "started")["after"] == shows(True, False)
    assert not call(systemd, "started")["changed"]


@pytest.mark.parametrize("state", ["started", "restarted", "enabled"])
@pytest.mark.parametrize("load, code", [("not-found", "service_missing"), ("masked", "service_masked")])
def test_what_cannot_run(systemd, state, load, code):
    systemd.shown.update(LoadState=load, UnitFileState="masked" if load == "masked" else "", ActiveState="inactive")
    for check in (True, False):
        problem = refused(systemd, state, check=check)
        assert problem.code == code and problem.remedy


@pytest.mark.parametrize("state", ["stopped", "disabled", "status"])
def test_what_is_not_there_is_stopped_and_disabled(systemd, state):
    systemd.shown.update(LoadState="not-found", UnitFileState="")
    assert call(systemd, state) == dict(
        call(systemd, "status"), changed=False, before=shows(False, False), after=shows(False, False)
    )


def test_a_script_of_system_v(systemd):
    systemd.shown["UnitFileState"] = "generated"
    assert call(systemd, "status")["after"]["enabled"] is True
    systemd.refuses["is-enabled"] = ""
    assert call(systemd, "status")["after"]["enabled"] is False


def test_a_failure_is_told_with_the_journal(systemd):
    systemd.refuses["start"] = "Job for vtoa.service failed."
    with pytest.raises(TargetError) as caught:
        call(systemd, "started")
    assert caught.value.code == "service_failed"
    assert "Job for vtoa.service failed." in caught.value.message and "could not insert" in caught.value.message


def test_what_systemd_says_it_did_is_looked_at(systemd):
    systemd.deaf = True
    with pytest.raises(TargetError) as caught:
        call(systemd, "enabled")
    assert caught.value.code == "service_failed" and "not enabled" in caught.value.message


def test_changed_unit_files_are_read_anew(systemd):
    systemd.shown["NeedDaemonReload"] = "yes"
    call(systemd, "started")
    assert systemd.asked == ["daemon-reload", "start"]


def test_no_systemd(systemd):
    for state in ("started", "status"):
        problem = refused(systemd, state, init="upstart")
        assert problem.code == "no_systemd" and "upstart" in problem.message
