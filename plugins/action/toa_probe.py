# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_probe: the proof, with what the inventory says about vendors and trusted load balancers filled in."""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Sequence

from ansible_collections.realip.toa.plugins.plugin_utils import formats
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables

# The addresses that the target code crafts its packets from where nobody names others; see probe_cases.PEERS.
DEFAULT_PEERS = ("192.0.2.2", "2001:db8:0:1::2")

GROUPS = ("ipv6", "mptcp", "defer_accept", "syn_cookies", "fastopen", "spoof")


class ActionModule(ToaAction):
    """Sends plugins/module_utils/probe.py."""

    ENTRY = "probe"
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "option_kinds": {"type": "list", "elements": "str"},
        "vendor": {"type": "str", "choices": list(formats.VENDOR_CHOICES)},
        "also_kinds": {"type": "list", "elements": "str"},
        "cases": {"type": "str", "choices": ["default", "full"], "default": "default"},
        "groups": {"type": "list", "elements": "str", "choices": list(GROUPS), "default": []},
        "claims": {"type": "list", "elements": "str", "default": []},
        "peers": {"type": "list", "elements": "str"},
        "untrusted_peers": {"type": "list", "elements": "str"},
        "rows": {"type": "str", "choices": ["all", "failed", "none"], "default": "all"},
        "timeout": {"type": "int", "default": 10},
        "require": {"type": "bool", "default": False},
    }

    def prepare(self, args: Result, task_vars: Variables) -> Result:
        vendor = args.pop("vendor") or self._variable("toa_vendor", task_vars) or ""
        listed = args["option_kinds"] if args["option_kinds"] is not None else self._variable("toa_option_kinds", task_vars)
        trusted = self._variable("toa_trusted_sources", task_vars)
        try:
            args["option_kinds"] = formats.wanted(vendor, listed or [])
            args["also_kinds"] = formats.normalise(args["also_kinds"] or [])
            args["peers"] = args["peers"] or trusted_peers(trusted or [])
        except ValueError as problem:
            raise ToaError("bad_option", str(problem), "see `ansible-doc realip.toa.toa_probe`") from None
        args.pop("require")
        return args

    def finish(self, result: Result, task_vars: Variables) -> Result:
        probe = result.get("probe")
        verdict = probe.get("verdict") if isinstance(probe, dict) else None
        if self.options()["require"] and verdict != "translating":
            reason = probe.get("reason") if isinstance(probe, dict) else "the host gave no proof"
            result.update(failed=True, code="not_translating", msg=f"{verdict}: {reason}", remedy="look at `probe.matrix` for what was seen")
        return result

    def _variable(self, name: str, task_vars: Variables) -> t.Any:
        """A variable of the inventory with its templates resolved, None where it is not set."""
        value = task_vars.get(name)
        return None if value is None else self._templar.template(value)


def trusted_peers(networks: Sequence[str]) -> list[str]:
    """For each family, an address inside the trusted networks: the usual one where it is among them, else the first of a network.

    Raises ValueError for what is not a network.
    """
    if isinstance(networks, str):
        raise ValueError(f"toa_trusted_sources is a list of networks as in ['10.0.0.0/8']; got {networks!r:.80}")
    parsed = [ipaddress.ip_network(text, strict=False) for text in networks]
    peers = []
    for default in map(ipaddress.ip_address, DEFAULT_PEERS):
        mine = [network for network in parsed if network.version == default.version]
        usable = [network for network in mine if not (network.is_loopback or network.is_multicast or network.is_unspecified)]
        if usable and not any(default in network for network in usable):
            peers.append(str(next(usable[0].hosts())))
    return peers
