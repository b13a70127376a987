# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until the SSH port of a host accepts connections, checking every second.

ssh itself waits for the answer to a packet that went out while the host was away, and TCP repeats that after 1, 2 and 4 seconds; a new
connection every second is answered sooner.
"""

from __future__ import annotations

import socket
import time

TIME_LIMIT = 1.0
"""Seconds that one connection may take."""
PAUSE = 0.2
"""Seconds between two, where the first was refused at once."""


def opens(address: tuple[str, int], seconds: float) -> bool:
    """Whether a connection to this host and port could be made within so many seconds; it is closed again at once."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            socket.create_connection(address, timeout=min(TIME_LIMIT, left)).close()
            return True
        except TimeoutError:
            continue
        except OSError:
            time.sleep(min(PAUSE, max(0.0, deadline - time.monotonic())))
    return False
