# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes of an adversary, and what an application may see of each.

A stranger reaches the host past the load balancer and writes whatever he likes into any packet. A client behind the load balancer writes
whatever he likes too: the balancer passes his options on, and puts its own in front of them in the packets in which its kind does
(field guide, section 11). The oracle, for both: the application sees the peer, or the address that the balancer wrote.

What nobody can tell from the packets is not here: a client that fills the header, so that the balancer has no room (docs/security.md).
"""

from __future__ import annotations

import ipaddress
import struct
import typing as t

from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import OPTIONS, endpoint, mapped
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

Shot = dict[str, t.Any]
Seen = dict[str, t.Any]

TRUSTED = {4: ("192.0.2.2", "192.0.2.77"), 6: ("2001:db8:0:1::2", "2001:db8:0:1::77")}
NETWORKS = ["192.0.2.0/24", "2001:db8:0:1::/64"]
STRANGERS = {
    4: ("198.51.100.9", "10.66.66.66", "100.64.0.66", "203.0.113.66"),
    6: ("2001:db8:0:2::66", "fd00::66", "2001:db8:ffff::1"),
}
# Who a stranger would like to be, those that no client can be included.
WANTED = (
    "203.0.113.7", "127.0.0.1", "192.0.2.1", "192.0.2.2", "0.0.0.0", "255.255.255.255", "224.0.0.1", "10.0.0.1", "169.254.1.1",
    "2001:db8::7", "::1", "::", "::ffff:127.0.0.1", "fe80::1", "ff02::1", "2001:db8:0:1::1", "::ffff:203.0.113.7",
)  # fmt: skip
PORTS = (4242, 80, 0, 1, 65535)
VARIANTS = ("", "", "", "defer_accept", "fastopen", "mptcp", "syn_cookies")
WRAPS = {
    4: ("fragments",),
    6: ("fragments", "hop-by-hop options", "destination options", "a fragment header", "two fragment headers", "hop-by-hop options, in fragments",
        "destination options inside of fragments"),
}  # fmt: skip
# Kinds that some receiver reads, those of TCP itself, and some of nobody.
KINDS = (200, 200, 200, 254, 254, 253, 28, 201, 249, 250, 252, 2, 3, 4, 8, 30, 34, 111)
LENGTHS = (8, 8, 8, 20, 7, 19, 0, 1, 2, 3, 4, 6, 9, 12, 39, 40, 41, 255)


def forged(kind: int, wanted: str, port: int) -> bytes:
    """A whole option that names an address, laid out as its length says."""
    packed = ipaddress.ip_address(wanted).packed
    return struct.pack("!BBH", kind, 4 + len(packed), port) + packed


WHOLE = st.builds(forged, st.sampled_from((200, 200, 254, 253, 28)), st.sampled_from(WANTED), st.sampled_from(PORTS))
# A kind, a length that need not be true, and some bytes.
BROKEN = st.builds(
    lambda kind, length, body: bytes((kind, length)) + body,
    st.sampled_from(KINDS), st.sampled_from(LENGTHS), st.sampled_from((b"", b"\x00", b"\x10\x92\x7f\x00\x00\x01", b"\xc8\x08", b"\xe2\xd4")),
)  # fmt: skip
FILLING = st.sampled_from(
    (
        b"\x01",
        b"\x01\x01\x01",
        b"\x00",
        b"\x02\x04\x05\xb4",
        b"\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x00",
        b"\xc8",
        b"\xc8\x02",
    )
)
PARTS = st.lists(st.one_of(WHOLE, WHOLE, BROKEN, FILLING), min_size=1, max_size=6)


def area(parts: t.Sequence[bytes], room: int = OPTIONS) -> bytes:
    """As much of it as fits, cut wherever that may be: a truncated end is one of the tricks."""
    return b"".join(parts)[:room]


# Which packets of a stranger's carry options; receivers read the handshake's ACK above all.
PLACES = (
    ("ack",),
    ("ack",),
    ("syn",),
    ("syn", "ack"),
    ("ack", "data"),
    ("data",),
    ("later",),
    ("syn", "ack", "data", "later"),
)
# How often a client behind the balancer tries something in a packet.
SOMETIMES = st.one_of(st.just([]), st.just([]), PARTS)


@st.composite
def strangers(draw: t.Any) -> Shot:
    """A stranger's handshake: forged options on any of its packets, which may be fragments or hide behind extension headers."""
    family = draw(st.sampled_from((4, 4, 6)))
    shot = _shot(draw, family, draw(st.sampled_from(STRANGERS[family])))
    for packet in draw(st.sampled_from(PLACES)):
        shot["options"][packet] = area(draw(PARTS)).hex()
    if draw(st.integers(0, 9)) == 9:
        shot["wrap"][packet] = draw(st.sampled_from(WRAPS[family]))
    return {**shot, "odd": True}


@st.composite
def clients(draw: t.Any) -> Shot:
    """A client's handshake through the load balancer, who writes the genuine address in front on the handshake's ACK and on the first data."""
    family = draw(st.sampled_from((4, 4, 6)))
    shot = _shot(draw, family, draw(st.sampled_from(TRUSTED[family])))
    genuine = f"198.18.7.{draw(st.integers(1, 250))}"
    own = forged(200, genuine, 30000)
    for packet in ("syn", "ack", "data", "later"):
        options = area(draw(SOMETIMES))
        if packet in ("ack", "data"):
            options = (own + options)[:OPTIONS]
        if options:
            shot["options"][packet] = options.hex()
    return {**shot, "genuine": [genuine, 30000], "odd": True}


def _shot(draw: t.Any, family: int, peer: str) -> Shot:
    listener = "inet6" if family == 6 else draw(st.sampled_from(("inet", "inet6")))
    return {**plain(family, peer), "listener": listener, "variant": draw(st.sampled_from(VARIANTS))}


def plain(family: int, peer: str, **options: str) -> Shot:
    """An ordinary connection, with these options on its packets."""
    listener = "inet6" if family == 6 else "inet"
    return {
        "peer": peer,
        "family": family,
        "listener": listener,
        "variant": "",
        "options": options,
        "wrap": {},
        "genuine": None,
    }


def wrong(shot: Shot, seen: Seen) -> str:
    """What the application should not have seen, or what a filter should not have let through; "" where all is well."""
    allowed = _ways(shot, shot["peer"], seen["port"])
    if shot["genuine"]:
        allowed |= _ways(shot, *shot["genuine"])
    strange = [text for text in seen["told"] if text is not None and text not in allowed]
    if strange:
        return f"the application saw {strange[0]}"
    if seen["passed"] and shot["peer"] not in TRUSTED[shot["family"]]:
        return f"option {seen['passed'][0]} came through the filter"
    return ""


def _ways(shot: Shot, address: str, port: int) -> set[str]:
    """An address as accept(), getpeername() and getsockopt() may write it."""
    return {endpoint(address, port), endpoint(mapped(address), port)}


def some(count: int, seed_: int) -> list[Shot]:
    """That many handshakes of strangers, for a machine that is asked once."""
    found: list[Shot] = []

    @seed(seed_)
    @settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        database=None,
    )
    @given(strangers())
    def collect(shot: Shot) -> None:
        found.append(shot)

    collect()
    return found[:count]
