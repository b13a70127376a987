# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planner wants to know of a host, in one round trip: the facts, and the proof where something claims to be active."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.common.kernels import HELPER_MODULES
from ansible_collections.realip.toa.plugins.module_utils.common.trusted_sources import list_in_force
from ansible_collections.realip.toa.plugins.module_utils.option_filter.networks import addresses_for
from ansible_collections.realip.toa.plugins.module_utils.programs.facts import main as inspect
from ansible_collections.realip.toa.plugins.module_utils.programs.probe import main as prove


def main(args):
    """{"facts": raw answer of inspect_host, "probe": dict or None}. `args["probe"]` (bool) allows the proof, `args["probe_args"]` are its own.

    Where these name no `peers`, the proof comes from the networks that this host trusts already.
    """
    facts = inspect(args)
    claims = claims_of(facts)
    probe = None
    if args.get("probe") and any(claims.values()):
        # Loaded modules are claims that the probe finds by itself.
        options = dict(args.get("probe_args") or {}, claims=claims["others"], check=args.get("check"))
        if options.get("peers") is None:
            options.update(addresses_for(list_in_force(facts)))
        probe = prove(options)["probe"]
    return {"changed": False, "facts": facts, "probe": probe}


def claims_of(facts):
    """What on this host says that it translates: {"modules": [names], "others": [sentences]}."""
    others = []
    if facts["ebpf"]["attached"]:
        others.append("the eBPF programs are attached")
    if (facts["service"] or {}).get("active"):
        others.append("service %s is active" % facts["service"]["name"])
    return {
        "modules": [
            module["name"] for module in facts["modules"] if module["loaded"] and module["name"] not in HELPER_MODULES
        ],
        "others": others,
    }
