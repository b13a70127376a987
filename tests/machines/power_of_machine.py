# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checker of tests/unit/target (power_checker.py), asked about what is on a lab machine's disk at this moment."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import bls_entries
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine
from boot_samples import Host
from power_checker import Checker

from lab import machines

# What a boot loader reads and the trial watchdog is told, with its text; of everything else in /boot the names.
_FETCH = """cd / && tar -c -f - boot/grub*/grub.cfg boot/grub*/grubenv boot/grub*/custom.cfg boot/loader var/lib/realip-toa/watchdog.conf 2>/dev/null
ls boot | sed 's,^,NAME boot/,'"""


class Copy(Host):
    """A lab machine's files in a folder."""

    def __init__(self, folder: str, stock: str, config: str) -> None:
        self.root = folder
        self.stock = stock
        self.GRUB = os.path.dirname(config)
        self.ran: list[Any] = []
        self.boots = 0
        self.machine = Machine(folder, self.run, self.find)

    def bls(self) -> Any:
        return bls_entries(self.root)


class Observer:
    """Asks about one machine, again and again. `config` is the grub.cfg that its GRUB reads; what is `allowed` boots untried."""

    def __init__(self, machine: str, stock: str, new: str, config: str, allowed: Sequence[str]) -> None:
        self.machine, self.stock, self.new, self.config = machine, stock, new, config
        self.allowed = list(allowed)
        self.folder = tempfile.TemporaryDirectory(prefix="power-")

    def ask(self, confirmed: bool = False) -> dict[str, Any]:
        """{boots: release, problem: what is wrong with that, or ""}, or {away: why} where the machine does not answer."""
        if confirmed:
            self.allowed = [self.new]
        try:
            data = self._fetched()
        except (OSError, subprocess.SubprocessError) as error:
            return {"away": str(error)[-300:]}
        with tempfile.TemporaryDirectory(dir=self.folder.name) as folder:
            _unpack(data, Path(folder))
            host = Copy(folder, self.stock, self.config)
            checker = Checker(host)
            checker.allowed = self.allowed
            found = [release for release, _line in checker.boots()]
            try:
                checker()
            except AssertionError as problem:
                return {"boots": found, "problem": str(problem) or repr(problem)}
            return {"boots": found, "problem": ""}

    def _fetched(self) -> bytes:
        socket = f"{self.folder.name}/%C"
        words = machines.ssh_command(self.machine, [_FETCH])
        options = ["-o", "ControlMaster=auto", "-o", f"ControlPath={socket}", "-o", "ControlPersist=60", "-o", "ConnectTimeout=8",
                   "-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=3"]  # fmt: skip
        return subprocess.run([words[0], *options, *words[1:]], check=True, capture_output=True, timeout=120).stdout


def _unpack(data: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(folder, filter="data")
    for line in data[data.rfind(b"\0") + 1 :].decode().splitlines():
        path = folder / line.removeprefix("NAME ")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch()
