# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that backends share: module, persistence, proof, conflicts, signatures and the option filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils import option_formats as formats
from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import Case, Offer, listed

# Conflicts that the host reports and that the planner finds in the modules and programs themselves.
SEEN_BY_ITSELF = ("conflict_ebpf_getpeername", "two_toa_modules")

NO_STATISTICS = "it has not made its statistics file in /proc/net"

PACKAGE_TOOLS = {"rpm": "rpm", "deb": "dpkg"}


def boot_record(case: Case) -> Mapping[str, Any]:
    """What the host's record says about a trial boot."""
    record = case.facts["state"].get("boot")
    return record if isinstance(record, Mapping) else {}


def proved_with(case: Case) -> str:
    """The backend of the last rollout's proof, by the host's record; "" where there was none."""
    record = case.facts["state"].get("proof")
    return str(record.get("backend") or "") if isinstance(record, Mapping) else ""


def is_drained(case: Case) -> bool:
    """Has a run taken this host out of service and not put it back?"""
    claim = case.facts["state"].get("claim")
    return isinstance(claim, Mapping) and claim.get("drained") is True


# ---- what several backends ask


def agree_on_kinds(case: Case, offer: Offer, reads: Sequence[str], usual: Sequence[str]) -> bool:
    """Settle which formats will be translated: the wanted ones that the backend reads, or `usual` where nothing was said.

    What the proof has just seen translated is read, whatever a table says: vendors ship modules of one name that read other kinds.
    """
    measured = _measured(case, offer)
    if measured and not case.wanted:
        usual = measured
    reads = [*reads, *(text for text in measured if text not in reads)]
    offer.option_kinds = [text for text in case.wanted if text in reads] if case.wanted else list(usual)
    missing = [text for text in case.wanted if text not in reads]
    if missing and not offer.option_kinds:
        offer.reject("option_kind_mismatch", what=offer.what, reads=listed(reads), wanted=listed(case.wanted))
        return False
    if missing:
        offer.tell("option_kinds_partial", what=offer.what, missing=listed(missing), reads=listed(offer.option_kinds))
    return True


def _measured(case: Case, offer: Offer) -> list[str]:
    """What the proof has seen translated by this offer's module, which is alive."""
    module = case.modules.get(offer.module)
    if not case.probe or not module or not module["loaded"] or not module["live"] or case.facts["ebpf"]["attached"]:
        return []
    return list(case.probe.get("option_kinds") or [])


def settle_module(case: Case, offer: Offer) -> None:
    """Loaded, live, loaded again at the next boot, proved: what is missing of these becomes a step."""
    module = case.modules.get(offer.module)
    if not case.is_image:  # whether it lives there, the first boot shows
        _settle_loaded(offer, module)
    if not persistence_of(case, offer.module):
        offer.tell("not_persistent", module=offer.module)
        offer.steps.append(f"load {offer.module} at every boot")
    _tell_broken_persistence(case, offer)
    if module and module["loaded"] and module["live"]:
        judge(case, offer)
    add_proof_step(case, offer)


def _settle_loaded(offer: Offer, module: Mapping[str, Any] | None) -> None:
    if module is None or not module["loaded"]:
        offer.tell("not_loaded", module=offer.module)
        offer.steps.append(f"load {offer.module}")
    elif not module["live"]:
        offer.block("module_inert", module=offer.module, why=NO_STATISTICS)


def persistence_of(case: Case, module: str) -> bool:
    return any(place["effective"] and place["module"] == module for place in case.facts["persistence"])


def _tell_broken_persistence(case: Case, offer: Offer) -> None:
    for place in case.facts["persistence"]:
        if not place["effective"] and not place["ours"]:
            offer.tell("persistence_ineffective", path=place["path"], why=place["reason"] or "it never runs")


def judge(case: Case, offer: Offer) -> None:
    """What the proof says about what claims to be active; nothing where it was not run."""
    if case.probe is None:
        return
    verdict, found = case.probe.get("verdict"), list(case.probe.get("option_kinds") or [])
    why = case.probe.get("reason") or "no reason given"
    if (
        offer.getsockopt_1348
        and verdict in ("translating", "wrong_kind")
        and (case.probe.get("capabilities") or {}).get("getsockopt_1348") is False
    ):
        offer.block("partial", why="getsockopt(IPPROTO_IP, 1348) does not give the client")
        return
    if verdict == "translating" and offer.option_kinds and set(offer.option_kinds) <= set(found):
        return
    if verdict in ("translating", "wrong_kind") and found and not case.wanted:
        # Nobody said what the load balancer sends: what the module reads is then what it is for.
        offer.option_kinds = found
        return
    if verdict in ("translating", "wrong_kind"):
        offer.block("wrong_kind", found=listed(found) or "nothing", wanted=listed(offer.option_kinds))
    elif verdict == "inert":
        offer.block("module_inert", module=offer.module or "of eBPF", why=why)
    elif verdict in ("partial", "absent"):
        offer.block(str(verdict), why=why)
    else:
        offer.block("unprovable", why=why)


def check_conflicts(case: Case, offer: Offer) -> None:
    """What else on the host changes addresses, or would."""
    accepted = "conflicts" in case.policy["accept"]
    foreign = case.facts["ebpf"]["foreign"]
    if foreign:
        detail = listed(sorted({f"{item['name'] or item['id']} ({item['hook']})" for item in foreign}))
        offer.block("conflict_ebpf_getpeername", accepted, detail=detail)
    others = sorted(name for name, module in case.modules.items() if module["loaded"] and name != offer.module)
    if others:
        offer.block("conflict_toa_module", accepted, detail=listed(others))
    # Ours, beside another backend: both would translate.
    if not offer.programs and case.facts["ebpf"]["attached"]:
        offer.block("conflict_ebpf_toa", accepted)
    for item in case.facts["conflicts"]:
        if item["code"] == "cilium_present":
            offer.tell("cilium_present", path=item["detail"])
        elif item["code"] not in SEEN_BY_ITSELF:
            offer.block("conflict_other", accepted, detail=item["detail"] or item["code"])


def add_proof_step(case: Case, offer: Offer) -> None:
    if offer.steps and not case.is_image:
        offer.steps.append(proof_step(offer))


def proof_step(offer: Offer) -> str:
    return f"prove that clients named in {listed(offer.option_kinds) or 'an option'} show up"


def completed(case: Case, offer: Offer, filters_sources: bool) -> Offer:
    """Checks common to all applicable backends: whose options count, what has drifted, whether the host is watched."""
    if offer.rejected:
        return offer
    _settle_trust(case, offer, filters_sources)
    if "inet6" not in case.policy["listeners"]:
        offer.tell("ipv4_listeners_only")
    for item in case.facts.get("ahead") or []:
        offer.tell("next_kernel_without_toa", release=item["release"], detail=item["detail"])
    for item in case.facts["drift"]:
        if item["code"] == "next_kernel_without_toa":
            continue  # it is told, of hosts without a proof too
        offer.tell("drifted", detail=item["detail"], since=f" (since {item['since']})" if item["since"] else "")
        if item["code"] == "hold_gone" and offer.entry:
            offer.steps.append(f"hold {offer.entry.release} against updates again")
    if _was_interrupted(case, offer.boot_record):
        offer.steps.append("undo what an earlier run had begun and did not end, and do it again")
    if case.policy["monitor"] and (not case.facts["state"].get("monitor") or _was_interrupted(case, "monitor")):
        offer.steps.append("leave the monitor, which writes metrics")
        if case.facts["security"]["fapolicyd"]:
            offer.tell("fapolicyd_monitor")
    return offer


def _was_interrupted(case: Case, section: str) -> bool:
    """Does the host's record say that a change of these files is under way? Nobody has seen then that they work."""
    record = case.facts["state"].get(section)
    return isinstance(record, dict) and bool(record.get("begun"))


def wants_option_filter(case: Case, filters_sources: bool) -> bool:
    """Shall rules of the firewall take the option from strangers?

    A module trusts all sources. The eBPF programs do not, but a host that forwards to others passes a stranger's option on to them, and the other
    host sees only the address of this one.
    """
    if not case.trusted or case.policy["option_filter"] == "none":
        return False
    firewall = case.facts["firewall"]
    # Without rules of any kind nothing hides a stranger's own address from the other host.
    return (
        not filters_sources
        or bool(firewall["option_filter"])
        or (firewall["forwards"] and firewall["backend"] != "none")
    )


def trusts_all_sources(case: Case, filters_sources: bool) -> bool:
    """Does the host take a client's address from whoever sends it, once the plan is carried out?"""
    return case.trusted == [] or (not filters_sources and case.policy["option_filter"] == "none")


def _settle_trust(case: Case, offer: Offer, filters_sources: bool) -> None:
    """The operator's choice, and the option filter that follows from it."""
    if case.trusted is None:
        return  # the decision blocks whichever backend it takes
    if trusts_all_sources(case, filters_sources):
        why = "toa_option_filter is none" if case.trusted else "toa_trusted_sources is all"
        offer.tell("all_sources_trusted", why=why)
    option_filter = case.facts["firewall"]["option_filter"]
    if wants_option_filter(case, filters_sources):
        _settle_option_filter(case, offer)
        unseen = case.facts["firewall"]["filter_partial"]
        # Programs of eBPF see every connection of every namespace by themselves.
        if unseen and not filters_sources:
            more = f" and {len(unseen) - 3} more" if len(unseen) > 3 else ""
            offer.tell("filter_partial", what=f"{', '.join(unseen[:3])}{more}")
    elif option_filter:
        _before_proof(offer, "trust all sources: take away the rules that strip the option from strangers")


def _settle_option_filter(case: Case, offer: Offer) -> None:
    """Rules as they are wanted, loaded now and at every boot."""
    option_filter, policy, networks = case.facts["firewall"]["option_filter"], case.policy, case.trusted or []
    kinds = formats.stripped_kinds(offer.option_kinds)
    same = (
        option_filter
        and option_filter["active"]
        and option_filter["at_boot"]
        and sorted(option_filter["trusted_sources"]) == sorted(networks)
        and option_filter["ports"] == policy["ports"]
        and set(kinds) <= set(option_filter["kinds"])
    )
    if same:
        return
    if case.facts["firewall"]["backend"] == "none":
        # Known now, before a reboot that would end in going back.
        offer.block("option_filter_unusable")
    named = listed(networks) if len(networks) < 5 else f"{len(networks)} networks"
    _before_proof(offer, f"strip the option from packets of everybody but {named}")


def _before_proof(offer: Offer, step: str) -> None:
    if proof_step(offer) not in offer.steps:
        offer.steps.append(proof_step(offer))
    offer.steps.insert(offer.steps.index(proof_step(offer)), step)


def tag(parsed: Mapping[str, Any]) -> str:
    return f"the tag {parsed['tag']}" if parsed["tag"] else "no tag"


def manager(case: Case) -> str:
    found = case.os["package_manager"]
    return "no package manager we know" if found == "none" else PACKAGE_TOOLS[found]
