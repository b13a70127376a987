# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""lab/power.py with a QEMU that is none: which of its ends are the machine's end, and that nothing is left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab import power
from lab.paths import HERE
from lab.progress import wait_until

# Plays the parts of `plan`, one line for each start: an exit code, with a cause before it where it says one. `wait` runs until it is ended.
FAKE = """\
import json, os, re, socket, sys, time
here = os.path.dirname(sys.argv[0])
with open(os.path.join(here, "starts"), "a") as starts:
    starts.write(json.dumps({"pid": os.getpid(), "words": sys.argv[1:]}) + chr(10))
with open(os.path.join(here, "starts")) as starts:
    part = open(os.path.join(here, "plan")).read().split(chr(10))[len(starts.readlines()) - 1].split()
if part[0] == "busy":
    print("Could not set up host forwarding rule")
    sys.exit(1)
monitor = socket.socket(fileno=int(re.search("fd=([0-9]+)$", " ".join(sys.argv).split(" -mon ")[0])[1]))
monitor.sendall(b'{"QMP": {}}' + bytes([10]))
assert b"qmp_capabilities" in monitor.recv(1000)
if part[0] == "wait":
    time.sleep(600)
if part[0] != "crash":
    monitor.sendall(json.dumps({"event": "SHUTDOWN", "data": {"guest": True, "reason": part[0]}}).encode() + bytes([10]))
sys.exit(int(part[1]))
"""


class Qemu:
    """A directory with a QEMU that plays `plan`."""

    def __init__(self, directory: Path, *plan: str) -> None:
        self.directory = directory
        (directory / "plan").write_text("\n".join(plan))
        (directory / "qemu.py").write_text(FAKE)
        self.words = [sys.executable, str(directory / "qemu.py"), "-m", "512"]

    @property
    def starts(self) -> list[list[str]]:
        """The command line of each start, without what power.py adds to all."""
        return [entry["words"][: entry["words"].index("-action")] for entry in self._entries()]

    @property
    def pids(self) -> list[int]:
        """The process of each start."""
        return [entry["pid"] for entry in self._entries()]

    def _entries(self) -> list[dict[str, Any]]:
        file = self.directory / "starts"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_every_reset_is_a_start_from_disk(tmp_path: Path) -> None:
    qemu = Qemu(tmp_path, "guest-reset 0", "host-qmp-system-reset 0", "guest-shutdown 0")
    assert power.Supply(qemu.words).run("fd:7") == 0
    assert qemu.starts == [["-m", "512", "-incoming", "fd:7"], ["-m", "512"], ["-m", "512"]]


@pytest.mark.parametrize(
    ("part", "code"),
    [("guest-shutdown 0", 0), ("host-qmp-quit 0", 0), ("guest-panic 1", 1), ("crash 134", 134), ("busy", 1)],
)
def test_other_ends_are_the_end(tmp_path: Path, part: str, code: int) -> None:
    qemu = Qemu(tmp_path, part)
    assert power.Supply(qemu.words).run("") == code
    assert qemu.starts == [["-m", "512"]]


def test_a_port_that_is_taken_for_a_moment_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "RETRY_SECONDS", 0.0)
    qemu = Qemu(tmp_path, "guest-reset 0", "busy", "busy", "guest-reset 0", "busy", "crash 3")
    assert power.Supply(qemu.words).run("") == 3
    assert len(qemu.starts) == 6


def test_a_port_that_is_taken_for_good_is_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "PATIENCE_SECONDS", 0.0)
    qemu = Qemu(tmp_path, "guest-reset 0", "busy", "busy")
    assert power.Supply(qemu.words).run("") == 1
    assert len(qemu.starts) == 2


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 256 - signal.SIGKILL), (signal.SIGKILL, -signal.SIGKILL)])
def test_the_machine_ends_with_its_supply(tmp_path: Path, how: signal.Signals, code: int) -> None:
    qemu = Qemu(tmp_path, "guest-reset 0", "wait")
    supply = subprocess.Popen([sys.executable, str(HERE / "power.py"), "", *qemu.words])
    try:
        wait_until(lambda: len(qemu.pids) == 2, "the second start", limit=60, every=0.02)
        os.kill(supply.pid, how)
        assert supply.wait(timeout=60) == code
    finally:
        supply.kill()
        supply.wait()
    wait_until(lambda: not Path(f"/proc/{qemu.pids[1]}").exists(), "QEMU to end", limit=60, every=0.02)
