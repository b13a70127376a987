# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""This collection's eBPF programs."""

from __future__ import annotations

from typing import ClassVar

from ansible_collections.realip.toa.plugins.module_utils.common.kernels import EBPF_KERNEL
from ansible_collections.realip.toa.plugins.plugin_utils import ebpf_object
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats as formats
from ansible_collections.realip.toa.plugins.plugin_utils.facts import kernel_release as kernel
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backend import Backend, Left
from ansible_collections.realip.toa.plugins.plugin_utils.planner.checks import (
    add_proof_step,
    check_conflicts,
    judge,
    persistence_of,
)
from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import Case, Offer, listed

OLDEST_KERNEL = ".".join(map(str, EBPF_KERNEL))
# Its section of the host's record, and what findings of persistence call that which attaches the programs at boot.
EBPF = "ebpf"
PACKETS = {"syn": "the SYN", "ack": "the ACK of the handshake", "data": "the first data"}
PLACES = {"unknown": "read none", "front": "read the first", "end": "read the last"}
# The object is little-endian.
EBPF_ARCHES = ("x86_64", "aarch64", "ppc64le", "riscv64", "loongarch64")


class Ebpf(Backend):
    """Programs on the host's cgroup, attached now and at every boot."""

    name = EBPF
    policy: ClassVar = {"ebpf_getsockopt": [1348]}
    filters_sources = True
    in_image = True
    records = (EBPF,)
    at_boot = (EBPF,)
    runs_programs = True

    def offer(self, case: Case) -> Offer:
        offer = Offer("ebpf", "the eBPF backend", programs=True, boot_record=EBPF, ipv6=True)
        offer.getsockopt_1348 = 1348 in case.policy["ebpf_getsockopt"]
        ebpf = case.facts["ebpf"]
        if not kernel.at_least(case.kernel, OLDEST_KERNEL):
            # Enterprise Linux never leaves the version that it began with.
            stays = case.kernel["tag"].startswith(("el6", "el7", "el8"))
            return offer.reject(
                "kernel_stays_old" if stays else "kernel_too_old", running=case.running, wanted=OLDEST_KERNEL
            )
        if case.kernel["arch"] not in EBPF_ARCHES:
            return offer.reject(
                "arch_not_supported", what="the eBPF object", wanted=listed(EBPF_ARCHES), arch=case.kernel["arch"]
            )
        if not ebpf["cgroup2"]:
            return offer.reject("no_cgroup2")
        if not ebpf["possible"]:
            return offer.reject("ebpf_impossible", why=ebpf["reason"] or "no reason given")
        unknown = formats.unknown(case.wanted)
        if unknown:
            return offer.reject("unknown_format", kinds=listed(unknown))
        # Where nobody says what the load balancer sends, what is read already is left alone.
        offer.option_kinds = list(case.wanted or ebpf["option_kinds"] or formats.COMMON)
        if not case.os["id"]:
            offer.tell("unknown_distribution")
        check_conflicts(case, offer)
        if ebpf["alone"]:
            found = sorted({f"{item['name'] or item['id']} ({item['hook']})" for item in ebpf["alone"]})
            offer.block("ebpf_hook_taken", detail=listed(found))
        _check_bpftool(case, offer)
        offer.steps += _missing_of_ebpf(case, offer)
        if ebpf["complete"] and not offer.steps:
            judge(case, offer)
        if not persistence_of(case, EBPF) and not case.is_image:
            offer.tell("not_persistent", module="the eBPF programs")
            offer.steps.append("attach them at every boot")
        add_proof_step(case, offer)
        return offer

    def left(self, case: Case) -> Left | None:
        at_boot = any(place["module"] == EBPF and place["ours"] for place in case.facts["persistence"])
        if not (case.facts["ebpf"]["attached"] or case.facts["state"].get(EBPF) or at_boot):
            return None
        return Left(steps=["detach the eBPF programs"])


def _check_bpftool(case: Case, offer: Offer) -> None:
    """Needed now, and at every boot."""
    if case.facts["ebpf"]["bpftool"]:
        return
    if "bpftool" in case.policy["install"]:
        offer.steps.append("install bpftool from the distribution's repositories")
    else:
        offer.block("bpftool_missing")


def _missing_of_ebpf(case: Case, offer: Offer) -> list[str]:
    """Steps from what the programs do to what they should; none where that is so already."""
    ebpf, networks = case.facts["ebpf"], case.trusted or []
    if case.is_image:
        return [f"attach the eBPF programs for {listed(offer.option_kinds)} from the first boot on"]
    if not ebpf["complete"]:
        return [f"attach the eBPF programs for {listed(offer.option_kinds)} to {ebpf['cgroup2']}"]
    steps = []
    if ebpf["object"] != ebpf_object.DIGEST:
        steps.append("replace the eBPF programs by those of this release")
    if set(ebpf["option_kinds"]) != set(offer.option_kinds):
        steps.append(f"read {listed(offer.option_kinds)} in place of {listed(ebpf['option_kinds']) or 'nothing'}")
    if case.trusted is not None and set(ebpf["trusted_sources"]) != set(networks):
        named = listed(networks) if len(networks) < 5 else f"{len(networks)} networks"
        steps.append(
            f"take the option from {named} only" if networks else "trust all sources: take the list of networks away"
        )
    steps += _other_reading(case)
    for number, fact in ((1348, "getsockopt"), (4096, "getsockopt_nat64")):
        wanted = number in case.policy["ebpf_getsockopt"]
        if ebpf[fact] != wanted:
            steps.append(f"{'offer' if wanted else 'stop offering'} getsockopt(IPPROTO_IP, {number})")
    return steps


def _other_reading(case: Case) -> list[str]:
    """Steps to the packets, the place in the header and the ports that are wanted; what nobody says stays as it is."""
    ebpf, policy, steps = case.facts["ebpf"], case.policy, []
    packets, place = formats.profile(policy["vendor"], policy["option_packets"], policy["option_place"])
    if packets and packets != ebpf["packets"]:
        steps.append(f"read the option on {listed(PACKETS[packet] for packet in packets)} only")
    if place and place != ebpf["place"]:
        steps.append(f"of two options in a packet, {PLACES[place]}")
    if policy["ports"] != ebpf["ports"]:
        steps.append(f"read the option on {listed(policy['ports']) or 'all'} of the ports")
    return steps
