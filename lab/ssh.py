# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH to the machines: keys of the lab's own, and the options that make ssh use nothing else."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.paths import cache_dir, locked
from lab.progress import LabError


def key(name: str) -> Path:
    """A private key called `name`, made at first use; its public half lies beside it as NAME.pub."""
    directory = cache_dir() / "keys"
    path = directory / name
    with locked(directory / "lock"):
        if not path.exists():
            directory.chmod(0o700)
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"realip-toa-lab {name}", "-f", str(path)],
                check=True,
            )
    return path


def login_key() -> Path:
    """The key that opens root and ops on every machine."""
    return key("login")


def host_key(host: str) -> Path:
    """The key by which the machine `host` is known."""
    return key(f"host-{host}")


def public(path: Path) -> str:
    """`ssh-ed25519 AAAA...`, without the comment."""
    return " ".join(path.with_name(path.name + ".pub").read_text(encoding="ascii").split()[:2])


def known_hosts(ports: dict[str, int]) -> str:
    """The text of a known_hosts file for `{host: port of 127.0.0.1}`."""
    return "".join(f"[127.0.0.1]:{port} {public(host_key(host))}\n" for host, port in sorted(ports.items()))


def options(known: Path) -> list[str]:
    """What every ssh to a machine needs beside port, user and key: the lab's known_hosts, the lab's key, and no questions."""
    settings = {
        "UserKnownHostsFile": str(known),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "ConnectTimeout": "60",
        "LogLevel": "ERROR",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def command(
    port: int, known: Path, words: Sequence[str] = (), user: str = "root", flags: Sequence[str] = ()
) -> list[str]:
    """The words of an ssh to the machine behind `port`; `words` are what runs there."""
    login = [
        "ssh",
        "-F",
        "none",
        *flags,
        *options(known),
        "-i",
        str(login_key()),
        "-p",
        str(port),
        "-l",
        user,
        "127.0.0.1",
    ]
    return [*login, "--", *words] if words else login


def run(port: int, known: Path, script: str, limit: float = 600) -> str:
    """What `script` prints when root runs it there; LabError with its words when it fails."""
    words = command(port, known, [script], flags=["-o", "BatchMode=yes"])
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=limit, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"the machine on port {port} did not finish in {limit:.0f} s: {script}") from error
    if done.returncode != 0:
        raise LabError(
            f"the machine on port {port} answered {done.returncode} to: {script}\n{done.stdout}{done.stderr}".rstrip()
        )
    return done.stdout


def greets(port: int, time_limit: float = 5.0) -> bool:
    """Whether an SSH server answers. QEMU itself accepts the connection, so only the server's greeting counts."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=time_limit) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
