# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time: a claim on the host that lasts as long as the run, and the mark of a host that is out of service.

host.lock.HostLock keeps two calls apart; the minutes between the calls of one rollout belong to its claim. It stands in the section `claim`
of state.json: `owner` (for people), `key` (of the controller's process), `boot_id` and `uptime` (when it was last renewed), `since`, `drained`
(the run has begun to take the host out of service, so somebody has to put it back). Age uses the host's uptime, so clock changes do not matter.

A claim of somebody else is respected for LEASE seconds after its last sign of life. It is taken over at once where the controller knows
that its owner has ended, or where the operator says so.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import time

from ansible_collections.realip.toa.plugins.module_utils.host.io import TEXT, TargetError, read_line
from ansible_collections.realip.toa.plugins.module_utils.host.lock import HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.state import STATE_FILE, save_section, section, told

# Seconds; longer than any one step may be silent (an installation may take an hour).
LEASE = 3600 + 600
TEXT_LIMIT = 200


def main(args):
    """args: state (look, taken, released), owner, key, ended (keys of owners that have ended), takeover, drained (bool or None), check."""
    if args.get("check"):
        return perform(args, STATE_FILE, apply=False)
    with HostLock():
        return perform(args, STATE_FILE, apply=True)


def perform(args, path, apply):
    """{changed, before, after, took_over, seen}; TargetError(host_claimed) where another run has the host."""
    found = section("claim", path)
    if args["state"] == "look":
        return dict(_answer(found, found), key=_text(found.get("key")))
    took_over = _contest(found, args)
    drained = bool(found.get("drained")) if args.get("drained") is None else bool(args["drained"])
    wanted = {"drained": True} if drained else {}
    if drained:
        wanted["drained_since"] = found.get("drained_since") or _now()
    if args["state"] == "taken":
        wanted.update(
            owner=args["owner"], key=args["key"], since=_since(found, args), boot_id=_boot_id(), uptime=_uptime()
        )
    if apply and wanted != found:
        save_section("claim", wanted, path)
    return dict(_answer(found, wanted), took_over=took_over, seen=_seen(path))


def _seen(path):
    """What a plan that was made earlier stands on: which boot, which kernel, and the record."""
    return {"boot_id": _boot_id(), "kernel": os.uname()[2], "state": told(path)}


def _contest(found, args):
    """Whose claim is taken over, in words, or ""; raises where the host belongs to somebody else."""
    key = found.get("key")
    if not key or key == args["key"]:
        return ""
    owner = _text(found.get("owner")) or "an unknown run"
    if key in args.get("ended", ()):
        return "%s, which has ended" % owner
    if args.get("takeover"):
        return "%s, because toa_takeover is set" % owner
    silent = _silent_for(found)
    if silent >= LEASE:
        return "%s, of which nothing was seen for %d minutes" % (owner, silent // 60)
    raise TargetError(
        "host_claimed",
        "this host belongs to another run: %s, since %s UTC" % (owner, _text(found.get("since")) or "an unknown time"),
        "wait until that run has ended; if it is dead, run again with toa_takeover: true, or %d minutes later"
        % ((LEASE - silent) // 60 + 1),
    )


def _silent_for(found):
    """Seconds since the claim was renewed: exact within one boot, at least the uptime after another."""
    now, then = _uptime(), found.get("uptime")
    if (
        found.get("boot_id") != _boot_id()
        or isinstance(then, bool)
        or not isinstance(then, (int, float))
        or not 0 <= then <= now
    ):
        return now
    return now - int(then)


def _since(found, args):
    return found.get("since") if found.get("key") == args["key"] and found.get("since") else _now()


def _now():
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())


def _boot_id():
    return read_line("/proc/sys/kernel/random/boot_id") or ""


def _uptime():
    return int(float((read_line("/proc/uptime") or "0").split()[0]))


def _text(value):
    text = value if isinstance(value, (str, TEXT)) else ""
    return "".join(char for char in text[:TEXT_LIMIT] if char.isalnum() or char in " .,:@/_+-")


def _answer(found, wanted):
    before, after = _shown(found), _shown(wanted)
    return {"changed": before != after, "before": before, "after": after}


def _shown(claim):
    return {"owner": _text(claim.get("owner")), "drained": bool(claim.get("drained"))}
