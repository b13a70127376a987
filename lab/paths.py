# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab keeps things: a cache shared by every checkout, and a run directory of this one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent


def cache_dir() -> Path:
    """Images, snapshots and keys, by content: $REALIP_LAB_CACHE, else below $XDG_CACHE_HOME or ~/.cache."""
    named = os.environ.get("REALIP_LAB_CACHE")
    if named:
        return Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "realip-toa" / "lab"


def run_dir() -> Path:
    """The machines of this checkout: $REALIP_LAB_RUN, else .lab in the checkout. Two checkouts never share machines."""
    named = os.environ.get("REALIP_LAB_RUN")
    return Path(named).absolute() if named else CHECKOUT / ".lab"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` (created empty); waits for whoever has it. The kernel frees it if we die."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
