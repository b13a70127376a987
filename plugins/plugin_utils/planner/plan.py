# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: made of the offer that was chosen, or of the reasons why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalogs
from ansible_collections.realip.toa.plugins.plugin_utils.catalog.entries import Entry, Package
from ansible_collections.realip.toa.plugins.plugin_utils.planner.checks import trusts_all_sources, wants_option_filter
from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import UNSUPPORTED, Case, Offer, Plan
from ansible_collections.realip.toa.plugins.plugin_utils.planner.reasons import BLOCK, INFO, reason

# ---- the plan


def chosen(case: Case, offer: Offer, offers: Sequence[Offer], filters_sources: bool) -> Plan:
    reasons = _unread(case) + offer.reasons
    for other in offers:
        if other is offer:
            break
        # What was preferred and passed over says why, and no more than that.
        reasons += [dict(item, severity=INFO) for item in other.reasons if item["severity"] == BLOCK]
    plan = empty_plan(case, offer.state, reasons)
    plan.update(
        backend=offer.backend,
        steps=offer.steps,
        remedy=_remedy(offer.reasons),
        reboot=offer.reboot,
        module=offer.module,
        service=offer.service,
        option_kinds=offer.option_kinds,
        trusted_sources=case.trusted,
        trusts_all_sources=trusts_all_sources(case, filters_sources),
        option_filter=wants_option_filter(case, filters_sources),
        monitor=case.policy["monitor"],
        capabilities={"getpeername": True, "getsockopt_1348": offer.getsockopt_1348, "ipv6": offer.ipv6},
    )
    if offer.service:
        plan["packages"] = [repository_package(offer.service)]
    if offer.entry:
        plan.update(
            entry=offer.entry.key,
            kernel_target=offer.entry.release,
            packages=[package_of(case, offer.entry, package) for package in offer.packages],
        )
    return plan


def none_fits(case: Case, offers: Sequence[Offer]) -> Plan:
    reasons = _unread(case) + [item for offer in offers for item in offer.reasons]
    if not case.os["id"]:
        reasons.insert(0, reason("unknown_distribution", severity=BLOCK))
    plan = empty_plan(case, UNSUPPORTED, reasons)
    plan["remedy"] = _remedy(reasons)
    return plan


def _unread(case: Case) -> list[dict[str, str]]:
    return [reason("facts_incomplete", section=item["section"], why=item["problem"]) for item in case.facts["unread"]]


def _remedy(reasons: Sequence[Mapping[str, str]]) -> str:
    """The one thing the operator can do: about the first thing that stands in the way."""
    return next((item["remedy"] for item in reasons if item["severity"] == BLOCK and item["remedy"]), "")


def package_of(case: Case, entry: Entry, package: Package) -> dict[str, Any]:
    return {
        "name": package.name,
        "role": package.role,
        "url": catalogs.mirrored(package.url, package.file, case.policy["package_mirror"]),
        "file": package.file,
        "format": entry.format,
        "sha256": package.sha256,
        "size": package.size,
        "release": entry.release if package.role == "image" else "",
        "repository": False,
    }


def repository_package(name: str) -> dict[str, Any]:
    """A package that the host's own repositories have."""
    fields: dict[str, Any] = {
        "name": name,
        "role": "service",
        "url": "",
        "file": "",
        "format": "rpm",
        "sha256": "",
        "size": 0,
        "release": "",
    }
    return {**fields, "repository": True}


def empty_plan(case: Case, state: str, reasons: list[dict[str, str]]) -> Plan:
    return {
        "state": state,
        "goal": "install",
        "backend": "",
        "steps": [],
        "reasons": reasons,
        "remedy": _remedy(reasons),
        "kernel_target": "",
        "packages": [],
        "reboot": False,
        "module": "",
        "service": "",
        "option_kinds": list(case.wanted),
        "left": [],
        "trusted_sources": case.trusted,
        "trusts_all_sources": False,
        "option_filter": False,
        "monitor": False,
        "capabilities": {"getpeername": False, "getsockopt_1348": False, "ipv6": False},
        "entry": "",
    }
