# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every variable of the collection with its argument spec, as the roles have it. One that is misspelt would be ignored in silence, on every host of a fleet."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.realip.toa.plugins.module_utils.common.option_formats import PACKETS, PLACES
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats, typed
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.registry import BACKENDS
from ansible_collections.realip.toa.plugins.plugin_utils.planner.policy import CONSENTS, POLICY

ROLES = Path(__file__).parents[3] / "roles"

# What playbooks and actions read without a role.
ELSEWHERE: dict[str, dict[str, Any]] = {
    "toa_build_host": {"type": "raw"},
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
    "backends": {"type": "list", "elements": "str", "choices": list(BACKENDS)},
    "option_packets": {"type": "list", "elements": "str", "choices": list(PACKETS)},
    "option_place": {"type": "str", "choices": ["", *PLACES]},
    "ports": {"type": "list", "elements": "int"},
    "source_tree": {"type": "raw"},
    "trusted_sources": {"type": "raw"},
    "signing_key": {"type": "path"},
}

# What a number may be: the least, and the most where there is one (0 is none).
BOUNDS: dict[str, tuple[int, int]] = {
    "toa_confirm_timeout": (30, 86400),
    "toa_kernel_jobs": (0, 1024),
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
        found.update({name: option for name, option in options.items() if name.startswith("toa_")})
    return found


def _of_policy(key: str, default: Any) -> dict[str, Any]:
    if key in _POLICY:
        return _POLICY[key]
    if isinstance(default, list):
        return {"type": "list", "elements": "str"}
    return {"type": "bool" if isinstance(default, bool) else "str"}


SPECS: dict[str, dict[str, Any]] = {
    **_of_roles(),
    **{f"toa_{key}": {**_of_policy(key, default), "default": default} for key, default in POLICY.items()},
    **ELSEWHERE,
}
KNOWN = frozenset(SPECS) | RESULTS


def bounds(name: str) -> tuple[int, int] | None:
    """What a number may be; None for a variable that is none."""
    return BOUNDS.get(name, _FROM_ZERO) if SPECS[name].get("type") == "int" else None


def convert(name: str, value: Any) -> Any:
    """The value of a variable in its type; ValueError says what was expected."""
    return typed.convert(value, SPECS[name], bounds(name))


def setting(name: str, value: Any) -> Any:
    """The same, and the default of a variable that says nothing; ValueError is a whole sentence."""
    if typed.is_unset(value):
        return SPECS[name].get("default")
    try:
        return convert(name, value)
    except ValueError as problem:
        raise ValueError(f"{name} is {typed.shown(value)}; {problem}") from None


def misspelt(names: Iterable[str]) -> list[str]:
    """A sentence for each name that begins with toa_ and is not a variable of the collection."""
    sentences = []
    for name in sorted(set(names) - KNOWN):
        if name.startswith("toa_"):
            near = difflib.get_close_matches(name, KNOWN - RESULTS, n=1)
            sentences.append(f"{name} is not a variable of realip.toa" + (f"; did you mean {near[0]}?" if near else ""))
    return sentences
