# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Knocking at a host that is away: one that refuses, one that drops every packet, and one that never comes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.channel import ssh_port

ADDRESS = "127.0.45.1"


@contextlib.contextmanager
def refusing() -> Iterator[tuple[int, Callable[[], None]]]:
    """A port at which nothing listens until it is opened: (port, open)."""
    with socket.socket() as listener:
        listener.bind((ADDRESS, 0))
        yield listener.getsockname()[1], listener.listen


@contextlib.contextmanager
def dropping() -> Iterator[tuple[int, Callable[[], None]]]:
    """A port whose queue is full, so that the kernel answers nothing, as a machine that boots: (port, open)."""
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind((ADDRESS, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting.enter_context(socket.create_connection((ADDRESS, port)))
        with pytest.raises(TimeoutError):
            waiting.enter_context(socket.create_connection((ADDRESS, port), timeout=0.2))

        def accept() -> None:
            waiting.enter_context(listener.accept()[0])

        yield port, accept


@pytest.mark.parametrize("away", [refusing, dropping])
def test_told_within_a_second_of_its_coming(
    away: Callable[[], contextlib.AbstractContextManager[tuple[int, Callable[[], None]]]],
) -> None:
    came: list[float] = []
    with away() as (port, come):
        assert not ssh_port.opens((ADDRESS, port), 0.3)

        def appear() -> None:
            came.append(time.monotonic())
            come()

        timer = threading.Timer(1.3, appear)
        timer.start()
        assert ssh_port.opens((ADDRESS, port), 30)
        told = time.monotonic()
        timer.join()
    # A connection lasts a second at most; the rest is this machine's.
    assert 0 <= told - came[0] < 1.5


def test_nobody_waits_longer_than_told() -> None:
    for address in ((ADDRESS, 1), ("no.such.host.invalid", 22)):
        begin = time.monotonic()
        assert not ssh_port.opens(address, 0.5)
        assert time.monotonic() - begin < 10
