# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alibaba Cloud's vtoa: a package of the host's own repositories, with a service."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils.facts import kernel_release as kernel
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backend import Backend, Left
from ansible_collections.realip.toa.plugins.plugin_utils.planner.checks import (
    NO_STATISTICS,
    add_proof_step,
    agree_on_kinds,
    check_conflicts,
    judge,
    manager,
    persistence_of,
    tag,
)
from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import (
    VTOA_DOCUMENTED,
    VTOA_READS,
    Case,
    Offer,
    listed,
)
from ansible_collections.realip.toa.plugins.plugin_utils.planner.plan import repository_package
from ansible_collections.realip.toa.plugins.plugin_utils.planner.signatures import check_module

# Alibaba Cloud, "Use vtoa to get the real client address": getpeername from the first, getsockopt(IPPROTO_IP, 1348) from the second.
VTOA = "vtoa"
VTOA_GETPEERNAME = "5.10.134-15"
VTOA_GETSOCKOPT = "5.10.134-17"
VTOA_TAG = "al8"
VTOA_ARCHES = ("x86_64", "aarch64")
# Kinds of places that only recipes write to.
SCRIPTS = ("rc_local", "sysconfig_modules")


# ---- backends


class Vtoa(Backend):
    """Package, unit and module of Alibaba Cloud Linux 3."""

    name = VTOA

    def offer(self, case: Case) -> Offer:
        offer = Offer("vtoa", VTOA, module=VTOA, service=VTOA, ipv6=True)
        running = case.running
        if case.os["id"] != "alinux" or case.os["major"] != 3:
            return offer.reject("unsupported_distribution", wanted="Alibaba Cloud Linux 3", os=case.distribution)
        if case.kernel["tag"] != VTOA_TAG:
            return offer.reject("wrong_dist_tag", running=running, tag=tag(case.kernel), wanted=f"the tag {VTOA_TAG}")
        if case.kernel["debug"]:
            return offer.reject("debug_kernel", running=running)
        if not kernel.at_least(case.kernel, VTOA_GETPEERNAME):
            return offer.reject("kernel_too_old", running=running, wanted=VTOA_GETPEERNAME)
        if case.kernel["arch"] not in VTOA_ARCHES:
            return offer.reject("arch_not_supported", what="vtoa", wanted=listed(VTOA_ARCHES), arch=case.kernel["arch"])
        if not agree_on_kinds(case, offer, VTOA_READS, VTOA_DOCUMENTED):
            return offer
        offer.getsockopt_1348 = kernel.at_least(case.kernel, VTOA_GETSOCKOPT)
        check_conflicts(case, offer)
        _check_service(case, offer)
        return offer

    def left(self, case: Case) -> Left | None:
        if not case.facts["service"]:
            return None
        stop = f"stop {VTOA} and start it no more at boot"
        return Left(steps=[stop], packages=[repository_package(VTOA)], service=VTOA)


def _check_service(case: Case, offer: Offer) -> None:
    """Package, unit and module of vtoa; `systemctl enable` is its persistence."""
    service = case.facts["service"]
    module = case.modules.get("vtoa")
    check_module(
        case, offer, "module vtoa", module.get("signers", []) if module else [], bool(module and module["loaded"])
    )
    if service is None and not (module and module["loaded"]):
        if case.os["package_manager"] != "rpm":
            offer.block("package_manager_missing", what="vtoa", wanted="rpm and yum or dnf", found=manager(case))
        offer.tell("signed_by_repository", what="vtoa")
        offer.steps.append("install vtoa from the repositories of Alibaba Cloud Linux")
    elif service is not None:
        # Where systemd does not say whether a unit is active, the module does.
        missing = [word for word in ("active", "enabled") if service[word] is False]
        if missing:
            offer.tell("service_stopped", service=service["name"], missing=listed(missing))
        offer.steps += [
            {"active": f"start {service['name']}", "enabled": f"enable {service['name']} at boot"}[word]
            for word in missing
        ]
        _check_legacy(case, offer)
    elif not persistence_of(case, "vtoa"):
        offer.tell("not_persistent", module="vtoa")
        offer.steps.append("enable vtoa at boot")
    if module and module["loaded"]:
        if not module["live"]:
            offer.block("module_inert", module="vtoa", why=NO_STATISTICS)
        else:
            judge(case, offer)
    elif not offer.steps:
        offer.tell("not_loaded", module="vtoa")
        offer.steps.append("restart the service of vtoa")
    add_proof_step(case, offer)


def _check_legacy(case: Case, offer: Offer) -> None:
    """A script that loads vtoa beside its unit, as the document for Anti-DDoS has it, would outlive `systemctl disable`."""
    scripts = [
        place["path"] for place in case.facts["persistence"] if place["module"] == VTOA and place["kind"] in SCRIPTS
    ]
    if scripts:
        offer.tell("legacy_persistence", module=VTOA, paths=listed(scripts))
        offer.steps.append(f"take vtoa out of {listed(scripts)}")
