# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix of docs/ebpf.md: option formats on packets to listeners, and what the three calls show on a kernel that has the eBPF programs."""

from __future__ import annotations

import typing as t

from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import KNOWN_FORMATS, Format, mapped

CLIENTS = {4: "203.0.113.7", 6: "2001:db8::7"}
PEERS = {4: "192.0.2.2", 6: "2001:db8:0:1::2"}
PORT = 4242
VARIANTS = ("", "mptcp", "defer_accept", "syn_cookies", "fastopen")
PACKETS = ("syn", "ack", "data")
PLACES = (("inet", 4), ("inet6", 4), ("inet6", 6))

Row = list[t.Any]
"""accept, getpeername, getsockopt(1348), the peer's port, what went wrong: see target/crafted.py."""


class Cell(t.NamedTuple):
    """One crafted connection."""

    format: str
    packet: str
    listener: str
    family: int
    variant: str

    def case(self) -> list[t.Any]:
        """As target/crafted.py takes it."""
        return [option_of(self.format), *self[1:]]

    def expected(self, peer_port: int) -> list[str | None]:
        """accept, getpeername, getsockopt(1348)."""
        option = Format(*map(int, self.format.split("/")))
        peer = shown(PEERS[self.family], peer_port, self.listener)
        if not is_read(self.packet, self.variant):
            return [peer, peer, None]
        address, port = CLIENTS[option.family], PORT if option.has_port else peer_port
        plain = f"[{address}]:{port}" if option.family == 6 else f"{address}:{port}"
        name = peer if option.family == 6 and self.listener == "inet" else shown(address, port, self.listener)
        return [name, name, plain]


CELLS = [
    Cell(text, packet, *place, variant)
    for variant in VARIANTS
    for text in KNOWN_FORMATS
    for packet in PACKETS
    for place in PLACES
]


def is_read(packet: str, variant: str) -> bool:
    """SYN cookies keep nothing of the SYN, TCP_DEFER_ACCEPT drops the bare ACK, and with Fast Open the first data came with the SYN."""
    unread = (("syn", "syn_cookies"), ("ack", "defer_accept"), ("ack", "fastopen"), ("data", "fastopen"))
    return (packet, variant) not in unread


def option_of(text: str) -> str:
    """An option of a format as hex."""
    option = Format(*map(int, text.split("/")))
    return option.option(CLIENTS[option.family], PORT).hex()


def shown(address: str, port: int, listener: str) -> str:
    """An address as a listener's accept() shows it."""
    return f"[{mapped(address)}]:{port}" if listener == "inet6" else f"{address}:{port}"


def shows_client(row: Row) -> bool:
    """By any call: an AF_INET socket has no room for an IPv6 address but in getsockopt()."""
    return any(text and ("203.0.113.7" in text or "[2001:db8::7]" in text) for text in row[:3])


def wrong_cells(cells: t.Sequence[Cell], rows: t.Sequence[Row]) -> list[str]:
    """What is not as documented, in words. Prints the matrix."""
    wrong = []
    for cell, row in zip(cells, rows, strict=True):
        seen, wanted = [*row[:3], row[4]], [*cell.expected(row[3]), None]
        print(*cell, *seen, sep="\t")
        if seen != wanted:
            wrong.append(f"{' '.join(map(str, cell))}: {seen} in place of {wanted}")
    return wrong
