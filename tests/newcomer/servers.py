# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers that the quick start is about, as a newcomer has them: names that SSH knows how to reach, and an account that may sudo."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from tests.newcomer.machine import USER, CleanMachine

NAMES = ("web1.example.com", "web2.example.com")


@dataclass(frozen=True)
class Server:
    """Where a name really leads to. `host_key` is the line of known_hosts behind the address."""

    address: str
    port: int
    host_key: str


def introduce(machine: CleanMachine, servers: t.Mapping[str, Server], key: bytes) -> None:
    """Whoever types on the machine has logged in on the servers before: SSH knows address, port, key and host keys."""
    config = "".join(
        f"Host {name}\n  HostName {server.address}\n  Port {server.port}\n" for name, server in servers.items()
    )
    machine.write(".ssh/config", f"{config}Host *\n  IdentityFile /home/{USER}/.ssh/key\n", mode=0o600)
    machine.write(".ssh/key", key, mode=0o600)
    machine.write(
        ".ssh/known_hosts",
        "".join(f"[{server.address}]:{server.port} {server.host_key}\n" for server in servers.values()),
    )
    (machine.home / ".ssh").chmod(0o700)
