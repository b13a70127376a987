# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer of the tests' own: hand-made connections out of one network namespace into another, with what vendors put on which packet.

It shares no line with the probe, so that what reads its packets is not held against itself. Needs root.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import subprocess
import sys
import textwrap
import time
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

SYN, ACK, PSH, RST = 2, 16, 8, 4

SERVER = """
import socket, sys, threading
def serve(port):
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("::", port))
    listener.listen(512)
    while True:
        listener.accept()[0].close()
for port in map(int, sys.argv[1:]):
    threading.Thread(target=serve, args=(port,), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


def v4(kind: int, address: str, port: int = 4321) -> bytes:
    """Kind, 8, port, IPv4 address."""
    return struct.pack("!BBH", kind, 8, port) + socket.inet_pton(socket.AF_INET, address)


def v6(kind: int, address: str, port: int = 4321) -> bytes:
    """Kind, 20, port, IPv6 address."""
    return struct.pack("!BBH", kind, 20, port) + socket.inet_pton(socket.AF_INET6, address)


def cdn(address: str) -> bytes:
    """Kind 28, version 1, IPv4 or IPv6 address."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    return bytes((28, 3 + len(packed), 1)) + packed


@dataclass
class Sender:
    """One balancer: where it sends from, and what it puts on which packet (`syn`, `ack`, `data`), made for each client address."""

    sources: Sequence[str]
    option: t.Callable[[str], bytes]
    packets: Sequence[str] = ("ack", "data")
    clients: Sequence[str] = ("203.0.113.7", "203.0.113.8", "198.51.100.200")
    payload: bytes = b"GET / HTTP/1.0\r\n\r\n"
    more: dict[str, bytes] = field(default_factory=dict)
    """Further options by packet, as what a stranger forged."""


def _sum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Wire:
    """The balancer's end of the wire: frames out and in."""

    def __init__(self, device: str, target: str, mac: str) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((device, 0x0003))
        self.socket.setblocking(False)
        self.mac = bytes.fromhex(mac.replace(":", ""))
        self.own = self.socket.getsockname()[4]
        self.target = target
        self.next_port = 20000

    def connect(self, sender: Sender, number: int, port: int) -> bool:
        """One connection from the first SYN to the first data; whether the server answered."""
        source = sender.sources[number % len(sender.sources)]
        client = sender.clients[number % len(sender.clients)]
        self.next_port = self.next_port + 1 if self.next_port < 60000 else 20000
        at = (source, self.next_port, port)
        option = {name: sender.option(client) for name in sender.packets}
        on = {name: option.get(name, b"") + sender.more.get(name, b"") for name in ("syn", "ack", "data")}
        first = number * 7919 + 1000
        self._drain()
        self._send(at, SYN, first, 0, struct.pack("!BBH", 2, 4, 1400) + on["syn"])
        answer = self._answer(at)
        if answer is None:
            return False
        self._send(at, ACK, first + 1, answer + 1, on["ack"])
        self._send(at, ACK | PSH, first + 1, answer + 1, on["data"], sender.payload)
        self._send(at, RST | ACK, first + 1 + len(sender.payload), answer + 1, b"")
        return True

    def lone_syn(self, sender: Sender, number: int, port: int, flags: int = SYN) -> None:
        """One packet by somebody who forges its source address and hears no answer."""
        self.next_port += 1
        source = sender.sources[number % len(sender.sources)]
        self._send(
            (source, self.next_port, port), flags, number, 7, sender.option(sender.clients[0]), b"x" * bool(flags & ACK)
        )

    def _send(
        self, at: tuple[str, int, int], flags: int, seq: int, ack: int, options: bytes, data: bytes = b""
    ) -> None:
        source, source_port, port = at
        six = ":" in source
        family = socket.AF_INET6 if six else socket.AF_INET
        server = _of_family(self.target, six)
        ends = socket.inet_pton(family, source) + socket.inet_pton(family, server)
        options += b"\1" * (-len(options) % 4)
        head = struct.pack(
            "!HHIIBBHHH",
            source_port,
            port,
            seq & 0xFFFFFFFF,
            ack & 0xFFFFFFFF,
            (20 + len(options)) // 4 << 4,
            flags,
            65000,
            0,
            0,
        )
        length = len(head) + len(options) + len(data)
        pseudo = ends + (struct.pack("!IHBB", length, 0, 0, 6) if six else struct.pack("!BBH", 0, 6, length))
        head = head[:16] + struct.pack("!H", _sum(pseudo + head + options + data)) + head[18:]
        if six:
            packet = struct.pack("!IHBB", 6 << 28, length, 6, 64) + ends
        else:
            packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, 6, 0) + ends
            packet = packet[:10] + struct.pack("!H", _sum(packet)) + packet[12:]
        frame = self.mac + self.own + struct.pack("!H", 0x86DD if six else 0x0800) + packet + head + options + data
        while True:
            with contextlib.suppress(BlockingIOError):
                self.socket.send(frame)
                return
            select.select([], [self.socket], [], 1)

    def _drain(self) -> None:
        """Forget what was answered before."""
        with contextlib.suppress(BlockingIOError):
            while self.socket.recv(2048):
                pass

    def _answer(self, at: tuple[str, int, int]) -> int | None:
        """The server's first sequence number, or None where it did not answer within two seconds."""
        until = time.monotonic() + 2
        while time.monotonic() < until:
            if not select.select([self.socket], [], [], 0.2)[0]:
                continue
            frame = self.socket.recv(2048)
            start = 14 + (40 if frame[12:14] == b"\x86\xdd" else 20)
            if len(frame) < start + 20 or frame[:6] != self.own:
                continue
            source, target, seq, _ack, _offset, flags = struct.unpack("!HHIIBB", frame[start : start + 14])
            if (source, target) == (at[2], at[1]) and flags & (SYN | ACK) == SYN | ACK:
                return int(seq)
        return None


def _of_family(target: str, six: bool) -> str:
    four, other = target.split(",")
    return other if six else four


NETWORKS = ("100.64.0.0/10", "10.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32")
SERVER4, SERVER6 = "172.31.255.1", "fd00:7::1"


class Street:
    """Two network namespaces and a wire between them: `server` accepts on `ports`, and hears whoever the balancer says it is."""

    def __init__(self, name: str, ports: Sequence[int] = (80, 443)) -> None:
        self.client, self.server = f"{name}-lb", f"{name}-web"
        self.ports = ports
        self.holder: subprocess.Popen[str] | None = None
        self.device, self.wire = "eth0", "lb0"
        """The interface that the server's addresses are on, and the balancer's."""

    def __enter__(self) -> Street:
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _build(self) -> None:
        for namespace in (self.client, self.server):
            sh("ip", "netns", "add", namespace)
            sh("ip", "-n", namespace, "link", "set", "lo", "up")
        sh("ip", "-n", self.client, "link", "add", "lb0", "type", "veth", "peer", "name", "eth0", "netns", self.server)
        self.address_on("eth0")
        self.start()

    def address_on(self, device: str) -> None:
        """Put the server's addresses on an interface, and everybody's network behind it."""
        self.device = device
        at_server = ("ip", "-n", self.server)
        sh(*at_server, "link", "set", "eth0", "up")
        sh(*at_server, "link", "set", device, "up")
        for near in {"lb0", self.wire}:
            sh("ip", "-n", self.client, "link", "set", near, "up")
        sh(*at_server, "addr", "add", f"{SERVER4}/32", "dev", device)
        sh(*at_server, "-6", "addr", "add", f"{SERVER6}/128", "dev", device, "nodad")
        mac = self.mac(self.wire, self.client)
        for network, gateway in ((n, "fd00:7::2" if ":" in n else "172.31.255.2") for n in NETWORKS):
            sh(*at_server, "neigh", "replace", gateway, "lladdr", mac, "dev", device)
            sh(*at_server, "route", "replace", network, "via", gateway, "dev", device, "onlink")

    def start(self) -> None:
        """The server begins to accept."""
        self.holder = subprocess.Popen(
            ["ip", "netns", "exec", self.server, sys.executable, "-c", SERVER, *map(str, self.ports)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.holder.stdout is not None and self.holder.stdout.readline() == "ready\n"

    def address_on_child(self, device: str) -> None:
        """As address_on(), where eth0 stays in another namespace."""
        sh("ip", "-n", self.server, "link", "set", "lo", "up")
        sh("ip", "-n", self.server, "link", "set", device, "name", "eth0")
        self.address_on("eth0")

    def stop(self) -> None:
        """The server ends."""
        if self.holder is not None:
            self.holder.communicate()
            self.holder = None

    def __exit__(self, *unused: object) -> None:
        self.stop()
        for namespace in (self.client, self.server):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)

    def mac(self, device: str, namespace: str) -> str:
        return sh("ip", "netns", "exec", namespace, "cat", f"/sys/class/net/{device}/address").strip()

    def play(self, what: str, seconds: float = 60) -> subprocess.Popen[str]:
        """Run Python statements in the balancer's namespace, with `wire` at hand; the process, for whoever waits for its end."""
        program = textwrap.dedent(f"""
            import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
            from balancer import *
            wire = Wire("{self.wire}", "{SERVER4},{SERVER6}", "{self.mac(self.device, self.server)}")
        """) + textwrap.dedent(what)
        return subprocess.Popen(
            ["timeout", str(seconds), "ip", "netns", "exec", self.client, sys.executable, "-c", program],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip


def sh(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout
