# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backend says of itself. The rest of the code asks its class, and knows no backend by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import Case, Offer


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

    def check(self, policy: Mapping[str, Any]) -> None:
        """ValueError where its variables make no sense, whatever the host."""

    def is_kept(self, case: Case) -> bool:
        """Does this host keep to it, whatever the operator's order of preference?"""
        return False

    def offer(self, case: Case) -> Offer:
        """What it can do for this host."""
        raise NotImplementedError
