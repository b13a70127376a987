# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for boot.py whatever boots the host: GRUB 2 of Debian's and Red Hat's kind, GRUB legacy of both."""

from __future__ import absolute_import, division, print_function

import pytest
from boot_samples import Host
from legacy_samples import El6, El6Gnu, OldDebian
from el_samples import El7, El8

KINDS = [Host, El7, El8, El6, El6Gnu, OldDebian]


@pytest.fixture(params=KINDS, ids=[kind.__name__ for kind in KINDS])
def host(request, tmp_path):
    return request.param(tmp_path)


def test_each_state_twice_changes_nothing(host):
    host.do("default", host.stock)
    host.install(host.new)
    for state, kernel in (("default", host.stock), ("armed", host.new), ("confirmed", host.new), ("reverted", None)):
        if state == "confirmed":
            host.boot()
        host.do(state, kernel)
        before = host.files()
        again = host.do(state, kernel)
        assert (again["changed"], again["steps"]) == (False, [])
        assert again["before"] == again["after"]
        assert host.files() == before


def test_check_mode_says_what_will_be_and_changes_nothing(host):
    def both(state, kernel=None, **more):
        before = host.files()
        foretold = host.do(state, kernel, check=True, **more)
        assert host.files() == before
        done = host.do(state, kernel, **more)
        for key in ("changed", "before", "after", "steps", "notes", "one_shot"):
            assert foretold[key] == done[key], key
        return done

    assert both("default", host.stock)["changed"]
    host.install(host.new)
    assert both("armed", host.new)["changed"]
    assert not both("armed", host.new)["changed"]
    host.boot()
    assert both("confirmed", host.new)["changed"]
    assert both("reverted")["changed"]
    assert both("reverted", restore=True)["changed"]
    assert not both("reverted", restore=True)["changed"]
