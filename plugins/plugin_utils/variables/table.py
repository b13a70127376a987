# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every variable of the collection with its argument spec, as the roles have it. One that is misspelt would be ignored in silence, on every host of a fleet."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.realip.toa.plugins.module_utils.common.option_formats import PACKETS, PLACES
from ansible_collections.realip.toa.plugins.module_utils.common.probe_groups import LISTENERS
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats, typed
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.registry import BACKENDS
from ansible_collections.realip.toa.plugins.plugin_utils.planner.policy import (
    CONSENTS,
    INSTALLED,
    OPTION_FILTERS,
    POLICY,
)

ROLES = Path(__file__).parents[3] / "roles"

# What playbooks and actions read without a role.
ELSEWHERE: dict[str, dict[str, Any]] = {
    "toa_catalog": {"type": "list", "elements": "dict"},
    "toa_confirm_timeout": {"type": "int"},
    "toa_detect_redact": {"type": "bool"},
    "toa_detect_seconds": {"type": "int"},
    "toa_hosts": {"type": "raw"},
    "toa_wave": {"type": "int"},
    "toa_report_kinds": {"type": "list", "elements": "str", "choices": ["plan", "rollout", "verify", "rollback", "remove"]},
}  # fmt: skip

# Policies whose type their default does not tell.
_POLICY: dict[str, dict[str, Any]] = {
    "vendor": {"type": "str", "choices": list(option_formats.VENDOR_CHOICES)},
    "accept": {"type": "list", "elements": "str", "choices": list(CONSENTS)},
    "option_filter": {"type": "str", "choices": list(OPTION_FILTERS)},
    "install": {"type": "list", "elements": "str", "choices": list(INSTALLED)},
    "ebpf_getsockopt": {"type": "list", "elements": "int", "choices": [1348, 4096]},
    "backends": {"type": "list", "elements": "str", "choices": list(BACKENDS)},
    "option_packets": {"type": "list", "elements": "str", "choices": list(PACKETS)},
    "option_place": {"type": "str", "choices": ["", *PLACES]},
    "listeners": {"type": "list", "elements": "str", "choices": list(LISTENERS)},
    "ports": {"type": "list", "elements": "int"},
    "trusted_sources": {"type": "raw"},
}

# What a number may be: the least, and the most where there is one (0 is none).
BOUNDS: dict[str, tuple[int, int]] = {
    "toa_confirm_timeout": (30, 86400),
    "toa_kernel.jobs": (0, 1024),
    "toa_monitor_interval": (1, 59),
    "toa_wave": (1, 999999),
    "toa_reboot_timeout": (1, 86400),
}
_FROM_ZERO = (0, 0)

# What our own jobs hand on to the next job; never an operator's. What plays hand on to each other begins with __toa_.
RESULTS = frozenset(("toa_report", "toa_wave_bad", "toa_wave_hosts"))


def _of_roles() -> dict[str, dict[str, Any]]:
    """The variables in the argument specs of all roles."""
    found: dict[str, dict[str, Any]] = {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        # A safe loader, the one in C where there is one.
        specs = yaml.load(path.read_bytes(), Loader=loader)  # nosec B506
        options = specs["argument_specs"]["main"].get("options") or {}
        for name, option in options.items():
            if name.startswith("toa_"):
                found[name] = _with_options(found.get(name, {}), option)
    return found


def _with_options(known: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """The spec of a variable with the options that other roles read of it; a playbook says what it cannot do without."""
    if not typed.has_options(spec):
        return spec
    options = {key: {**option, "required": False} for key, option in spec["options"].items()}
    return {**spec, "options": {**known.get("options", {}), **options}}


def _of_policy(key: str, default: Any) -> dict[str, Any]:
    if key in _POLICY:
        return _POLICY[key]
    if isinstance(default, list):
        return {"type": "list", "elements": "str"}
    return {"type": "bool" if isinstance(default, bool) else "str"}


def _bounded(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A spec with what its numbers may be."""
    if typed.has_options(spec):
        inner = {key: _bounded(f"{name}.{key}", option) for key, option in spec["options"].items()}
        return {**spec, "options": inner}
    return {**spec, "bounds": BOUNDS.get(name, _FROM_ZERO)} if spec.get("type") == "int" else spec


_ROLES = _of_roles()
_FOUND = {
    **_ROLES,
    **{
        f"toa_{key}": {**_of_policy(key, default), "default": default}
        for key, default in POLICY.items()
        if not typed.has_options(_ROLES.get(f"toa_{key}", {}))
    },
    **ELSEWHERE,
}
SPECS: dict[str, dict[str, Any]] = {name: _bounded(name, spec) for name, spec in _FOUND.items()}
KNOWN = frozenset(SPECS) | RESULTS


def expected(name: str) -> str:
    """In words, what a variable has to be, or an option of one, as in toa_kernel.source."""
    variable, _dot, option = name.partition(".")
    return typed.expected(SPECS[variable]["options"][option] if option else SPECS[variable])


def convert(name: str, value: Any) -> Any:
    """The value of a variable in its type; ValueError is a whole sentence."""
    return typed.settled(name, value, SPECS[name])


def setting(name: str, value: Any) -> Any:
    """The same, and the default of a variable that says nothing."""
    return typed.default(SPECS[name]) if typed.is_unset(value) else convert(name, value)


def setting_of(values: Mapping[str, Any], name: str) -> Any:
    """What a host has of a variable, or of an option of one, as in toa_kernel.source."""
    variable, _dot, option = name.partition(".")
    found = setting(variable, values.get(variable))
    return found[option] if option else found


def misspelt(names: Iterable[str]) -> list[str]:
    """A sentence for each name that begins with toa_ and is not a variable of the collection."""
    sentences = []
    for name in sorted(set(names) - KNOWN):
        if name.startswith("toa_"):
            near = difflib.get_close_matches(name, KNOWN - RESULTS, n=1)
            sentences.append(f"{name} is not a variable of realip.toa" + (f"; did you mean {near[0]}?" if near else ""))
    return sentences
