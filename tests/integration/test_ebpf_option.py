# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which option the eBPF programs read out of one header, and which they do not: against a second reader, in Python."""

from __future__ import annotations

import random
import socket
import struct
import typing as t

import pytest
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import padded
from ebpf_matrix import option_of, shown
from ebpf_stage import EbpfStage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[EbpfStage]:
    with EbpfStage(tmp_path_factory.mktemp("ebpf")) as stage:
        yield stage


def is_broken(area: bytes) -> bool:
    """Options with impossible lengths: from 6.7 on the kernel drops such packets itself, because an authentication option may hide there."""
    at = 0
    while at < len(area) and area[at] != 0:
        if area[at] != 1 and (at + 1 == len(area) or not 2 <= area[at + 1] <= len(area) - at):
            return True
        at += 1 if area[at] == 1 else area[at + 1]
    return False


# ---- options that are not as they should be


MALFORMED = {
    "shorter than its kind says": "c806109203007100",
    "longer": "c809109203007107aa",
    "length zero": "c800109203007107",
    "length one": "c801109203007107",
    "beyond the header": "0101c8081092cb",
    "beyond any header": "c8ff109203007107",
    "no address": "c808109200000000",
    "no IPv6 address": "fd141092" + "00" * 16,
    "another version of the CDN's": "1c0702cb007107",
    "of a length that another kind has": "fd08109203007107",
    "after the end of the options": "00c808109203007107",
    "before something broken": "0200c808109203007107",
}


@pytest.mark.parametrize("option", MALFORMED.values(), ids=MALFORMED)
def test_malformed_options_are_ignored(stage: EbpfStage, option: str) -> None:
    stage.ebpf(kinds=["200/8", "253/20", "28/7"], packets=["ack", "data"])
    cases = [(option, packet, listener) for packet in ("ack", "data") for listener in ("inet", "inet6")]
    for case, row in zip(cases, stage.crafted(cases), strict=True):
        # From 6.7 on the kernel itself drops a bare ACK whose options have impossible lengths.
        assert row[4] or row[:3] == [shown("192.0.2.2", row[3], case[2])] * 2 + [None], row


WELL_FORMED = {
    "alone": "c8081092cb007107",
    "after padding": "01010101c8081092cb007107",
    "after unknown options": "6f03aa6f0401ffc8081092cb007107",
    "before others": "c8081092cb0071076f04aaaa00",
    "behind SMC-R": "fe06e2d4c3d9c8081092cb007107",
    "behind one of our kind and another length": "c804aaaac8081092cb007107",
    "behind another version of the CDN's": "1c0702c63364011c04aaaac8081092cb007107",
    "at the very end of the longest header": "01" * 32 + "c8081092cb007107",
}


@pytest.mark.parametrize("option", WELL_FORMED.values(), ids=WELL_FORMED)
def test_well_formed_options_are_found_wherever_they_stand(stage: EbpfStage, option: str) -> None:
    stage.ebpf(kinds=["200/8", "254/8", "28/7"])
    assert [row[:2] for row in stage.crafted([(option,)])] == [["203.0.113.7:4242"] * 2]


IMPOSSIBLE = {
    "loops back": "c80810927f000001",
    "of another loop": "c80810927f123456",
    "of this network": "c808109200000001",
    "of a group": "c8081092e0000001",
    "of a link": "c8081092a9fea9fe",
    "of everybody": "c8081092ffffffff",
    "without a port": "c8080000cb007107",
    "the load balancer's own": "c8081092c0000202",
    "the host's own": "c8081092c0000201",
    "mapped and loops back": "fd141092" + "00" * 10 + "ffff7f000001",
    "mapped and of nobody": "fd141092" + "00" * 10 + "ffff00000000",
    "mapped and the host's own": "fd141092" + "00" * 10 + "ffffc0000201",
    "IPv6, loops back": "fd141092" + "00" * 15 + "01",
    "IPv6, of a link": "fd141092fe80" + "00" * 13 + "01",
    "IPv6, of a group": "fd141092ff02" + "00" * 13 + "01",
    "the CDN's, loops back": "1c07017f000001",
}
IMPOSSIBLE6 = {
    "the load balancer's own": "fd14109220010db8000000010000000000000002",
    "the host's own": "fd14109220010db8000000010000000000000001",
}


def test_addresses_that_no_client_can_have_are_refused(stage: EbpfStage) -> None:
    """Redis, PostgreSQL and nginx let 127.0.0.1 in: even a load balancer that is believed cannot say that."""
    stage.ebpf(kinds=["200/8", "253/20", "28/7"], trusted_sources=["192.0.2.0/24", "2001:db8:0:1::/64"])
    before = stage.ebpf("status")["counters"]["impossible"]
    cases = [(option, "ack", listener) for option in IMPOSSIBLE.values() for listener in ("inet", "inet6")]
    rows = stage.crafted(cases)
    wrong = [
        (case, row)
        for case, row in zip(cases, rows, strict=True)
        if row[:3] != [shown("192.0.2.2", row[3], case[2])] * 2 + [None]
    ]
    assert wrong == []
    rows = stage.crafted([(option, "ack", "inet6", 6) for option in IMPOSSIBLE6.values()])
    assert [row[:3] for row in rows] == [[shown("2001:db8:0:1::2", row[3], "inet6")] * 2 + [None] for row in rows]
    assert stage.ebpf("status")["counters"]["impossible"] - before == len(cases) + len(IMPOSSIBLE6)


@pytest.mark.parametrize("place", ["unknown", "front", "end"])
def test_any_bytes_at_all(stage: EbpfStage, place: str) -> None:
    """400 random option areas against a second reader, in Python."""
    kinds = ["200/8", "254/8", "253/20", "28/7", "28/19"]
    stage.ebpf(kinds=kinds, place=place)
    before = stage.ebpf("status")["counters"]
    dice = random.Random(254)
    areas = [padded(random_area(dice))[:40] for _ in range(700)]
    # From 6.7 on the kernel drops what is broken, and each of them is waited for.
    areas = [area for area in areas if not is_broken(area)] + [area for area in areas if is_broken(area)][:4]
    rows = stage.crafted([(area.hex(), "ack", "inet6") for area in areas])
    after = stage.ebpf("status")["counters"]
    expected = dict.fromkeys(after, 0)
    for area, row in zip(areas, rows, strict=True):
        if row[4]:
            assert is_broken(area), (area.hex(), row)
            continue
        outcome, address, port = reference(area, kinds, place)
        expected[outcome] += 1
        if outcome != "translated":
            assert row[:3] == [shown("192.0.2.2", row[3], "inet6")] * 2 + [None], (area.hex(), row)
        else:
            assert row[0] == row[1] == shown(address, row[3] if port is None else port, "inet6"), (area.hex(), row)
    outcomes = ("translated", "no_option", "malformed", "impossible", "ambiguous")
    assert [after[name] - before[name] for name in outcomes] == [expected[name] for name in outcomes]
    assert expected["translated"] > 40 and expected["malformed"] > 20 and expected["impossible"] > 20
    assert (expected["ambiguous"] > 20) == (place != "front")


def random_area(dice: random.Random) -> bytes:
    area = b""
    while len(area) < dice.choice((4, 12, 20, 28, 36, 40)):
        kind = dice.choice((0, 1, 1, 1, 28, 200, 253, 254, 111, 77))
        length = {28: dice.choice((7, 19, 4)), 200: 8, 254: 8, 253: 20}.get(kind, dice.randrange(2, 9))
        if dice.random() < 0.1:
            length = dice.randrange(0, 256)
        body = bytes(dice.choice((0, 1, 1, 203, 254)) for _ in range(max(length - 2, 0) % 38))
        area += bytes([kind]) if kind < 2 else bytes([kind, length]) + (b"\1" + body[1:] if kind == 28 else body)
    return area[:40]


def reference(area: bytes, kinds: list[str], place: str) -> tuple[str, str, int | None]:
    """What becomes of an option area of whole words, and the client in it, as docs/ebpf.md says it is read."""
    ours = {int(text.split("/")[0]) for text in kinds}
    found, strange, hidden, at = [], False, False, 0
    while at < len(area) and area[at] != 0:
        if area[at] == 1:
            at += 1
            continue
        kind, length = area[at], area[at + 1] if at + 1 < len(area) else 0
        if not 2 <= length <= len(area) - at:
            hidden = True
            break
        body = area[at + 2 : at + length]
        if f"{kind}/{length}" in kinds and (length != 7 or body[0] == 1):
            found.append(body)
        strange |= kind in ours
        at += length
    else:
        hidden = any(byte > 1 for byte in area[at:])
    if not found:
        return "malformed" if strange or hidden else "no_option", "", None
    if place != "front" and hidden or place == "unknown" and len(found) > 1:
        return "ambiguous", "", None
    body = found[-1 if place == "end" else 0]
    has_port = len(body) in (6, 18)
    port = struct.unpack("!H", body[:2])[0] if has_port else None
    address = body[2:] if has_port else body[1:]
    outcome = "impossible" if is_impossible(address, port) else "translated"
    return outcome, socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address), port


def is_impossible(address: bytes, port: int | None) -> bool:
    """No client has it. Of the random bytes of random_area() some are; none is that of an end."""
    if port == 0:
        return True
    if len(address) == 16 and address[:12] == bytes(10) + b"\xff\xff":
        address = address[12:]
    if len(address) == 4:
        return address[0] in (0, 127) or address[0] >= 224 or address[:2] == b"\xa9\xfe"
    return address[:12] == bytes(12) or address[0] == 255 or (address[0] == 254 and address[1] & 192 == 128)


def test_what_follows_the_client_is_the_load_balancers_own(stage: EbpfStage) -> None:
    """254/16 of toa-dkms: port and IPv4 address, then eight bytes that name no client."""
    stage.ebpf(kinds=["254/8", "254/16"])
    option = "fe10" + "1092" + "cb007107" + "01bb0000c6336442"
    for row in stage.crafted([(option,), (option, "ack", "inet6"), (option + "01" * 4,)]):
        assert all("203.0.113.7" in text and text.endswith(":4242") for text in row[:2]), row


# ---- counters


def test_counters(stage: EbpfStage) -> None:
    stage.ebpf(trusted_sources=["192.0.2.0/24"])
    before = stage.ebpf("status")["counters"]
    client, stranger = (option_of("200/8"),), (option_of("200/8"), "ack", "inet", 4, "", "198.51.100.66")
    stage.crafted([client] * 3 + [("",)] * 5 + [stranger] * 2 + [(MALFORMED["shorter than its kind says"],)])
    stage.crafted([(IMPOSSIBLE["loops back"],)])
    after = stage.ebpf("status")["counters"]
    moved = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert moved == {
        "translated": 3,
        "translated_on_ack": 3,
        "no_option": 5,
        "untrusted": 2,
        "malformed": 1,
        "impossible": 1,
        "kind_200": 3,
        "from_trusted": 10,  # all but the two strangers
    }
    assert stage.target("programs.facts")["counters"] == {f"ebpf_{name}": value for name, value in after.items()}
