# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof: does this host's kernel show a program the real client? (docs/contracts.md, "The proof")

A child process makes a network namespace with a TUN device, plays the load balancer in hand-made packets, and plays the server with
ordinary sockets. What accept(), getpeername() and getsockopt(IPPROTO_IP, 1348) say is compared with what the option carried.
Modules hook the whole kernel and eBPF programs follow the cgroup, so both act inside the namespace as outside; nothing leaves the host.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import time

from ansible_collections.realip.toa.plugins.module_utils.common.kernels import HELPER_MODULES
from ansible_collections.realip.toa.plugins.module_utils.common.probe_groups import LISTENERS
from ansible_collections.realip.toa.plugins.module_utils.common.trusted_sources import list_in_force
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.marks import EBPF
from ansible_collections.realip.toa.plugins.module_utils.host.state import load, section
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import (
    STATS_FILES,
    loaded_modules,
    parse_counters,
    stats,
)
from ansible_collections.realip.toa.plugins.module_utils.inspection.real_traffic import Counted
from ansible_collections.realip.toa.plugins.module_utils.option_filter.networks import addresses_for
from ansible_collections.realip.toa.plugins.module_utils.option_filter.rules import FOLDER
from ansible_collections.realip.toa.plugins.module_utils.option_filter.state import SECTION, filter_of, load_here
from ansible_collections.realip.toa.plugins.module_utils.testbench.cases import PEERS, STRANGERS, UNPROVABLE
from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import LOCAL, STEP, Bench
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import Refused, in_child
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import KNOWN_FORMATS, as_packed, parse_format
from ansible_collections.realip.toa.plugins.module_utils.testbench.questions import GROUPS, Questions
from ansible_collections.realip.toa.plugins.module_utils.testbench.verdict import (
    capabilities,
    matrix,
    summary,
    translated,
    verdict,
)

# Seconds for all connections together; each takes less than a millisecond where nothing is wrong.
TIMEOUT = 10


def main(args):
    """`probe` of docs/contracts.md. Changes nothing, so check mode is no different.

    args, all optional: `option_kinds` (formats that must work; without any, those that the host reads), `also_kinds` (formats tried in order
    to name what it reads), `cases` (default, full), `groups` (list out of probe_groups.GROUPS), `listeners` (of LISTENERS, those that
    are asked), `claims` (words for what else says that it
    translates), `peers` and `untrusted_peers` (addresses the packets come from, at most one of each family), `families` (4, 6: those in which
    a load balancer is believed; without `peers` all three follow the networks that this host trusts by its record), `option_filter` (load the
    host's own option filter into the namespace first), `rows` (all, failed, none), `timeout` in seconds.
    """
    began = time.time()
    if args.get("peers") is None:
        given = dict((key, args[key]) for key in ("untrusted_peers", "families") if args.get(key))
        args = dict(args, **addresses_for(list_in_force({"state": load()})))
        args.update(given)
    questions = read_questions(args)
    claims = list(args.get("claims") or []) + loaded_claims()
    questions.reads_data = "data" in (section(EBPF).get("packets") or ["data"])
    before = counters()
    option_filter = filter_of(section(SECTION), []) if args.get("option_filter") else None
    with Counted():
        found = prove(
            questions, claims, args.get("rows") or "all", float(args.get("timeout") or TIMEOUT), option_filter
        )
    found.update(
        claims=claims,
        counters_before=before,
        counters_after=counters(),
        elapsed_ms=int((time.time() - began) * 1000 + 0.5),
    )
    return {"changed": False, "probe": found}


def prove(questions, claims, which, timeout, option_filter=None):
    """What the child found, or a report that says why there is no proof. `option_filter`: of the host, whose rules are then loaded there as well."""
    unknown = "nobody knows how a client address is written in %s" % ", ".join(questions.unknown)
    if questions.unknown and not questions.wanted:
        return report(questions, [], UNPROVABLE, unknown, "none")
    try:
        found = in_child(lambda: ask(questions, claims, which, time.time() + timeout, option_filter), timeout + STEP)
    except Refused as problem:
        return report(questions, [], UNPROVABLE, "%s" % (problem,), "none")
    if questions.unknown:
        found["reason"] += "; not tested: " + unknown
    return found


def ask(questions, claims, which, deadline, option_filter=None):
    """In the child: put the questions to this host's kernel and judge the answers."""
    bench = Bench(filtered_port=(option_filter["ports"] + [0])[0] if option_filter else 0, read_port=read_port())
    if option_filter:
        load_here(FOLDER)
    cases = questions.put(lambda some: bench.run(some, deadline))
    word, reason = verdict(cases, questions.wanted, claims)
    return report(questions, cases, word, reason, which)


def read_port():
    """A port on which this host's eBPF programs read the option; 0 where they read all, or there are none."""
    ports = section(EBPF).get("ports")
    return ports[0] if isinstance(ports, list) and ports and isinstance(ports[0], int) and 0 < ports[0] < 65536 else 0


def report(questions, cases, word, reason, which):
    """The part of `probe` that does not depend on the host outside the namespace."""
    return {
        "verdict": word,
        "reason": reason,
        "matrix": matrix(cases, which),
        "summary": summary(cases),
        "option_kinds": translated(cases),
        "wanted_kinds": [option.name for option in questions.wanted],
        "capabilities": capabilities(cases),
    }


def read_questions(args):
    """The arguments as Questions; TargetError where one makes no sense."""
    groups = args.get("groups") or []
    unknown = [group for group in groups if group not in GROUPS]
    if unknown:
        raise TargetError("bad_group", "probe group %r is unknown" % unknown[0], "choose from %s" % ", ".join(GROUPS))
    questions = Questions(
        [parse_format(text) for text in args.get("option_kinds") or []],
        [parse_format(text) for text in args.get("also_kinds") or KNOWN_FORMATS],
        groups,
        args.get("cases") == "full",
        chosen_addresses(args.get("peers"), PEERS),
        chosen_addresses(args.get("untrusted_peers"), STRANGERS),
        args.get("families") or (4, 6),
    )
    questions.listeners = args.get("listeners") or LISTENERS
    return questions


def chosen_addresses(given, default):
    """{4: address, 6: address}: the given ones, the default where none of a family was given."""
    chosen = dict(default)
    for text in given or []:
        try:
            family = 4 if len(as_packed(text)) == 4 else 6
        except ValueError:
            raise TargetError(
                "bad_peer",
                "peer %r is not an IP address" % (text,),
                "give one IPv4 address and, if you like, one IPv6 address",
            )
        if text in LOCAL.values():
            raise TargetError("bad_peer", "peer %s is the address of the probe's own server" % text, "give another one")
        chosen[family] = str(text)
    return chosen


def loaded_claims():
    """What on this host looks as if it translated: a module that is loaded, or the statistics file of one that is built in."""
    claims, live = [], []
    for name in sorted(loaded_modules()):
        if name in HELPER_MODULES:
            continue
        dead = STATS_FILES[name] is not None and stats(name) is None
        claims.append(
            "module %s is loaded%s" % (name, ", but has made no statistics file: its start has failed" if dead else "")
        )
        live.append(STATS_FILES[name])
    for name in statistics_files():
        if name not in live:
            claims.append("/proc/net/%s exists" % name)
    return claims


def statistics_files():
    """Names of the TOA statistics files that exist in /proc/net."""
    return sorted(set(STATS_FILES[name] for name in STATS_FILES if stats(name) is not None))


def counters():
    """{counter: int} of every TOA statistics file, summed over CPUs. The modules count for the whole host, in the host's own namespace."""
    total = {}
    for name in STATS_FILES:
        total.update(parse_counters(stats(name)))
    return total
