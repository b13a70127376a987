# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter realip.toa.toa_select."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import selection

DOCUMENTATION = r"""
name: toa_select
short_description: Choose hosts with a JMESPath expression over their facts and plan
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Keeps the hosts for which the expression is true, that is, neither false nor null nor empty.
  - Needs the Python library C(jmespath) on the controller.
positional: _input, expression
options:
  _input:
    description: A mapping of host names to mappings with C(facts) and C(plan), or a list of such mappings.
    type: raw
    required: true
  expression:
    description: The JMESPath expression. Text in it stands between single quotes, numbers between backticks.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Hosts that would go back to an older kernel
  ansible.builtin.debug:
    msg: "{{ fleet | realip.toa.toa_select(\"plan.reasons[?code == 'downgrade_needs_consent']\") }}"

- name: CentOS 7 that needs a reboot
  ansible.builtin.debug:
    msg: "{{ fleet | realip.toa.toa_select(\"facts.os.id == 'centos' && facts.os.major == `7` && plan.reboot\") }}"
"""

RETURN = r"""
_value:
  description: Names of the hosts for a mapping, the mappings themselves for a list; in order.
  type: list
"""


def toa_select(hosts: Any, expression: Any) -> list[Any]:
    """The hosts for which the expression is true."""
    try:
        return selection.matching(hosts, expression)
    except selection.SelectionError as problem:
        raise AnsibleFilterError(f"realip.toa.toa_select: {problem}") from None


class FilterModule:
    """One filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"toa_select": toa_select}
