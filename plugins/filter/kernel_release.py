# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter realip.toa.kernel_release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.realip.toa.plugins.plugin_utils.facts.kernel_release import parse_strict

DOCUMENTATION = r"""
name: kernel_release
short_description: Take a kernel release apart
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Reads a release as C(uname -r) prints it, of any rpm or dpkg distribution and of vendors' own kernels.
  - Leading zeros do not count (C(007) is 7), and a release needs neither a build nor an architecture nor the tag of a distribution.
positional: _input
options:
  _input:
    description: The release.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Which distribution was this kernel built for?
  ansible.builtin.debug:
    msg: "{{ ('5.10.134-007.ali5000.al8.x86_64' | realip.toa.kernel_release).tag }}"
  # => al8
"""

RETURN = r"""
_value:
  description: The parts. What is not there is an empty list or text.
  type: dict
  contains:
    release:
      description: The text itself.
      type: str
    upstream:
      description: Version of the kernel's makers.
      type: list
      elements: int
      sample: [5, 10, 134]
    build:
      description: The numbers that lead what the distribution added.
      type: list
      elements: int
      sample: [16, 3]
    tag:
      description: Tag of the distribution.
      type: str
      sample: al8
    dist_minor:
      description: Numbers that belong to the tag, as in C(el8_6).
      type: list
      elements: int
      sample: [6]
    flavour:
      description: Words after the tag, or after the build where there is no tag.
      type: str
      sample: generic
    arch:
      description: Architecture under the name that C(uname -m) gives it.
      type: str
      sample: x86_64
    extra:
      description: Words between build and tag.
      type: str
      sample: ali5000
    debug:
      description: Whether it is a debug build.
      type: bool
"""


def kernel_release(release: object) -> dict[str, Any]:
    """A release in parts; an error with one sentence for what is none."""
    try:
        return parse_strict(release)
    except ValueError as problem:
        raise AnsibleFilterError(f"realip.toa.kernel_release: {problem}") from None


class FilterModule:
    """One filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"kernel_release": kernel_release}
