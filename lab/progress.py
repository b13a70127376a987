# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saying what the lab waits for, and waiting on conditions rather than on the clock."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Emulated machines on a busy two-core computer are slow; a limit only exists so that nothing waits for ever.
TIME_LIMIT = float(os.environ.get("REALIP_LAB_TIME_LIMIT", "900"))

# Set when the command is to end: whoever waits, in whichever thread, stops waiting.
interrupted = threading.Event()

_START = time.monotonic()
_LOCK = threading.Lock()


class LabError(Exception):
    """The lab cannot go on; the message names what was expected, what was found and what to do."""


def say(text: str) -> None:
    """One line of progress on stderr, with the seconds since the command began."""
    with _LOCK:
        sys.stderr.write(f"[{time.monotonic() - _START:6.1f}s] {text}\n")
        sys.stderr.flush()


def wait_until(
    condition: Callable[[], T | None],
    what: str,
    limit: float = TIME_LIMIT,
    every: float = 0.25,
    tell_every: float = 30.0,
) -> T:
    """The first truthy answer of `condition`, asked every `every` seconds; LabError after `limit` seconds.

    `what` completes "waiting for ...".
    """
    begin = time.monotonic()
    told = begin
    while True:
        answer = condition()
        if answer:
            return answer
        now = time.monotonic()
        if now - begin > limit:
            raise LabError(f"waited {limit:.0f} s in vain for {what}")
        if now - told >= tell_every:
            say(f"waiting for {what} ({now - begin:.0f} s)")
            told = now
        if interrupted.wait(every):
            raise LabError(f"interrupted while waiting for {what}")
