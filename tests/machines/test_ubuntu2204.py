# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ubuntu 22.04 as its cloud images have it, where GRUB tries a kernel without its initramfs first and keeps a record of what failed."""

from __future__ import annotations

from typing import Any, ClassVar

from vendor import Way


class TestUbuntu2204(Way):
    match: ClassVar[dict[str, Any]] = {"id": ["ubuntu"], "version": ["22.04"]}
    config = "/boot/grub/grub.cfg"

    def own_tools(self, machine: Any) -> str:
        """Nobody but GRUB has a word in it here."""
        return machine.one_line(machine.name, "uname -r")
