# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory limit for one call: some hosts never answer, some never stop."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import typing as t
from pathlib import Path

TICK = 0.5
"""Seconds between two looks at the clock and at our memory."""
GROWTH = 160 << 20
"""Bytes that one call may cost us. The longest answer has 4 MiB, but connection plugins keep all that a host prints, several times over: 10 MiB of
noise, which some logins make, come to 80."""


class Exceeded(BaseException):
    """It took too long or cost too much; the text says which. No Exception, because ssh's connection plugin retries on any of them."""


@contextlib.contextmanager
def within(seconds: float) -> t.Iterator[None]:
    """Raises Exceeded in the body once its time is over or it has taken more than GROWTH.

    An alarm that was set before, by another of these or by a task's timeout, goes on counting.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    started, memory = time.monotonic(), _resident()

    def ring(number: int, frame: t.Any) -> None:
        elapsed = time.monotonic() - started
        if left and elapsed >= left and callable(handler):
            handler(number, frame)
        if elapsed >= seconds:
            raise Exceeded(f"it did not end within {seconds:.0f} s")
        if _resident() - memory > GROWTH:
            raise Exceeded(f"it sent more than {GROWTH >> 20} MiB")

    left = 0.0
    handler = signal.signal(signal.SIGALRM, ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, min(seconds, TICK), TICK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(0.01, left - (time.monotonic() - started)), interval)


def end_children() -> None:
    """End what this worker has started, an ssh that nobody listens to any more; nothing where the kernel does not tell."""
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in path.read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)


def _resident() -> int:
    """Bytes of memory that this process has; 0 where there is no /proc."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0
