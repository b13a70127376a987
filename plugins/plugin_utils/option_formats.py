# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP option formats, written KIND/LENGTH as in "200/8", and who sends which.

The length counts kind and length bytes. It also tells what is inside, except for a few kinds of Alibaba's and
Tencent's VPCs that carry something else than a client address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ansible_collections.realip.toa.plugins.module_utils.common.option_formats import (
    LAYOUTS,
    LONGEST,
    OTHER_MEANINGS,
    PACKETS,
    PLACES,
    SHORTEST,
    TAKEN_KINDS,
)


class Profile(NamedTuple):
    """What one vendor's nodes send: in which formats, on which packets, and where in the header.

    Packets and place are what was read in a sender's source or in the vendor's document. What nobody knows is not read: the kernel modules
    show that a vendor writes on the packet that completes the handshake, and nothing about others.
    """

    option_kinds: tuple[str, ...]
    source: str
    packets: tuple[str, ...] = ("ack",)
    place: str = "unknown"


# Order within a profile: IPv4 first. A profile names what the vendor *sends*; modules may accept more.
VENDORS = {
    "tencent": Profile(("200/8",), "Tencent Cloud 685/18805: Anti-DDoS, EdgeOne, GAAP, CLB"),
    "alibaba": Profile(("254/8", "253/20"), "Alibaba Cloud vtoa instructions; Anti-DDoS Proxy: last ACK, kind 254"),
    "alibaba_cdn": Profile(("28/7", "28/19"), "aliyun/alibabacloud-cdn-tool-toa: CDN and DCDN", ("syn",)),
    "huawei": Profile(("254/8",), "Huawei/TCP_option_address; ELB, GA, AAD"),
    "ucloud": Profile(("200/8", "254/8"), "ucloud/ucloud-toa: UCLOUD and COMPAT"),
    "lvs": Profile(
        ("254/8", "253/20"), "alibaba/LVS, FullNAT: until the client acknowledges data", ("ack", "data"), "front"
    ),
    "dpvs": Profile(
        ("254/8", "254/20"), "iqiyi/dpvs kmod/toa: the length tells IPv4 from IPv6", ("ack", "data"), "front"
    ),
    "jupiter": Profile(("200/8",), "tiglabs/jupiter core/lb_toa.c: the first ACK", ("ack",), "end"),
    "netscaler": Profile(
        ("28/7",), "Citrix NetScaler, client IP in TCP option: final ACK and first data packet", ("ack", "data")
    ),
    "akamai": Profile(("28/7",), "Citrix and F5 documents on Akamai"),
    "f5": Profile(("28/7",), "F5 BIG-IP TCP::option get 28"),
}
CUSTOM = "custom"
VENDOR_CHOICES = (*VENDORS, CUSTOM)

# What the eBPF backend looks for where no vendor was named: all that is in wide use and cannot be mistaken for anything else.
COMMON = ("200/8", "254/8", "253/20")

# Kind of Alibaba's 249/40, which vtoa reads and no profile sends.
V6VTOA = 249

_FORMAT = re.compile(r"([0-9]{1,3})/([0-9]{1,2})\Z")


class Format(NamedTuple):
    """One option format."""

    kind: int
    length: int

    def __str__(self) -> str:
        return f"{self.kind}/{self.length}"

    @property
    def layout(self) -> str:
        """What it carries, "" where that is not known to be a client address."""
        return "" if self in OTHER_MEANINGS else LAYOUTS.get(self.length, (0, False, ""))[2]

    @property
    def is_ipv6(self) -> bool:
        """Whether the client that it carries has an IPv6 address."""
        return LAYOUTS.get(self.length, (0, False, ""))[0] == 6


def parse(text: object) -> Format:
    """ "200/8" -> Format(200, 8); ValueError with one sentence for anything that cannot be an address option."""
    match = _FORMAT.match(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(
            f"{text!r:.80} is not an option format; write KIND/LENGTH as in '200/8' (Tencent) or '254/8' (Alibaba, Huawei)"
        )
    found = Format(int(match.group(1)), int(match.group(2)))
    if found.kind in TAKEN_KINDS:
        raise ValueError(
            f"option kind {found.kind} of {text!r} is {TAKEN_KINDS[found.kind]} in every TCP stack; it cannot carry an address"
        )
    if found.kind > 255:
        raise ValueError(f"option kind {found.kind} of {text!r} does not fit in a byte; kinds go from 1 to 255")
    if not SHORTEST <= found.length <= LONGEST:
        raise ValueError(
            f"option length {found.length} of {text!r} is impossible; it counts kind and length bytes and goes from {SHORTEST} to {LONGEST}"
        )
    return found


def normalise(texts: object) -> list[str]:
    """A list of formats, each checked and written in one way, without repetitions; ValueError as in parse()."""
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise ValueError(f"option kinds are a list as in ['200/8', '254/8']; got {texts!r:.80}")
    return list(dict.fromkeys(str(parse(text)) for text in texts))


def wanted(vendor: str, option_kinds: Sequence[str]) -> list[str]:
    """What shall be translated: the operator's list, or else the vendor's profile; empty where neither was given.

    Raises ValueError for an unknown vendor, a wrong format, or `custom` without a list.
    """
    if vendor and vendor not in VENDOR_CHOICES:
        raise ValueError(f"unknown vendor {vendor!r:.40}; expected one of {', '.join(VENDOR_CHOICES)}")
    listed = normalise(option_kinds)
    if vendor == CUSTOM and not listed:
        raise ValueError("vendor custom says nothing by itself: name the formats in toa_option_kinds, as in ['200/8']")
    return listed or (list(VENDORS[vendor].option_kinds) if vendor else [])


def profile(
    vendor: str, packets: Sequence[str] | None = None, place: str | None = None
) -> tuple[list[str] | None, str | None]:
    """On which packets the option is read, and where in the header the load balancer puts it: as the operator says, or else as the vendor does.

    None where nobody says which load balancer it is: then what is read already is left alone. ValueError for packets or a place that do
    not exist.
    """
    strange = [packet for packet in packets or () if packet not in PACKETS]
    if isinstance(packets, str) or strange:
        raise ValueError(f"toa_option_packets is a list of some of {', '.join(PACKETS)}; got {packets!r:.80}")
    if place and place not in PLACES:
        raise ValueError(f"toa_option_place is one of {', '.join(PLACES)}; got {place!r:.40}")
    known = VENDORS.get(vendor, Profile((), "")) if vendor else None
    chosen = packets or (known.packets if known else None)
    return [packet for packet in PACKETS if packet in chosen] if chosen else None, place or (
        known.place if known else None
    )


def unknown(option_kinds: Iterable[str]) -> list[str]:
    """Those formats of which nobody knows what they carry."""
    return [text for text in option_kinds if not parse(text).layout]


def stripped_kinds(option_kinds: Iterable[str]) -> list[int]:
    """The kinds that an option filter takes from strangers: those of these formats, and every other that some receiver is known to read.

    A module often reads more than the load balancer sends, and whoever forges an address takes his choice.
    """
    known = [*option_kinds, *(text for profile in VENDORS.values() for text in profile.option_kinds)]
    return sorted({parse(text).kind for text in known} | {kind for kind, _length in OTHER_MEANINGS} | {V6VTOA})
