# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What started a host."""

from __future__ import absolute_import, division, print_function

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.startup.init import init_system
from fake_hosts import CENTOS6, CENTOS7, FOLDER, UBUNTU1604


@pytest.mark.parametrize("host, init", [(UBUNTU1604, "systemd"), (CENTOS7, "systemd"), (CENTOS6, "upstart")])
def test_init(tmpdir, host, init):
    assert init_system(fake_hosts.build(tmpdir, host)) == init


@pytest.mark.parametrize(
    "files, init",
    [
        ({"/proc/1/stat": "1 (init) S 0", "/etc/inittab": ""}, "sysvinit"),
        ({"/proc/1/stat": "1 (init) S 0", "/etc/rc2.d": (FOLDER, "")}, "sysvinit"),
        ({"/proc/1/stat": "1 (tini) S 0", "/etc/rc2.d": (FOLDER, "")}, "other"),
        ({"/proc/1/stat": "1 (init) S 0"}, "other"),
        ({}, "other"),
    ],
)
def test_init_without_systemd(tmpdir, files, init):
    assert init_system(fake_hosts.build(tmpdir, files)) == init
