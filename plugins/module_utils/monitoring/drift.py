# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has changed on a host since it was proved: which thing, since when, and why as far as the host can tell. Pure.

A rollout ends with a record of what was proved (section `proof` of state.json: backend, kernel, boot, time). An update of the operating
system that boots another kernel, a module that somebody unloaded, a firewall that was flushed: each is one finding here, which the facts,
the plan, the report and the monitor all show.

A finding: {"code", "detail" (a sentence), "since" (UTC, as in 2026-11-22T04:25:00Z, or "" where nobody knows)}.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re
import time

from ansible_collections.realip.toa.plugins.module_utils.common.kernels import HELPER_MODULES

# The section of state.json.
SECTION = "proof"
FORMAT = "%Y-%m-%dT%H:%M:%SZ"
# Of a year without a 29th of February, before each month.
DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)

KERNEL, MODULE, EBPF, OPTION_FILTER, DEFAULT, HOLD, NEXT = (
    "kernel_without_toa",
    "module_gone",
    "ebpf_gone",
    "option_filter_gone",
    "default_changed",
    "hold_gone",
    "next_kernel_without_toa",
)
CODES = (KERNEL, MODULE, EBPF, OPTION_FILTER, DEFAULT, HOLD, NEXT)


def utc(seconds):
    """Seconds since 1970 as UTC text; "" for what is no time."""
    if seconds is None:  # which would mean now
        return ""
    try:
        return time.strftime(FORMAT, time.gmtime(seconds))
    except (ValueError, OverflowError, TypeError, OSError):
        return ""


def seconds_of(text):
    """The reverse, or None. By hand, because time.strptime() imports more than all the rest of a look."""
    try:
        numbers = [int(part) for part in re.match(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$", text).groups()]
        year, month, day, hour, minute, second = numbers
        last = year - (month < 3)  # the last year that may have had its 29th of February by then
        days = (year - 1970) * 365 + last // 4 - last // 100 + last // 400 - 477 + DAYS_BEFORE[month - 1] + day - 1
    except (AttributeError, IndexError, TypeError):
        return None
    seconds = days * 86400 + hour * 3600 + minute * 60 + second
    # So that a 30th of February, or a 13th month, is none.
    return seconds if utc(seconds) == text else None


def proof_of(state):
    """The record of the last rollout's proof as {backend, kernel, boot_id, time: texts; brings_kernel, runs_programs, prepared: bool}, or None."""
    record = state.get(SECTION)
    if not isinstance(record, dict):
        return None
    proof = dict((key, "%s" % record.get(key, "")) for key in ("backend", "kernel", "boot_id", "time"))
    for key in ("brings_kernel", "runs_programs", "prepared"):
        proof[key] = record.get(key) is True
    return proof if proof["backend"] and proof["kernel"] and seconds_of(proof["time"]) is not None else None


def is_live(facts):
    """Does something on this host translate, as far as can be seen without a packet?"""
    return bool(translators(facts, "live"))


def translators(facts, state):
    """What on this host translates: the modules that are `live`, or `loaded` at least, and the programs."""
    names = [module["name"] for module in facts["modules"] if module[state] and module["name"] not in HELPER_MODULES]
    return names + (["ebpf"] if facts["ebpf"].get("complete") else [])


def drift_of(facts, booted, installed, seen):
    """Findings about a host.

    `facts` of programs/facts.py; `booted`: when this kernel was booted, `installed`: when its image came, both in seconds or None;
    `seen`: {code: seconds} of when the monitor saw a finding first.
    """
    proof = proof_of(facts["state"])
    if proof is None:
        return []
    found = [
        _translation(facts, proof, booted, installed),
        _option_filter(facts),
        _default(facts, proof),
        _hold(facts, proof),
        _next(facts),
    ]
    return [_finding(code, detail, since or seen.get(code)) for code, detail, since in [item for item in found if item]]


def _finding(code, detail, since):
    return {"code": code, "detail": detail, "since": utc(since) if since else ""}


def _translation(facts, proof, booted, installed):
    if is_live(facts):
        return None
    proved = "it was %s at %s" % ("prepared as an image" if proof["prepared"] else "proved", proof["time"])
    if proof["runs_programs"]:
        return EBPF, "the eBPF programs are not attached any more; %s" % proved, None
    running = facts["uname"]["release"]
    if running == proof["kernel"]:
        return MODULE, "no TOA module is alive on kernel %s; %s" % (running, proved), None
    why = [_why_installed(running, installed, proof), _why_default(facts, running), _why_missing(facts, proof)]
    words = "kernel %s, which has no TOA, runs in place of %s; %s" % (running, proof["kernel"], proved)
    return KERNEL, "; ".join([words] + [reason for reason in why if reason]), booted


def _why_installed(running, installed, proof):
    if installed and installed > seconds_of(proof["time"]):
        return "%s was installed at %s, after that" % (running, utc(installed))
    return ""


def _why_default(facts, running):
    return "%s is the boot loader's default" % running if facts["boot"].get("default") == running else ""


def _why_missing(facts, proof):
    there = [kernel["release"] for kernel in facts["kernels"]]
    return "" if proof["kernel"] in there else "%s is not installed any more" % proof["kernel"]


def _option_filter(facts):
    option_filter = facts["firewall"]["option_filter"]
    if not option_filter or (option_filter["active"] and option_filter["at_boot"]):
        return None
    lost = (
        "its rules are not loaded as they were left"
        if not option_filter["active"]
        else "nothing loads its rules at boot"
    )
    return OPTION_FILTER, "the option filter is gone: %s" % lost, None


def _default(facts, proof):
    default = facts["boot"].get("default")
    if not proof["brings_kernel"] or not default or default == proof["kernel"]:
        return None
    return DEFAULT, "the next boot takes %s, not %s, which was proved" % (default, proof["kernel"]), None


def _next(facts):
    """Before the reboot and not after it."""
    told = ["%s is installed and would not translate: %s" % (one["release"], one["detail"]) for one in facts["ahead"]]
    return (NEXT, "; ".join(told), None) if told else None


def _hold(facts, proof):
    """Only where we had put a hold: the record says so (programs/package.py)."""
    packages = facts["state"].get("packages")
    held = packages.get("held") if isinstance(packages, dict) else None
    lost = (
        [name for name in held if name not in facts["held"]]
        if isinstance(held, list) and proof["brings_kernel"]
        else []
    )
    return (
        (HOLD, "%s is not held against updates any more" % ", ".join("%s" % name for name in lost), None)
        if lost
        else None
    )
