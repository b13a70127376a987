# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator allows and wants: the variables of the collection, their defaults, and a check of what was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.module_utils.common.probe_groups import LISTENERS
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats as formats
from ansible_collections.realip.toa.plugins.plugin_utils import trusted_networks as sources
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.registry import BACKENDS, REGISTRY

# What may come from a distribution's repositories, or of a TOA kernel beside its image.
INSTALLED = ("bpftool", "build_tools", "headers")
# How the option is taken from strangers.
OPTION_FILTERS = ("auto", "nft", "iptables", "none")
# What is not done without the operator's consent, which is a list of these words.
CONSENTS = ("conflicts", "kernel_downgrade", "no_fallback", "unverified_packages")

# The variables of the collection without `toa_`, with their defaults: what concerns every backend, and what each one has of its own.
POLICY: dict[str, Any] = {
    "vendor": "",
    "backends": list(BACKENDS),
    "option_kinds": [],
    # None: the operator has not chosen; []: all sources are trusted.
    "trusted_sources": None,
    "option_packets": [],
    "option_place": "",
    "listeners": list(LISTENERS),
    "option_filter": "auto",
    "ports": [],
    "monitor": False,
    "accept": [],
    "install": ["bpftool", "build_tools"],
}
for _backend in REGISTRY.values():
    POLICY.update(_backend.policy)


class PolicyError(ValueError):
    """A policy that makes no sense, whatever the host; the text names the variable and what was expected."""


def policy_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """A policy with every key, checked; raises PolicyError."""
    strange = sorted(set(given) - set(POLICY))
    if strange:
        raise PolicyError(f"unknown policy {', '.join(strange)}; expected some of {', '.join(POLICY)}")
    policy = {key: _given(given.get(key), default) for key, default in POLICY.items()}
    unknown = [name for name in policy["backends"] if name not in BACKENDS]
    if unknown or not policy["backends"] or isinstance(policy["backends"], str):
        raise PolicyError(f"toa_backends is a list of some of {', '.join(BACKENDS)}; got {policy['backends']!r:.120}")
    for key, words in (("accept", CONSENTS), ("install", INSTALLED)):
        if not isinstance(policy[key], list) or set(policy[key]) - set(words):
            raise PolicyError(f"toa_{key} is a list with some of {', '.join(words)}; got {policy[key]!r:.120}")
    if (
        not isinstance(policy["listeners"], list)
        or not set(policy["listeners"]) & {"inet"}
        or set(policy["listeners"]) - set(LISTENERS)
    ):
        raise PolicyError(f"toa_listeners is [inet], or [inet, inet6] for all; got {policy['listeners']!r:.80}")
    if policy["option_filter"] not in OPTION_FILTERS:
        raise PolicyError(
            f"toa_option_filter is one of {', '.join(OPTION_FILTERS)}; got {policy['option_filter']!r:.80}"
        )
    for key, default in POLICY.items():
        if isinstance(default, bool) and not isinstance(policy[key], bool):
            raise PolicyError(f"toa_{key} is true or false; got {policy[key]!r:.80}")
    try:
        policy["option_kinds"] = formats.normalise(policy["option_kinds"])
        formats.wanted(policy["vendor"], policy["option_kinds"])
        formats.profile(policy["vendor"], policy["option_packets"], policy["option_place"])
        policy["trusted_sources"] = sources.choice(policy["trusted_sources"])
        for backend in REGISTRY.values():
            backend.check(policy)
        policy["ports"] = _ports(policy["ports"])
    except ValueError as problem:
        raise PolicyError(str(problem)) from problem
    return policy


def _given(value: Any, default: Any) -> Any:
    """What was given, or the default; of a mapping, each key for itself."""
    if value is None:
        return default
    return {**default, **value} if isinstance(default, Mapping) and isinstance(value, Mapping) else value


def _ports(given: Any) -> list[int]:
    """TCP ports, in order; ValueError for anything else."""
    if isinstance(given, (str, Mapping)) or not all(str(port).isdigit() and 0 < int(port) < 65536 for port in given):
        raise ValueError(f"toa_ports is a list of TCP ports as in [80, 443]; got {given!r:.80}")
    return sorted({int(port) for port in given})
