# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rows of a probe mean: one verdict, the capabilities, and a summary."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.testbench.cases import (
    ABSENT,
    INERT,
    PARTIAL,
    TRANSLATING,
    UNPROVABLE,
    WRONG_KIND,
    places,
)
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import CDN_KIND


def works(cases, option, listener, family):
    """Does a wanted format give the client in this place? True, False, or None where it could not be tested."""
    packets = ("syn", "ack") if option.kind == CDN_KIND else ("ack",)
    found = [
        case
        for case in cases
        if case.format is option
        and not case.variant
        and (case.listener, case.family) == (listener, family)
        and case.packet in packets
    ]
    tested = [case for case in found if not case.untestable]
    if not tested:
        return None
    return any(case.seen == "client" for case in tested)


def all_work(cases, wanted):
    """Does every wanted format work wherever it could be tested?"""
    return all(
        works(cases, option, listener, family) is not False for option in wanted for listener, family in places(option)
    )


def translated(cases):
    """Names of the formats that gave the client in accept() and getpeername(), in the order they were asked."""
    names = []
    for case in cases:
        if case.seen == "client" and case.kind not in names:
            names.append(case.kind)
    return names


def verdict(cases, wanted, claims):
    """(verdict, reason). `claims` are the words for what says it translates on this host, such as "module toa is loaded"."""
    broken = broken_controls(cases)
    if broken:
        return UNPROVABLE, broken
    tested = [
        (option, listener, family, works(cases, option, listener, family))
        for option in wanted
        for listener, family in places(option)
    ]
    tested = [entry for entry in tested if entry[3] is not None]
    if wanted and not tested:
        return UNPROVABLE, "nothing that was asked for can be tested here: %s" % "; ".join(untested(cases))
    good = [entry for entry in tested if entry[3]]
    if good:
        return _some_work(cases, good, [entry for entry in tested if not entry[3]])
    return _none_works(cases, wanted, claims)


def broken_controls(cases):
    """Why the controls make the proof worthless, or None."""
    for case in cases:
        if case.expected != "peer" or case.variant or case.ok is not False:
            continue
        if case.seen == "nothing":
            return "a connection that should have been plain did not come about (%s): %s" % (case.name, case.problem)
        if case.format is None:
            return (
                "a connection without any option shows %s and %s instead of %s: something else rewrites addresses on this host"
                % (case.accept, case.getpeername, case.shown(case.peer, case.peer_port))
            )
        return "an option of kind %s, which nobody uses, was taken for a client's address (%s)" % (
            case.kind,
            case.accept,
        )
    return None


def _some_work(cases, good, bad):
    names = ", ".join(unique(option.name for option, _listener, _family, _works in good))
    if bad:
        return PARTIAL, "%s translates, but not everywhere: %s" % (
            names,
            "; ".join(_failure(cases, *entry[:3]) for entry in bad),
        )
    odd = [case for case in cases if case.ok is False]
    if odd:
        return PARTIAL, "%s translates, but: %s" % (names, "; ".join(_story(case) for case in odd))
    reason = "%s gives the client's address in accept() and getpeername()" % names
    left = untested(cases)
    return TRANSLATING, "%s; not tested: %s" % (reason, "; ".join(left)) if left else reason


def _none_works(cases, wanted, claims):
    names = ", ".join(option.name for option in wanted) or "every format in use"
    ours = [case for case in cases if case.format in wanted]
    half = [case for case in ours if case.seen in ("accept_only", "getpeername_only") or case.client_by_getsockopt]
    if half:
        return PARTIAL, "; ".join(_story(case) for case in half)
    elsewhere = [case.name for case in ours if case.seen == "client"]
    if elsewhere:
        return PARTIAL, "%s is not read from the packet that completes the handshake, only here: %s" % (
            names,
            "; ".join(elsewhere),
        )
    others = translated(cases)
    if others:
        return WRONG_KIND, "this host reads %s; %s is wanted" % (", ".join(others), names)
    if claims:
        return INERT, "%s, and yet no connection shows its client (tried: %s)" % ("; ".join(claims), names)
    return ABSENT, "nothing on this host claims to translate, and nothing does (tried: %s)" % names


def _failure(cases, option, listener, family):
    stories = [
        _story(case)
        for case in cases
        if case.format is option
        and (case.listener, case.family) == (listener, family)
        and case.packet == "ack"
        and not case.variant
    ]
    return "; ".join(stories)


def _story(case):
    """What one case showed, in words."""
    seen = case.seen
    if seen == "nothing":
        return "%s: %s" % (case.name, case.problem)
    if seen == "accept_only":
        return "%s: accept() has the client, getpeername() %s" % (case.name, case.getpeername)
    if seen == "getpeername_only":
        return "%s: getpeername() has the client, accept() %s" % (case.name, case.accept)
    if seen == "client":
        return "%s: taken for the client although %s is not to be believed" % (case.name, case.peer)
    if case.client_by_getsockopt:
        return "%s: only getsockopt(1348) has the client" % case.name
    return "%s: shows %s" % (
        case.name,
        case.accept if seen == "peer" else "%s and %s" % (case.accept, case.getpeername),
    )


def untested(cases):
    """Reasons why some cases could not be run, each once."""
    return unique(
        "%s (%s)" % (case.untestable, " ".join(word for word in (case.listener, case.variant) if word))
        for case in cases
        if case.untestable
    )


def unique(items):
    """Items in order, each once, as a list."""
    found = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def capabilities(cases):
    """What was seen to work, as `capabilities` of a plan names it. `ipv6`: an IPv6 client came through, which only shows where it was asked.

    getsockopt(1348) works when it has the client wherever accept() and getpeername() have.
    """
    named = [case for case in cases if case.seen == "client" and not case.variant]
    return {
        "getpeername": any(case.seen in ("client", "getpeername_only") for case in cases),
        "getsockopt_1348": all(case.client_by_getsockopt for case in named)
        if named
        else any(case.client_by_getsockopt for case in cases),
        "ipv6": any(case.seen == "client" and case.format.family == 6 for case in cases),
    }


def matrix(cases, which="all"):
    """The rows: all, failed or none. Formats nobody asked for are in it only where something happened to them."""
    if which == "none":
        return []
    shown = [case for case in cases if case.variant != "naming" or case.seen != "peer"]
    return [case.row() for case in shown if which == "all" or not case.ok]


def summary(cases):
    """The matrix in a few numbers and the names of what went wrong."""
    return {
        "cases": len(cases),
        "ok": len([case for case in cases if case.ok]),
        "failed": [case.name for case in cases if case.ok is False],
        "untestable": untested(cases),
    }
