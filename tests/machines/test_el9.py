# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enterprise Linux 9: as 8, but that a command line stands in the entry itself, and that a new kernel gets the one of /etc/kernel/cmdline."""

from __future__ import annotations

from typing import Any, ClassVar

from vendor import Way


class TestAlma9(Way):
    match: ClassVar[dict[str, Any]] = {"id": ["almalinux"], "major": 9}
