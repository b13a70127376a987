# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_monitor: leave a small program on a host that writes metrics, and take it away."""

from __future__ import annotations

import base64
import functools
import typing as t
import zlib

from ansible_collections.realip.toa.plugins.module_utils.common.probe_groups import LISTENERS
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats, probe_addresses
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.registry import BACKENDS, REGISTRY

# The target module that the program is made of.
PROGRAM = "programs.metrics"
# What `*/N` of cron can say.
LONGEST = 59


@functools.cache
def packed() -> str:
    """The program as toa_monitor sends it."""
    return base64.b64encode(zlib.compress(bundle.alone(PROGRAM), 9)).decode("ascii")


class ActionModule(ToaAction):
    """Sends plugins/module_utils/programs/monitor.py."""

    ENTRY = "programs.monitor"
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state": {"type": "str", "choices": ["present", "absent", "status", "recorded"], "default": "present"},
        "backend": {"type": "str", "choices": list(BACKENDS)},
        "textfile_dir": {"type": "path"},
        "interval": {"type": "int"},
        "probe": {"type": "bool", "default": True},
        "option_kinds": {"type": "list", "elements": "str"},
        "vendor": {"type": "str", "choices": list(option_formats.VENDOR_CHOICES)},
        "listeners": {"type": "list", "elements": "str", "choices": list(LISTENERS)},
    }
    RULES: t.ClassVar[dict[str, t.Any]] = {"required_if": [("state", "recorded", ("backend",))]}
    VARIABLES: t.ClassVar[dict[str, str]] = {
        "textfile_dir": "toa_monitor_textfile_dir",
        "interval": "toa_monitor_interval",
        "option_kinds": "toa_option_kinds",
        "vendor": "toa_vendor",
        "listeners": "toa_listeners",
    }
    TIMEOUT = 300

    def prepare(self, args: Result, task_vars: Variables) -> Result:
        try:
            kinds = option_formats.wanted(args["vendor"] or "", args["option_kinds"] or [])
            probe_args = {
                "option_kinds": kinds,
                # The proof on the host follows the networks that the host trusts at that time.
                **probe_addresses.for_proof(None),
                "rows": "none",
                "listeners": args["listeners"],
            }
        except ValueError as problem:
            raise ToaError("bad_option", str(problem), "see `ansible-doc realip.toa.toa_monitor`") from None
        minutes = 5 if args["interval"] is None else args["interval"]
        if not 1 <= minutes <= LONGEST:
            raise ToaError(
                "bad_option", f"interval {minutes}: expected minutes from 1 to {LONGEST}", "leave it out for 5 minutes"
            )
        return {
            "state": args["state"],
            "proved": _proved(args["backend"]),
            "check": args["check"],
            "textfile_dir": args["textfile_dir"] or "",
            "minutes": minutes,
            "probe": args["probe"],
            "probe_args": probe_args,
            "program": packed() if args["state"] == "present" else "",
        }


def _proved(name: str | None) -> Result:
    """What the host is to know of a backend, so that it can tell later what has gone."""
    backend = REGISTRY.get(name or "")
    if backend is None:
        return {}
    return {"backend": name, "brings_kernel": backend.brings_kernel, "runs_programs": backend.runs_programs}
