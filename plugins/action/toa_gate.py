# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_gate: what stands before and behind a part of a wave, on the controller. Asks no host."""

from __future__ import annotations

import typing as t

from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import records, waves
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.host_variables import HostVariables


class ActionModule(ToaAction):
    """Runs on the controller alone, once for the hosts of a part."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "step": {"type": "str", "choices": ["begin", "end", "soaked", "bad"], "default": "end"},
        "named": {"type": "raw"},
        "trouble": {"type": "str", "default": ""},
    }
    _requires_connection = False

    def act(self, args: Result, task_vars: Variables) -> Result:
        reader = HostVariables(task_vars["hostvars"])
        here = str(task_vars["inventory_hostname"])
        if args["step"] == "bad":
            return {"changed": False, "why": waves.gone_bad(task_vars["groups"], reader).get(here, "")}
        order = records.order_of(task_vars)
        slot = (order.get("slots") or {}).get(here)
        if not slot:
            raise ToaError(
                "no_turn", f"{here} has no turn in a run", "this module belongs to the playbooks of realip.toa"
            )
        earlier = waves.earlier_gate(order, slot, reader)
        if args["step"] == "begin":
            return {"changed": False, "held": waves.held(order, slot, earlier)}
        outcomes = {host: records.of(reader.raw(host))["outcome"] for host in waves.part_of(order, slot)}
        batch = [str(host) for host in task_vars.get("ansible_play_batch") or [here]]
        bad = self._bad(args, batch, reader, order) if args["step"] == "soaked" else {}
        found = waves.gate(order, slot, outcomes, earlier, bad, args["trouble"])
        return {"changed": False, **found, "shares": waves.shares(found["well"], batch) if found["last"] else {}}

    def _bad(self, args: Result, batch: list[str], reader: HostVariables, order: dict[str, t.Any]) -> dict[str, str]:
        looks = [
            look
            for host in batch
            for look in (reader.raw(host).get("waves_looks") or {}).get("results") or []
            if isinstance(look, t.Mapping)
        ]
        named = args["named"]
        if named is not None and not isinstance(named, (list, tuple, t.Mapping)):
            raise ToaError(
                "bad_option", f"toa_wave_bad is {named!r:.80}; expected a list of hosts", "correct your toa_wave_tasks"
            )
        return {host: why for host, why in waves.bad_hosts(looks, named).items() if host in order["slots"]}
