# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_ebpf: attach, detach and look at the eBPF backend."""

from __future__ import annotations

import typing as t

from ansible_collections.realip.toa.plugins.plugin_utils import ebpf_object, option_formats, trusted_networks
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables


class ActionModule(ToaAction):
    """Sends plugins/module_utils/programs/ebpf.py."""

    ENTRY = "programs.ebpf"
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state": {"type": "str", "choices": ["attached", "detached", "status"], "default": "attached"},
        "option_kinds": {"type": "list", "elements": "str"},
        "vendor": {"type": "str", "choices": list(option_formats.VENDOR_CHOICES)},
        "trusted_sources": {"type": "list", "elements": "str"},
        "getsockopt": {"type": "bool", "default": True},
        "cgroup": {"type": "path"},
        "accept_conflicts": {"type": "bool", "default": False},
        "install_bpftool": {"type": "bool", "default": False},
    }
    TIMEOUT = 900

    def prepare(self, args: Result, task_vars: Variables) -> Result:
        vendor = args.pop("vendor") or self.variable("toa_vendor", task_vars) or ""
        listed = (
            args["option_kinds"] if args["option_kinds"] is not None else self.variable("toa_option_kinds", task_vars)
        )
        trusted = (
            args["trusted_sources"]
            if args["trusted_sources"] is not None
            else self.variable("toa_trusted_sources", task_vars)
        )
        try:
            args["option_kinds"] = option_formats.wanted(vendor, listed or []) or list(option_formats.COMMON)
            args["trusted_sources"] = trusted_networks.normalise(trusted or [])
        except ValueError as problem:
            raise ToaError("bad_option", str(problem), "see `ansible-doc realip.toa.toa_ebpf`") from None
        unknown = option_formats.unknown(args["option_kinds"])
        if unknown:
            raise ToaError(
                "unknown_format",
                f"nobody knows what an option {', '.join(unknown)} carries",
                "correct option_kinds, as in ['200/8']",
            )
        return {**args, "object": ebpf_object.PACKED if args["state"] == "attached" else ""}
