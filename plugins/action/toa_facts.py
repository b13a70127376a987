# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_facts: a read-only look at a host."""

from __future__ import annotations

import typing as t

from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import facts_of


class ActionModule(ToaAction):
    """Sends plugins/module_utils/programs/facts.py."""

    ENTRY = "programs.facts"
    SPEC: t.ClassVar[dict[str, t.Any]] = {}

    def finish(self, result: Result, task_vars: Variables) -> Result:
        return {"changed": False, "ansible_facts": {"toa": facts_of(result)}}
