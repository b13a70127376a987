# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision: what a host is, what the operator allows, what exists -> what shall be done to this host, and why.

Pure: no I/O, no clock. Every backend looks at the host and comes back with an `Offer`: converged, pending, blocked (it needs the
operator's approval, or a fix) or rejected (not for this host). The first converged one wins, so that what works
is left alone; then the first pending one, then the first blocked one, in the operator's order of preference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.realip.toa.plugins.module_utils.common.option_formats import OTHER_MEANINGS
from ansible_collections.realip.toa.plugins.module_utils.common.trusted_sources import list_in_force
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats as formats
from ansible_collections.realip.toa.plugins.plugin_utils import trusted_networks
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalogs
from ansible_collections.realip.toa.plugins.plugin_utils.catalog.entries import Entry, Locked
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backend import Backend
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.registry import REGISTRY
from ansible_collections.realip.toa.plugins.plugin_utils.planner.checks import (
    completed,
    is_drained,
)
from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import (
    BLOCKED,
    CONVERGED,
    PENDING,
    UNSUPPORTED,
    Case,
    Facts,
    Offer,
    Plan,
    listed,
)
from ansible_collections.realip.toa.plugins.plugin_utils.planner.plan import chosen, empty_plan, none_fits
from ansible_collections.realip.toa.plugins.plugin_utils.planner.policy import policy_of
from ansible_collections.realip.toa.plugins.plugin_utils.planner.reasons import reason
from ansible_collections.realip.toa.plugins.plugin_utils.planner.traffic import tell_of_traffic


def decide(
    facts: Facts,
    policy: Mapping[str, Any],
    catalog: Sequence[Entry],
    lock: Any = None,
    probe: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan for one host (docs/contracts.md, "The plan").

    `facts` as facts.build() made them, `policy` any keys of POLICY, `catalog` of catalog.load(), `lock` the contents of toa.lock.yml
    or what catalog.read_lock() made of it, `probe` the answer of the proof or None where it was not run.
    Raises PolicyError or CatalogError for what is wrong whatever the host.
    """
    case = case_of(facts, policy, catalog, lock, probe)
    refused = gate(case)
    if refused:
        return refused
    backends = [REGISTRY[name] for name in case.policy["backends"]]
    backends.sort(key=lambda backend: not backend.is_kept(case))
    offers = [completed(case, _offer(case, backend), backend.filters_sources) for backend in backends]
    for state in (CONVERGED, PENDING, BLOCKED):
        for offer in offers:
            if offer.state == state:
                if case.trusted is None:
                    offer.block("spoofable")
                tell_of_traffic(case, offer)
                if is_drained(case):
                    offer.tell("left_drained")
                    offer.steps.append("put the host back into service")
                return chosen(case, offer, offers, REGISTRY[offer.backend].filters_sources)
    return none_fits(case, offers)


def _offer(case: Case, backend: Backend) -> Offer:
    """What a backend can do; in an image only what needs no running kernel."""
    if case.is_image and not backend.in_image:
        return Offer(backend.name, f"backend {backend.name}").reject("not_in_image", what=f"backend {backend.name}")
    return backend.offer(case)


def wants_headers(plan: Plan, facts: Facts) -> bool:
    """Whether this plan depends on what nobody has asked the host yet: if its repositories have the headers of its kernel."""
    backend, build = REGISTRY.get(plan["backend"]), facts["build"]
    building = (
        backend is not None
        and backend.needs_headers
        and plan["goal"] == "install"
        and plan["state"] in (PENDING, BLOCKED)
    )
    return building and not build["headers"] and not build["headers_package"]


def case_of(
    facts: Facts,
    policy: Mapping[str, Any],
    catalog: Sequence[Entry],
    lock: Any = None,
    probe: Mapping[str, Any] | None = None,
) -> Case:
    """The arguments of decide(), checked and complete."""
    complete = policy_of(policy)
    wanted = formats.wanted(complete["vendor"], complete["option_kinds"])
    if "inet6" not in complete["listeners"]:
        wanted = [text for text in wanted if not formats.parse(text).is_ipv6]
    return Case(facts, complete, catalog, _locked(lock), probe or None, wanted, _trusted(facts, complete))


def _trusted(facts: Facts, policy: Mapping[str, Any]) -> list[str] | None:
    """Who is trusted: what the operator says, else the list that the host has already. A host's words are checked as the operator's are."""
    said: list[str] | None = policy["trusted_sources"]
    if said is not None:
        return said
    try:
        return trusted_networks.normalise(list_in_force(facts)) or None  # type: ignore[no-untyped-call]
    except ValueError:
        return None


def _locked(lock: Any) -> Mapping[str, Locked]:
    if isinstance(lock, Mapping) and lock and all(isinstance(value, Locked) for value in lock.values()):
        return lock
    return catalogs.read_lock(lock)


# ---- what decides before any backend is looked at


def gate(case: Case) -> Plan | None:
    if case.is_image and not case.running:
        return empty_plan(case, BLOCKED, [reason("image_no_kernel")])
    if not case.kernel["upstream"]:
        return empty_plan(case, UNSUPPORTED, [reason("kernel_unparsable", release=repr(case.running[:80]))])
    if case.facts["container"]:
        return empty_plan(case, BLOCKED, [reason("inside_container", container=case.facts["container"])])
    strange = [text for text in formats.unknown(case.wanted) if formats.parse(text) not in OTHER_MEANINGS]
    if strange:
        return empty_plan(case, BLOCKED, [reason("unknown_format", kinds=listed(strange))])
    return None
