# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator allows and wants: the variables of the collection, their defaults, and a check of what was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils import option_formats as formats
from ansible_collections.realip.toa.plugins.plugin_utils import trusted_networks as sources
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import trees as source_trees

BACKENDS = ("vtoa", "in_tree", "ebpf", "kernel_package", "source_module", "source_kernel")

# The variables of the collection without `toa_`, with their defaults.
POLICY: dict[str, Any] = {
    "vendor": "",
    "backends": list(BACKENDS),
    "option_kinds": [],
    "package_mirror": "",
    "install_headers": False,
    "source_url": "",
    "source_sha256": "",
    "source_commit": "",
    "source_tree": "",
    "build_once": False,
    "install_build_tools": True,
    "signing_key": "",
    "trusted_sources": [],
    "option_filter": True,
    "option_filter_ports": [],
    "monitor": False,
    "push_packages": False,
    "ebpf_getsockopt": True,
    "install_bpftool": True,
    "accept_kernel_downgrade": False,
    "accept_unverified_packages": False,
    "accept_no_fallback": False,
    "accept_conflicts": False,
}


class PolicyError(ValueError):
    """A policy that makes no sense, whatever the host; the text names the variable and what was expected."""


def policy_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """A policy with every key, checked; raises PolicyError."""
    strange = sorted(set(given) - set(POLICY))
    if strange:
        raise PolicyError(f"unknown policy {', '.join(strange)}; expected some of {', '.join(POLICY)}")
    policy = {key: default if given.get(key) is None else given[key] for key, default in POLICY.items()}
    unknown = [name for name in policy["backends"] if name not in BACKENDS]
    if unknown or not policy["backends"] or isinstance(policy["backends"], str):
        raise PolicyError(f"toa_backends is a list of some of {', '.join(BACKENDS)}; got {policy['backends']!r:.120}")
    for key, default in POLICY.items():
        if isinstance(default, bool) and not isinstance(policy[key], bool):
            raise PolicyError(f"toa_{key} is true or false; got {policy[key]!r:.80}")
    try:
        policy["option_kinds"] = formats.normalise(policy["option_kinds"])
        formats.wanted(policy["vendor"], policy["option_kinds"])
        policy["trusted_sources"] = sources.normalise(policy["trusted_sources"])
        source_trees.find(policy["source_tree"])
        policy["option_filter_ports"] = _ports(policy["option_filter_ports"])
    except ValueError as problem:
        raise PolicyError(str(problem)) from problem
    return policy


def _ports(given: Any) -> list[int]:
    """TCP ports, in order; ValueError for anything else."""
    if isinstance(given, (str, Mapping)) or not all(str(port).isdigit() and 0 < int(port) < 65536 for port in given):
        raise ValueError(f"toa_option_filter_ports is a list of TCP ports as in [80, 443]; got {given!r:.80}")
    return sorted({int(port) for port in given})
