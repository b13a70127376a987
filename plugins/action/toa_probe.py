# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_probe: the proof, with what the inventory says about vendors and trusted load balancers filled in."""

from __future__ import annotations

import typing as t

from ansible_collections.realip.toa.plugins.module_utils.common.probe_groups import GROUPS, LISTENERS
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats, probe_addresses
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import probe_of

# Ways to the client's address that a plan may promise. IPv6 is a question of formats, and the verdict answers it.
WAYS = {"getpeername": "getpeername()", "getsockopt_1348": "getsockopt(IPPROTO_IP, 1348)"}

# Seconds; the call itself is cut off after 600.
LONGEST = 300


class ActionModule(ToaAction):
    """Sends plugins/module_utils/programs/probe.py."""

    ENTRY = "programs.probe"
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "option_kinds": {"type": "list", "elements": "str"},
        "vendor": {"type": "str", "choices": list(option_formats.VENDOR_CHOICES)},
        "also_kinds": {"type": "list", "elements": "str"},
        "cases": {"type": "str", "choices": ["default", "full"], "default": "default"},
        "groups": {"type": "list", "elements": "str", "choices": list(GROUPS), "default": []},
        "listeners": {"type": "list", "elements": "str", "choices": list(LISTENERS)},
        "claims": {"type": "list", "elements": "str", "default": []},
        "peers": {"type": "list", "elements": "str"},
        "untrusted_peers": {"type": "list", "elements": "str"},
        "trusted_sources": {"type": "raw"},
        "option_filter": {"type": "bool", "default": False},
        "rows": {"type": "str", "choices": ["all", "failed", "none"], "default": "all"},
        "timeout": {"type": "int", "default": 10},
        "require": {"type": "bool", "default": False},
        "capabilities": {"type": "dict", "default": {}},
    }

    VARIABLES: t.ClassVar[dict[str, str]] = {
        "option_kinds": "toa_option_kinds",
        "vendor": "toa_vendor",
        "listeners": "toa_listeners",
    }

    def prepare(self, args: Result, task_vars: Variables) -> Result:
        if not 1 <= args["timeout"] <= LONGEST:
            raise ToaError(
                "bad_option",
                f"timeout {args['timeout']}: expected seconds from 1 to {LONGEST}",
                "leave it out for 10 seconds",
            )
        vendor, listed = args.pop("vendor") or "", args["option_kinds"] or []
        try:
            trusted = self.trusted_sources(args.pop("trusted_sources"), task_vars)
            args["option_kinds"] = option_formats.wanted(vendor, listed)
            args["also_kinds"] = option_formats.normalise(args["also_kinds"] or [])
            args.update({**probe_addresses.for_proof(trusted), **({"peers": args["peers"]} if args["peers"] else {})})
            strangers = probe_addresses.strangers(trusted or [])
        except ValueError as problem:
            raise ToaError("bad_option", str(problem), "see `ansible-doc realip.toa.toa_probe`") from None
        if not args["untrusted_peers"] and trusted is not None:
            args["untrusted_peers"] = strangers
            if len(strangers) < 2:  # of one family everybody is trusted, so that there is nobody to ask
                args["groups"] = [group for group in args["groups"] if group != "spoof"]
        args.pop("require")
        args.pop("capabilities")
        return args

    def finish(self, result: Result, task_vars: Variables) -> Result:
        probe = probe_of(result.get("probe")) or {}
        options = self.options(task_vars)
        if not options["require"]:
            return {**result, "probe": probe}
        if probe.get("verdict") != "translating":
            raise ToaError(
                "not_translating",
                f"{probe.get('verdict') or 'no verdict'}: {probe.get('reason') or 'the host gave no proof'}",
                "look at probe.matrix for what was sent and seen",
                probe=probe,
            )
        missing = [name for name in WAYS if options["capabilities"].get(name) and not probe["capabilities"].get(name)]
        if missing:
            raise ToaError(
                "capability_missing",
                f"the client's address does not come from {WAYS[missing[0]]}, which was promised for this kernel",
                "look at probe.matrix for what was seen, and at the version of what translates",
                probe=probe,
            )
        return {**result, "probe": probe}
