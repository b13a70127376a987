# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_ebpf: attach, detach and look at the eBPF backend."""

from __future__ import annotations

import typing as t

from ansible_collections.realip.toa.plugins.module_utils.common.option_formats import PACKETS, PLACES
from ansible_collections.realip.toa.plugins.plugin_utils import ebpf_object, option_formats
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables


class ActionModule(ToaAction):
    """Sends plugins/module_utils/programs/ebpf.py."""

    ENTRY = "programs.ebpf"
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state": {"type": "str", "choices": ["attached", "detached", "status"], "default": "attached"},
        "option_kinds": {"type": "list", "elements": "str"},
        "vendor": {"type": "str", "choices": list(option_formats.VENDOR_CHOICES)},
        "option_packets": {"type": "list", "elements": "str", "choices": list(PACKETS)},
        "option_place": {"type": "str", "choices": list(PLACES)},
        "ports": {"type": "list", "elements": "int"},
        "trusted_sources": {"type": "raw"},
        "getsockopt": {"type": "bool", "default": True},
        "getsockopt_nat64": {"type": "bool", "default": False},
        "cgroup": {"type": "path"},
        "accept_conflicts": {"type": "bool", "default": False},
        "install_bpftool": {"type": "bool", "default": False},
    }
    VARIABLES: t.ClassVar[dict[str, str]] = {
        "option_kinds": "toa_option_kinds",
        "vendor": "toa_vendor",
        "option_packets": "toa_option_packets",
        "option_place": "toa_option_place",
        "ports": "toa_ports",
        "trusted_sources": "toa_trusted_sources",
    }
    TIMEOUT = 900

    def prepare(self, args: Result, task_vars: Variables) -> Result:
        vendor, listed = args.pop("vendor") or "", args["option_kinds"] or []
        packets, place = args.pop("option_packets"), args.pop("option_place")
        try:
            args["packets"], args["place"] = option_formats.profile(vendor, packets, place)
            args["option_kinds"] = option_formats.wanted(vendor, listed) or list(option_formats.COMMON)
            args["trusted_sources"] = self.trusted_sources(args["trusted_sources"], task_vars)
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
