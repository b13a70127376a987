# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a check goes through. A check that finds none has checked nothing, and says so."""

from __future__ import annotations

from pathlib import Path


def found(folder: Path, pattern: str) -> list[Path]:
    """The paths below a folder that match a glob pattern, sorted; AssertionError where there is none."""
    paths = sorted(folder.glob(pattern))
    assert paths, f"nothing matches {pattern} in {folder}: what goes through these files would check nothing"
    return paths
