# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the eBPF programs read and show, cell by cell, on this machine's kernel: crafted connections in a network namespace and cgroup of their own."""

from __future__ import annotations

import random
import socket
import struct
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import KNOWN_FORMATS, padded
from ebpf_matrix import CELLS, PACKETS, VARIANTS, Row, option_of, shown, shows_client, wrong_cells
from ebpf_stage import EbpfStage
from sshd import ROOT

OBJECT = ROOT / "plugins/plugin_utils/ebpf/toa.bpf.o"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[EbpfStage]:
    with EbpfStage(tmp_path_factory.mktemp("ebpf")) as stage:
        yield stage


# ---- the object


def test_the_source_still_builds_to_the_same_instructions(tmp_path: Path) -> None:
    built = tmp_path / "toa.bpf.o"
    subprocess.run([ROOT / "ebpf/build.sh", built], check=True)
    assert instructions(built) == instructions(OBJECT), "run `make ebpf` and commit the object"


def instructions(path: Path) -> str:
    """Instructions with their relocations, licence and maps."""
    done = subprocess.run(
        ["llvm-objdump", "-d", "-r", "-s", "-j", "license", "-j", ".maps", "-j", ".text", "-j", "sockops", "-j", "cgroup/getpeername4",
         "-j", "cgroup/getpeername6", "-j", "cgroup/getsockopt", path], capture_output=True, text=True, check=True)  # fmt: skip
    return done.stdout.replace(str(path), "")


def test_the_object_is_under_a_licence_that_the_kernel_accepts() -> None:
    contents = subprocess.run(
        ["llvm-objdump", "-s", "-j", "license", OBJECT], capture_output=True, text=True, check=True
    ).stdout
    assert contents.rstrip().endswith("GPL.")


# ---- the matrix


@pytest.fixture(scope="module")
def matrix(stage: EbpfStage) -> list[Row]:
    stage.ebpf(kinds=KNOWN_FORMATS)
    return stage.crafted(cell.case() for cell in CELLS)


def test_every_cell_is_as_documented(matrix: list[Row]) -> None:
    assert len(matrix) == 315 and wrong_cells(CELLS, matrix) == []


def test_the_table_of_the_documentation_is_what_was_seen(matrix: list[Row]) -> None:
    """Rows are packets, columns listeners, over all formats, families and calls."""
    lines = []
    for packet in PACKETS:
        words = []
        for variant in VARIANTS:
            seen = {
                shows_client(row)
                for cell, row in zip(CELLS, matrix, strict=True)
                if (cell.packet, cell.variant) == (packet, variant)
            }
            assert len(seen) == 1, (packet, variant)
            words.append("client" if seen.pop() else "peer")
        lines.append("| " + " | ".join([packet, *words]) + " |")
    table = (ROOT / "docs/ebpf.md").read_text()
    assert [line for line in lines if line not in table] == []


def is_broken(area: bytes) -> bool:
    """Options with impossible lengths: from 6.7 on the kernel drops such packets itself, because an authentication option may hide there."""
    at = 0
    while at < len(area) and area[at] != 0:
        if area[at] != 1 and (at + 1 == len(area) or not 2 <= area[at + 1] <= len(area) - at):
            return True
        at += 1 if area[at] == 1 else area[at + 1]
    return False


def test_a_listener_from_before_has_its_syns_read_when_it_is_made_anew(stage: EbpfStage) -> None:
    """listen() is when the kernel is told to keep SYNs; all other packets are read at once."""
    stage.ebpf()
    files = "/var/lib/realip-toa/ebpf"
    stage.run("sh", f"{files}/loader.sh", "detach")
    rows = stage.crafted([(option_of("200/8"), packet) for packet in PACKETS], between=f"sh {files}/loader.sh attach")
    assert [shows_client(row) for row in rows] == [False, True, True]
    assert [shows_client(row) for row in stage.crafted([(option_of("200/8"), "syn")])] == [True]


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
    stage.ebpf(kinds=["200/8", "253/20", "28/7"])
    for packet in ("ack", "data"):
        for listener in ("inet", "inet6"):
            row = stage.crafted([(option, packet, listener)])[0]
            # From 6.7 on the kernel itself drops a bare ACK whose options have impossible lengths.
            assert row[4] or row[:3] == [shown("192.0.2.2", row[3], listener)] * 2 + [None], row


WELL_FORMED = {
    "alone": "c8081092cb007107",
    "after padding": "01010101c8081092cb007107",
    "after unknown options": "6f03aa6f0401ffc8081092cb007107",
    "before others": "c8081092cb0071076f04aaaa00",
    "the first of two": "c8081092cb007107c8081092c6336401",
    "at the very end of the longest header": "01" * 32 + "c8081092cb007107",
}


@pytest.mark.parametrize("option", WELL_FORMED.values(), ids=WELL_FORMED)
def test_well_formed_options_are_found_wherever_they_stand(stage: EbpfStage, option: str) -> None:
    stage.ebpf(kinds=["200/8"])
    assert [row[:2] for row in stage.crafted([(option,)])] == [["203.0.113.7:4242"] * 2]


IMPOSSIBLE = {
    "loops back": "c80810927f000001",
    "of another loop": "c80810927f123456",
    "of this network": "c808109200000001",
    "of a group": "c8081092e0000001",
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


def test_any_bytes_at_all(stage: EbpfStage) -> None:
    """600 random option areas against a second reader, in Python."""
    kinds = ["200/8", "254/8", "253/20", "28/7", "28/19"]
    stage.ebpf(kinds=kinds)
    dice = random.Random(254)
    areas = [padded(random_area(dice))[:40] for _ in range(600)]
    rows = stage.crafted([(area.hex(), "ack", "inet6") for area in areas])
    found = 0
    for area, row in zip(areas, rows, strict=True):
        client = reference(area, kinds)
        if row[4]:
            assert is_broken(area), (area.hex(), row)
            continue
        found += client is not None
        if client is None:
            assert row[:3] == [shown("192.0.2.2", row[3], "inet6")] * 2 + [None], (area.hex(), row)
        else:
            address, port = client
            assert row[0] == row[1] == shown(address, row[3] if port is None else port, "inet6"), (area.hex(), row)
    assert 100 < found < 500


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


def reference(area: bytes, kinds: list[str]) -> tuple[str, int | None] | None:
    """The client in an option area of whole words, as docs/ebpf.md says it is read."""
    ours = {int(text.split("/")[0]) for text in kinds}
    at = 0
    while at < len(area) and area[at] != 0:
        if area[at] == 1:
            at += 1
            continue
        kind, length = area[at], area[at + 1] if at + 1 < len(area) else 0
        if not 2 <= length <= 40:
            return None
        if kind in ours:
            body = area[at + 2 : at + length]
            if f"{kind}/{length}" not in kinds or at + length > len(area):
                return None
            port = struct.unpack("!H", body[:2])[0] if length in (8, 20) else None
            address = body[2:] if length in (8, 20) else body[1:]
            if not any(address) or (length == 7 and body[0] != 1):
                return None
            if is_impossible(address, port):
                return None
            return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address), port
        at += length
    return None


def is_impossible(address: bytes, port: int | None) -> bool:
    """No client has it. Of the random bytes of random_area() some are; none is that of an end."""
    if port == 0:
        return True
    if len(address) == 16 and address[:12] == bytes(10) + b"\xff\xff":
        address = address[12:]
    if len(address) == 4:
        return address[0] in (0, 127) or address[0] >= 224
    return address[:12] == bytes(12) or address[0] == 255 or (address[0] == 254 and address[1] & 192 == 128)


# ---- who is believed


def believed(stage: EbpfStage, peers: t.Sequence[str]) -> list[bool]:
    """From each peer, an option on each packet: is it believed? The same answer on every packet."""
    cases = [
        (option_of("200/8"), packet, "inet6", 6 if ":" in peer else 4, "", peer) for peer in peers for packet in PACKETS
    ]
    seen = [shows_client(row) for row in stage.crafted(cases)]
    assert all(len(set(seen[place : place + 3])) == 1 for place in range(0, len(seen), 3)), seen
    return seen[::3]


PEERS = ("10.1.2.3", "10.2.0.1", "198.51.100.66", "2001:db8:0:1::2", "2001:db8:0:2::66")


@pytest.mark.parametrize(
    "networks, answers",
    [
        ([], [True] * 5),
        (["10.1.0.0/16"], [True, False, False, False, False]),
        (["10.1.2.3/32", "198.51.100.64/26"], [True, False, True, False, False]),
        (["10.1.2.2/32"], [False] * 5),
        (["0.0.0.0/0"], [True, True, True, False, False]),
        (["::/0"], [False, False, False, True, True]),
        (["2001:db8:0:1::/64", "10.0.0.0/8"], [True, True, False, True, False]),
        (["::ffff:0:0/96"], [False] * 5),
    ],
)
def test_only_packets_from_trusted_sources_count(stage: EbpfStage, networks: list[str], answers: list[bool]) -> None:
    stage.ebpf(trusted_sources=networks)
    assert believed(stage, PEERS) == answers


def test_the_list_changes_in_place(stage: EbpfStage) -> None:
    stage.ebpf(trusted_sources=["10.1.0.0/16"])
    before = stage.programs()
    changed = stage.ebpf(trusted_sources=["10.2.0.0/16", "2001:db8::/32"])
    assert changed["changed"] and changed["after"]["trusted_sources"] == ["10.2.0.0/16", "2001:db8::/32"]
    assert believed(stage, PEERS) == [False, True, False, True, True]
    assert stage.programs() == before


def test_as_many_networks_as_there_is_room_for(stage: EbpfStage) -> None:
    networks = [f"10.{high}.{low}.0/24" for high in range(16) for low in range(256)]
    assert stage.ebpf(trusted_sources=networks)["after"]["trusted_sources"] == sorted(networks)
    assert believed(stage, PEERS) == [True, True, False, False, False]
    refused = stage.ebpf(trusted_sources=[*networks, "10.99.0.0/24"])
    assert refused["code"] == "bad_option" and "4096" in refused["msg"]
    assert stage.ebpf(trusted_sources=["10.99.0.0/24"])["after"]["trusted_sources"] == ["10.99.0.0/24"]
    assert believed(stage, PEERS) == [False] * 5


# ---- counters and other calls


def test_counters(stage: EbpfStage) -> None:
    stage.ebpf(trusted_sources=["192.0.2.0/24"])
    before = stage.ebpf("status")["counters"]
    client, stranger = (option_of("200/8"),), (option_of("200/8"), "ack", "inet", 4, "", "198.51.100.66")
    stage.crafted([client] * 3 + [("",)] * 5 + [stranger] * 2 + [(MALFORMED["shorter than its kind says"],)])
    stage.crafted([(IMPOSSIBLE["loops back"],)])
    after = stage.ebpf("status")["counters"]
    assert {name: after[name] - before[name] for name in after} == {
        "translated": 3,
        "no_option": 5,
        "untrusted": 2,
        "malformed": 1,
        "impossible": 1,
    }
    assert stage.target("programs.facts")["counters"] == {f"ebpf_{name}": value for name, value in after.items()}


LONG = """
import ctypes, errno, os, socket
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen(1)
client = socket.create_connection(listener.getsockname()); server = listener.accept()[0]
library = ctypes.CDLL(None, use_errno=True)
for level, name in ((0, 1348), (0, 9999), (6, 11)):
    for size in (4, 16, 28, 4096, 4097, 100000):
        buffer, length = ctypes.create_string_buffer(size), ctypes.c_int(size)
        code = library.getsockopt(server.fileno(), level, name, buffer, ctypes.byref(length))
        print(level, name, size, errno.errorcode[ctypes.get_errno()] if code else length.value)
"""


def test_other_socket_options_answer_as_before(stage: EbpfStage) -> None:
    """Long buffers too: a program on this hook that does not mind them turns every answer into EFAULT."""
    stage.ebpf("detached")
    before = stage.run("python3", "-c", LONG).stdout
    stage.ebpf()
    assert stage.run("python3", "-c", LONG).stdout == before and before.count("ENOPROTOOPT") == 12


def test_getsockopt_may_be_left_out(stage: EbpfStage) -> None:
    assert stage.ebpf(getsockopt=False)["after"]["getsockopt"] is False
    assert sorted(stage.programs()) == ["realip_peer4", "realip_peer6", "realip_sockops"]
    assert [row[:3] for row in stage.crafted([(option_of("200/8"),)])] == [["203.0.113.7:4242"] * 2 + [None]]
    assert stage.ebpf()["after"]["getsockopt"] is True
