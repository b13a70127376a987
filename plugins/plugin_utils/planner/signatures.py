# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host would load a module or start a kernel, by who has signed it: one rule for all backends. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import Case, Offer

# States of /sys/kernel/security/lockdown in which modules must be signed.
LOCKED_DOWN = ("integrity", "confidentiality")


def module_demand(security: Mapping[str, Any]) -> str:
    """Why this host loads only modules that are signed; "" where it loads any."""
    if security["sig_enforce"]:
        return "module.sig_enforce is on"
    if security["lockdown"] in LOCKED_DOWN:
        return f"the kernel is locked down ({security['lockdown']})"
    return "secure boot is on" if security["secure_boot"] else ""


def check_module(case: Case, offer: Offer, what: str, signers: Iterable[str], loaded: bool = False) -> None:
    """A module that is loaded was good enough; another one needs a signature where signatures count, and a kernel that loads modules at all."""
    security = case.facts["security"]
    if loaded:
        return
    if security["modules_disabled"]:
        offer.block("modules_disabled", what=what)
    why = module_demand(security)
    if why and not is_trusted(security, signers):
        offer.block("secure_boot_unsigned", what=what, why=why)


def check_kernel(case: Case, offer: Offer, what: str, signers: Iterable[str]) -> None:
    """A kernel that is to be booted; `signers` of its image, or who the catalog says has signed it."""
    security = case.facts["security"]
    if security["secure_boot"] and not is_trusted(security, signers):
        offer.block("secure_boot_unsigned", what=what, why="secure boot is on")


def is_trusted(security: Mapping[str, Any], signers: Iterable[str]) -> bool:
    """By a key that the host has; of a host that does not tell its keys (before Linux 3.7) any signature will do."""
    names, keys = set(signers), set(security["trusted_keys"])
    return bool(names & keys) if keys else bool(names)
