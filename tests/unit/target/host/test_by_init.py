# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit that the init cannot start is an error with the unit's own words, and with what SELinux has refused."""

from __future__ import absolute_import, division, print_function

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host import by_init


def answers(monkeypatch, code):
    ran = []

    def run(argv, **unused):
        ran.append(argv)
        if argv[0] == "systemctl":
            return code, "", "Job for x.service failed.\n" if code else ""
        return 0, "first words\nrules.nft: Permission denied\n", ""

    monkeypatch.setattr(by_init, "run", run)
    monkeypatch.setattr(by_init, "which", lambda name: "/bin/" + name)
    monkeypatch.setattr(by_init, "denials", lambda words: "SELinux does not let domain iptables_t read %s" % words[0])
    return ran


def test_a_unit_that_starts(monkeypatch):
    ran = answers(monkeypatch, 0)
    by_init.start_by_init("x.service", ("rules.nft",))
    assert ran == [["systemctl", "reload-or-restart", "x.service"]]


def test_a_unit_that_does_not(monkeypatch):
    answers(monkeypatch, 1)
    with pytest.raises(TargetError) as caught:
        by_init.start_by_init("x.service", ("rules.nft",))
    assert caught.value.code == "unit_not_started"
    for words in ("x.service", "next boot", "Job for", "rules.nft: Permission denied", "domain iptables_t"):
        assert words in caught.value.message
    assert "ausearch" in caught.value.remedy
