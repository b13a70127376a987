# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backend says of itself. The rest of the code asks its class, and knows no backend by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import Case, Offer


@dataclass(frozen=True)
class Left:
    """What a backend has left on a host. Its role takes that away (`tasks/remove.yml`); `packages`, as a plan lists them, go with those of all."""

    steps: Sequence[str] = ()
    """In human words, for the plan."""
    packages: Sequence[Mapping[str, Any]] = ()
    service: str = ""
    """Unit that loads the module, and unloads it when it is stopped."""
    is_kernel: bool = False
    """A rollback leaves it where it is, so that the next rollout is quick."""


class Backend:
    """One way to the client's address. What holds for most is the default here; a backend for which it does not says otherwise."""

    name: ClassVar[str]
    """As `toa_backends` has it; its role bears the same name."""
    policy: ClassVar[Mapping[str, Any]] = {}
    """Its own variables without `toa_`, with their defaults. Several backends may read the same one."""
    filters_sources: ClassVar[bool] = False
    """It refuses strangers by itself. For the others the option filter does."""
    records: ClassVar[tuple[str, ...]] = ()
    """Sections of the host's record that are its own: they go when the thing that they are about goes."""
    at_boot: ClassVar[tuple[str, ...]] = ()
    """What findings of persistence call that which it has run at boot, where that is no module."""
    brings_kernel: ClassVar[bool] = False
    """It translates with a kernel of its own, so the boot loader's default and the hold on it are part of what was proved."""
    runs_programs: ClassVar[bool] = False
    """It translates with programs that are attached to the kernel, and not with a module."""
    in_image: ClassVar[bool] = False
    """It can be put into a root file system that is not running."""
    needs_headers: ClassVar[bool] = False
    """It compiles for the running kernel, whose headers the host or its repositories must have."""

    def check(self, policy: Mapping[str, Any]) -> None:
        """ValueError where its variables make no sense, whatever the host."""

    def is_kept(self, case: Case) -> bool:
        """Does this host keep to it, whatever the operator's order of preference?"""
        return False

    def offer(self, case: Case) -> Offer:
        """What it can do for this host."""
        raise NotImplementedError

    def left(self, case: Case) -> Left | None:
        """What of it is on this host, whoever put it there; None where nothing is, or nothing that its role would have to take away."""
        return None
