# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test realip.toa.kernel_at_least."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.realip.toa.plugins.plugin_utils.facts import kernel_release

DOCUMENTATION = r"""
name: kernel_at_least
short_description: Is this kernel that release or a newer one?
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Compares the upstream version, then the build, number by number.
  - A wanted release that carries the tag of a distribution, as C(5.10.134-15.al8) does, is only reached by kernels with that tag.
    Without one, the numbers alone count, whoever built the kernel.
positional: _input, wanted
options:
  _input:
    description: A release as C(uname -r) prints it, or C(ansible_facts.toa.kernel), or what P(realip.toa.kernel_release#filter) made.
    type: raw
    required: true
  wanted:
    description: The release to reach.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: getsockopt 1348 is there from this kernel on
  ansible.builtin.debug:
    msg: vtoa has it
  when: ansible_facts.toa.kernel is realip.toa.kernel_at_least('5.10.134-17.al8')
"""

RETURN = r"""
_value:
  description: Whether the kernel is at least the wanted one.
  type: bool
"""


def kernel_at_least(running: Any, wanted: Any) -> bool:
    """True where the first kernel is the second or newer; an error with one sentence for what is no kernel."""
    try:
        return kernel_release.at_least(running, wanted)
    except ValueError as problem:
        raise AnsibleFilterError(f"realip.toa.kernel_at_least: {problem}") from None


class TestModule:
    """One test."""

    def tests(self) -> dict[str, Callable[..., bool]]:
        return {"kernel_at_least": kernel_at_least}
