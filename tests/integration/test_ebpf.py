# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the eBPF programs read and show, cell by cell, on this machine's kernel: crafted connections in a network namespace and cgroup of their own."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import KNOWN_FORMATS
from ebpf_matrix import CELLS, PACKETS, VARIANTS, Row, option_of, shows_client, wrong_cells
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
    stage.ebpf(kinds=KNOWN_FORMATS, packets=PACKETS)
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


def test_a_listener_from_before_has_its_syns_read_when_it_is_made_anew(stage: EbpfStage) -> None:
    """listen() is when the kernel is told to keep SYNs; all other packets are read at once."""
    stage.ebpf(packets=PACKETS)
    files = "/var/lib/realip-toa/ebpf"
    stage.run("sh", f"{files}/loader.sh", "detach")
    rows = stage.crafted([(option_of("200/8"), packet) for packet in PACKETS], between=f"sh {files}/loader.sh attach")
    assert [shows_client(row) for row in rows] == [False, True, True]
    assert [shows_client(row) for row in stage.crafted([(option_of("200/8"), "syn")])] == [True]


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
    stage.ebpf(trusted_sources=networks, packets=PACKETS)
    assert believed(stage, PEERS) == answers


def test_another_list(stage: EbpfStage) -> None:
    stage.ebpf(trusted_sources=["10.1.0.0/16"], packets=PACKETS)
    changed = stage.ebpf(trusted_sources=["10.2.0.0/16", "2001:db8::/32"], packets=PACKETS)
    assert changed["changed"] and changed["after"]["trusted_sources"] == ["10.2.0.0/16", "2001:db8::/32"]
    assert believed(stage, PEERS) == [False, True, False, True, True]


def test_as_many_networks_as_there_is_room_for(stage: EbpfStage) -> None:
    networks = [f"10.{high}.{low}.0/24" for high in range(16) for low in range(256)]
    assert stage.ebpf(trusted_sources=networks, packets=PACKETS)["after"]["trusted_sources"] == sorted(networks)
    assert believed(stage, PEERS) == [True, True, False, False, False]
    refused = stage.ebpf(trusted_sources=[*networks, "10.99.0.0/24"])
    assert refused["code"] == "bad_option" and "4096" in refused["msg"]
    assert stage.ebpf(trusted_sources=["10.99.0.0/24"], packets=PACKETS)["after"]["trusted_sources"] == ["10.99.0.0/24"]
    assert believed(stage, PEERS) == [False] * 5


# ---- counters and other calls


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
