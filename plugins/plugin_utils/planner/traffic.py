# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What real connections say of a host that translates: how many came with their client, or that none did, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.facts.clean import number
from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import CONVERGED, Case, Offer

# Why connections came untranslated: (what happened, what to do about it), the most telling one first.
CAUSES = {
    "untrusted": ("carried an option from a source that is not trusted", "add the load balancer's networks to toa_trusted_sources"),
    "misplaced": ("carried it on a packet that is not read", "set toa_option_packets to those on which the load balancer writes"),
    "ambiguous": ("carried two of them", "set toa_option_place to where the load balancer writes"),
    "malformed": ("carried one of another length", "set toa_option_kinds to what the load balancer sends"),
    "impossible": ("named an address that no client has", "see what the load balancer writes"),
    "other_port": ("came to other ports than toa_ports", "add the service's port to toa_ports"),
    "no_option": (
        "carried none that is read here",
        "the load balancer's switch for client addresses may be off, another kind be sent, or a proxy of layer 7 stand in between",
    ),
}  # fmt: skip
LOOK = "the playbook realip.toa.detect shows what arrives"
NOBODY = (
    "no connection came at all",
    "see whether the load balancer has this host in its pool, and its port in toa_ports",
)


def tell_of_traffic(case: Case, offer: Offer) -> None:
    """Of a host that translates, and of nothing that has to be done."""
    traffic = case.facts.get("traffic")
    if not traffic or offer.state != CONVERGED or (case.probe or {}).get("verdict", "translating") != "translating":
        return
    if traffic["connections"] or traffic["translated"]:
        offer.tell("traffic", what=sentence(traffic))
    if traffic["idle"]:
        what, remedy = cause(traffic["others"])
        offer.tell("idle", since=_duration(traffic["quiet"] or 0), what=what, remedy=remedy)


def sentence(traffic: Mapping[str, Any]) -> str:
    """12,431 of 12,500 connections from the load balancer since 2026-11-20T10:00:00Z came translated."""
    translated, connections = traffic["translated"] or 0, traffic["connections"]
    whose = "from the load balancer" if traffic["trusted"] else "to this host"
    of = f" of {max(connections, translated):,}" if connections is not None else ""
    return f"{translated:,}{of} connections {whose} since {traffic['since']} came translated"


def cause(others: Mapping[str, Any]) -> tuple[str, str]:
    """(why connections came untranslated, what to do about it)."""
    found = [(name, count) for name in CAUSES if (count := number(others.get(name)) or 0) > 0]
    if not found:
        return NOBODY
    told = [f"{count:,} {'connection' if count == 1 else 'connections'} {CAUSES[name][0]}" for name, count in found]
    return "; ".join(told), f"{CAUSES[found[0][0]][1]}; {LOOK}"


def _duration(seconds: int) -> str:
    hours = seconds // 3600
    if hours < 1:
        return f"{seconds // 60} minutes"
    return "an hour" if hours == 1 else f"{hours} hours" if hours < 48 else f"{hours // 24} days"
