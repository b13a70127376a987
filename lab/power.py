# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a machine running: QEMU ends when the machine resets itself, and another one goes on from its disk.

    python3 lab/power.py INCOMING WORD...

WORD... is a command line of QEMU. INCOMING is what the first one starts from (its option `-incoming`), or "" for the disk.

Within one QEMU a reset is slow: the code it has translated is forgotten page by page, while the machine writes over it. A boot of
`debian8` took 19 s of processor that way, and 11 s in a QEMU of its own.

Ends with QEMU's exit code when the machine is switched off. SIGTERM pulls the plug.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

# Ends that are none, as the monitor calls them (QAPI's ShutdownCause): the machine's own resets, its watchdog's, and the button.
RESETS = ("guest-reset", "host-qmp-system-reset")
# Between two QEMUs nobody holds the machine's port, and a connection to somewhere else may have got it for a moment.
PATIENCE_SECONDS = 60.0
RETRY_SECONDS = 0.2


class Supply:
    """One machine's QEMU, until it is switched off."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None
        self._off = False

    def pull_the_plug(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """End QEMU at once, and start none any more."""
        self._off = True
        if self._process:
            self._process.kill()

    def run(self, incoming: str) -> int:
        """Run QEMU as often as the machine resets itself; the last one's exit code."""
        code, cause = self._once(["-incoming", incoming] if incoming else [])
        while cause in RESETS and not self._off:
            code, cause = self._again()
        return code

    def _again(self) -> tuple[int, str | None]:
        """As `_once`, tried until QEMU has got all that it had before."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while True:
            code, cause = self._once([])
            if cause is not None or self._off or time.monotonic() > limit:
                return code, cause
            time.sleep(RETRY_SECONDS)

    def _once(self, more: list[str]) -> tuple[int, str | None]:
        """Run one QEMU to its end: its exit code, and what `_cause` says."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                theirs.set_inheritable(True)
                words = [*self._words, *more, "-action", "reboot=shutdown"]
                words += ["-chardev", f"socket,id=power,fd={theirs.fileno()}", "-mon", "chardev=power,mode=control"]
                # Should we be killed, the machine ends as well. Whatever we were given open is for QEMU: INCOMING may name it.
                self._process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *words], close_fds=False)
            if self._off:
                self._process.kill()
            cause = _cause(ours)
        return self._process.wait(), cause


def _cause(monitor: socket.socket) -> str | None:
    """Why a machine ended, after listening to its QEMU until that ended too: "" where nobody said so, None where it has never run."""
    cause = None
    try:
        monitor.sendall(b'{"execute": "qmp_capabilities"}\n')
        with monitor.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if "QMP" in message:
                    cause = ""
                elif message.get("event") == "SHUTDOWN":
                    cause = str(message["data"]["reason"])
    except ConnectionError:
        # It ended before it had read what we said.
        pass
    return cause


def main(incoming: str, *words: str) -> int:
    """Exit code: that of the last QEMU."""
    supply = Supply(list(words))
    signal.signal(signal.SIGTERM, supply.pull_the_plug)
    return supply.run(incoming)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
