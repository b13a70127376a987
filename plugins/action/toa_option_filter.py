# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_option_filter: strip address options from packets of strangers, and take that back."""

from __future__ import annotations

import typing as t

from ansible_collections.realip.toa.plugins.plugin_utils import option_formats
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables


class ActionModule(ToaAction):
    """Sends plugins/module_utils/programs/option_filter.py."""

    ENTRY = "programs.option_filter"
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state": {"type": "str", "choices": ["present", "absent", "status"], "default": "present"},
        "trusted_sources": {"type": "raw"},
        "option_kinds": {"type": "list", "elements": "str"},
        "vendor": {"type": "str", "choices": list(option_formats.VENDOR_CHOICES)},
        "ports": {"type": "list", "elements": "int"},
        "method": {"type": "str", "choices": ["auto", "nft", "iptables"]},
    }
    VARIABLES: t.ClassVar[dict[str, str]] = {
        "trusted_sources": "toa_trusted_sources",
        "option_kinds": "toa_option_kinds",
        "vendor": "toa_vendor",
        "ports": "toa_ports",
    }
    TIMEOUT = 180

    def prepare(self, args: Result, task_vars: Variables) -> Result:
        try:
            kinds = option_formats.stripped_kinds(
                option_formats.wanted(args["vendor"] or "", args["option_kinds"] or [])
            )
            trusted = self.trusted_sources(args["trusted_sources"], task_vars)
        except ValueError as problem:
            raise ToaError("bad_option", str(problem), "see `ansible-doc realip.toa.toa_option_filter`") from None
        return {
            "state": args["state"],
            "check": args["check"],
            "kinds": kinds,
            "trusted_sources": trusted,
            "ports": args["ports"] or [],
            "method": args["method"] or "auto",
        }
