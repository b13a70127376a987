# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backend looks at (a case) and what it comes back with (an offer)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from ansible_collections.realip.toa.plugins.module_utils.common.kernels import HELPER_MODULES
from ansible_collections.realip.toa.plugins.plugin_utils.catalog.entries import Entry, Locked, Package
from ansible_collections.realip.toa.plugins.plugin_utils.facts import distribution as osrelease
from ansible_collections.realip.toa.plugins.plugin_utils.planner.reasons import BLOCK, WARNING, reason

Plan: TypeAlias = dict[str, Any]
Facts: TypeAlias = Mapping[str, Any]

CONVERGED, PENDING, BLOCKED, UNSUPPORTED = "converged", "pending", "blocked", "unsupported"
REJECTED = "rejected"
VTOA_DOCUMENTED = ("254/8", "253/20")
# Read as well, by ANCK net/vtoa.
VTOA_READS = (*VTOA_DOCUMENTED, "254/20", "250/8", "252/20", "249/40")

# Option kinds of modules that leave no choice; `toa` is the name that every vendor uses.
MODULE_READS = {"vtoa": VTOA_READS, "slb_vtoa": VTOA_READS, "tcp_toa": ("28/7",), "ip_vs_ca": ("200/8",)}
# TencentOS-kernel net/toa.
TENCENTOS_READS = ("200/8",)
# Modules that fill IPv6 sockets' addresses too.
IPV6_MODULES = ("vtoa", "slb_vtoa")


@dataclass
class Case:
    """One host to decide about."""

    facts: Facts
    policy: Mapping[str, Any]
    catalog: Sequence[Entry]
    lock: Mapping[str, Locked]
    probe: Mapping[str, Any] | None
    wanted: list[str]
    trusted: list[str] | None = None
    """Networks of the load balancers; [] trusts all sources, None where nobody has chosen and the host has no list either."""

    @property
    def os(self) -> Mapping[str, Any]:
        return self.facts["os"]

    @property
    def kernel(self) -> Mapping[str, Any]:
        return self.facts["kernel"]

    @property
    def running(self) -> str:
        return str(self.kernel["release"])

    @property
    def is_image(self) -> bool:
        """Is it a root file system that is not running? Its kernel is then the one that it boots."""
        return bool(self.facts.get("image"))

    @cached_property
    def distribution(self) -> str:
        return osrelease.describe(self.os)

    @cached_property
    def modules(self) -> dict[str, Mapping[str, Any]]:
        """TOA modules of the running kernel by name, helpers left out."""
        return {module["name"]: module for module in self.facts["modules"] if module["name"] not in HELPER_MODULES}

    @cached_property
    def running_entry(self) -> Entry | None:
        """The catalog entry whose kernel is running."""
        return next((entry for entry in self.catalog if entry.release == self.running), None)


@dataclass
class Offer:
    """What one backend can do for a host."""

    backend: str
    what: str
    """The thing it installs or uses, as a message names it."""
    reasons: list[dict[str, str]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    rejected: bool = False
    module: str = ""
    option_kinds: list[str] = field(default_factory=list)
    getsockopt_1348: bool = False
    ipv6: bool = False
    programs: bool = False
    """It is this collection's eBPF programs, attached to the kernel."""
    boot_record: str = "persistence"
    """Section of the host's record that has what it runs at boot."""
    reboot: bool = False
    service: str = ""
    """Package of the host's repositories, and unit, that loads the module now and at boot."""
    entry: Entry | None = None
    packages: list[Package] = field(default_factory=list)

    def reject(self, code: str, **words: Any) -> Offer:
        """Not for this host, whatever the operator does."""
        self.rejected = True
        self.reasons.append(reason(code, self.backend, BLOCK, **words))
        return self

    def block(self, code: str, accepted: bool = False, **words: Any) -> None:
        """Stands in the way unless the operator has accepted it; then it is a warning."""
        self.reasons.append(reason(code, self.backend, WARNING if accepted else BLOCK, **words))

    def tell(self, code: str, **words: Any) -> None:
        """Said, and nothing else; the table knows whether as info or as a warning."""
        self.reasons.append(reason(code, self.backend, **words))

    @property
    def state(self) -> str:
        if self.rejected:
            return REJECTED
        if any(item["severity"] == BLOCK for item in self.reasons):
            return BLOCKED
        return PENDING if self.steps else CONVERGED


def listed(words: Any) -> str:
    """a, b and c."""
    texts = [str(word) for word in words]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
