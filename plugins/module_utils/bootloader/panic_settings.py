# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel does when it is in trouble: a trial's command line sets it, and a kernel that is confirmed gets back what was so before.

Otherwise a host whose disk or NFS server hangs for two minutes would reboot, weeks after its trial.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.host.io import read_line

FOLDER = "/proc/sys/kernel"
# Name below FOLDER, and the value that the words of a trial give it (None: the option `panic`).
SET_BY_TRIAL = (("panic", None), ("panic_on_oops", "1"), ("softlockup_panic", "1"), ("hung_task_panic", "1"))


def kernel_settings(machine):
    """{name: value} as the running kernel has them; what it does not know is off."""
    return dict((name, _read(machine, name) or "0") for name, unused in SET_BY_TRIAL)


def settings_to_put_back(machine, before, panic):
    """{name: value}: settings that still are as the trial's words made them, and were otherwise before."""
    wanted = {}
    for name, value in SET_BY_TRIAL:
        if name in before and before[name] != _read(machine, name) == (value or str(panic)):
            wanted[name] = before[name]
    return wanted


def put_settings_back(machine, wanted):
    for name, value in sorted(wanted.items()):
        machine.set_kernel_setting(name, value)


def _read(machine, name):
    return read_line(machine.path("%s/%s" % (FOLDER, name)))
