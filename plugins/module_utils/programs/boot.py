# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot another kernel without the risk of losing the host: the options of toa_boot, and one call under the lock."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.sequence import Boot
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.lock import LOCK_FILE, HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine

STATES = ("armed", "confirmed", "reverted", "default")
TIMEOUT_RANGE = (30, 86400)
PANIC_RANGE = (1, 3600)

_RELEASE = re.compile(r"[0-9][A-Za-z0-9._+~-]{0,127}\Z")


def main(args):
    return perform(args, Machine())


def perform(args, machine):
    """One call: `args` as the action sends them, on a host or in a folder made to look like one."""
    options = checked(args)
    if options["check"]:
        return Boot(machine, options).result(apply=False)
    with HostLock(machine.path(LOCK_FILE)):
        return Boot(machine, options).result(apply=True)


def checked(args):
    """The arguments, complete and of the right kind; TargetError(bad_option) names the one that is not."""
    options = {"check": bool(args.get("check")), "state": args.get("state"), "kernel": args.get("kernel") or None}
    if options["state"] not in STATES:
        raise TargetError(
            "bad_option", "state is %r; expected one of %s" % (options["state"], ", ".join(STATES)), "correct `state`"
        )
    if options["kernel"] is None and options["state"] != "reverted":
        raise TargetError(
            "bad_option",
            "state %s needs `kernel`, a release as `uname -r` prints it" % options["state"],
            "give `kernel`",
        )
    if options["kernel"] is not None and not _RELEASE.match(options["kernel"]):
        raise TargetError(
            "bad_option",
            "kernel is %r; expected a release as `uname -r` prints it, such as 4.4.87.toa" % options["kernel"],
            "correct `kernel`",
        )
    options["confirm_timeout"] = _number(args, "confirm_timeout", 600, TIMEOUT_RANGE)
    options["panic"] = _number(args, "panic", 30, PANIC_RANGE)
    for name, default in (("watchdog", True), ("accept_no_fallback", False), ("restore", False)):
        options[name] = bool(default if args.get(name) is None else args[name])
    if options["restore"] and options["state"] != "reverted":
        raise TargetError(
            "bad_option",
            "`restore` goes with state reverted only, not with %s" % options["state"],
            "leave `restore` out",
        )
    return options


def _number(args, name, default, limits):
    value = default if args.get(name) is None else args[name]
    if isinstance(value, bool) or not isinstance(value, int) or not limits[0] <= value <= limits[1]:
        raise TargetError(
            "bad_option",
            "%s is %r; expected seconds from %d to %d" % (name, value, limits[0], limits[1]),
            "correct `%s`" % name,
        )
    return value
