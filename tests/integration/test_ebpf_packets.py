# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""On which packets the eBPF programs read an option: only there where the vendor's load balancer writes it, and there against every forgery.

LVS and its kin hand on what a client sends, so a client behind the load balancer forges options on any packet. The application must see
the peer, or what the load balancer wrote.
"""

from __future__ import annotations

import itertools
import typing as t

import pytest
from ebpf_stage import EbpfStage

GENUINE, FORGED = "203.0.113.7", "6.6.6.6"
G = "c8081092cb007107"
F = "c808109206060606"
ALL = ["syn", "ack", "data"]
LISTENERS = ("", "mptcp", "defer_accept", "syn_cookies", "fastopen")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[EbpfStage]:
    with EbpfStage(tmp_path_factory.mktemp("ebpf")) as stage:
        yield stage


@pytest.fixture(autouse=True)
def afresh(stage: EbpfStage) -> t.Iterator[None]:
    """What a call does not say stays as it is, so the next test begins without programs."""
    yield
    stage.ebpf("detached")


def talk(stage: EbpfStage, *cases: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return stage.target("conversation", cases=list(cases))["rows"]


def who(row: dict[str, t.Any], text: str) -> str:
    """genuine, forged or peer."""
    return "genuine" if GENUINE in text else "forged" if FORGED in text else "peer" if text == row["peer"] else text


def names(row: dict[str, t.Any]) -> list[str]:
    """What the application sees: at accept(), then by getpeername() from time to time."""
    assert "names" in row, row
    assert row["accept"] == row["names"][0]
    return [who(row, text) for text in row["names"]]


# ---- what was seen to forge


SEEN = {
    "the client's own on the SYN, and no room for another": ({"syn": F}, ["peer"]),
    "the client's own on the SYN, the genuine one on the ACK": ({"syn": F, "ack": G}, ["genuine"]),
    "the client's own on the SYN, nothing on the ACK, the genuine one on data": ({"syn": F, "before": [G]}, ["peer"]),
    "the client's own first": ({"ack": F + G}, ["peer"]),
    "the genuine one first": ({"ack": G + F}, ["peer"]),
    "deferred: the genuine one on an ACK that is dropped": (
        {"variant": "defer_accept", "ack": G, "before": [F]},
        ["peer"],
    ),
    "deferred: the client's own on the SYN": (
        {"variant": "defer_accept", "syn": F, "ack": G, "before": [""]},
        ["peer"],
    ),
    "Fast Open: the client's own on the SYN": ({"variant": "fastopen", "syn": F, "ack": G}, ["peer"]),
    "Fast Open: on data after it": ({"variant": "fastopen", "after": [F]}, ["peer", "peer"]),
    "MPTCP: the client's own on the SYN": ({"variant": "mptcp", "syn": F, "ack": G}, ["genuine"]),
    "SYN cookies: the client's own on the SYN": ({"variant": "syn_cookies", "syn": F, "ack": G}, ["genuine"]),
    "on the first data, long after accept()": ({"after": [F]}, ["peer", "peer"]),
    "on later data": ({"after": ["", F]}, ["peer"] * 3),
    "on every later packet": ({"ack": G, "after": [F, F]}, ["genuine"] * 3),
    "on the data that makes the connection, since the ACK was lost": ({"ack": "lost", "before": [F]}, ["peer"]),
}


@pytest.mark.parametrize("case, expected", SEEN.values(), ids=SEEN)
def test_a_load_balancer_that_writes_on_the_ack(stage: EbpfStage, case: dict[str, t.Any], expected: list[str]) -> None:
    """That is every one of which nothing else is known."""
    stage.ebpf(trusted_sources=["192.0.2.2/32"])
    assert names(talk(stage, case)[0]) == expected


def test_misplaced_options_are_counted(stage: EbpfStage) -> None:
    stage.ebpf()
    before = stage.ebpf("status")["counters"]
    talk(stage, {"variant": "defer_accept", "before": [F]}, {"variant": "fastopen", "syn": F}, {"ack": F + G})
    after = stage.ebpf("status")["counters"]
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "from_trusted": 3,
        "misplaced": 2,
        "ambiguous": 1,
    }


# ---- a load balancer that writes until the client acknowledges something: LVS, DPVS


UNTIL_ACKNOWLEDGED = {
    "the ACK": ({"ack": G}, ["genuine"]),
    "no room on the ACK": ({"after": [G]}, ["peer", "genuine"]),
    "deferred": ({"variant": "defer_accept", "ack": G, "before": [G]}, ["genuine"]),
    "the ACK was lost": ({"ack": "lost", "before": [G]}, ["genuine"]),
    "the client's own behind": ({"ack": G + F}, ["genuine"]),
    "the client's own behind, on data": ({"after": [G + F]}, ["peer", "genuine"]),
    "the client's own on the SYN": ({"syn": F, "after": [G + F]}, ["peer", "genuine"]),
    "on the second data": ({"after": ["", F]}, ["peer"] * 3),
    "after the server has spoken": ({"spoken": "hello", "after": [F]}, ["peer"] * 2),
    "after the server has spoken, twice": ({"spoken": "hello", "after": [F, F]}, ["peer"] * 3),
    "out of order": ({"after": ["+" + F, ""]}, ["peer"] * 3),
    "out of order, and then in order": ({"after": ["+" + F, G]}, ["peer", "peer", "genuine"]),
    "data on a SYN of Fast Open": ({"variant": "fastopen", "after": [F]}, ["peer"] * 2),
}


@pytest.mark.parametrize("case, expected", UNTIL_ACKNOWLEDGED.values(), ids=UNTIL_ACKNOWLEDGED)
def test_a_load_balancer_that_writes_in_front_of_ack_and_data(
    stage: EbpfStage, case: dict[str, t.Any], expected: list[str]
) -> None:
    stage.ebpf(packets=["ack", "data"], place="front")
    assert names(talk(stage, case)[0]) == expected


def test_what_the_second_byte_of_data_says_does_not_count_either(stage: EbpfStage) -> None:
    """The kernel tells the programs of packets with an option that it does not know alone: the first data had none."""
    stage.ebpf(packets=["data"])
    rows = talk(stage, {"ack": G, "after": ["", F]}, {"ack": F, "after": [G, F]}, {"after": ["", "", "", F]})
    assert [names(row) for row in rows] == [["peer"] * 3, ["peer", "genuine", "genuine"], ["peer"] * 5]


# ---- one that writes at the end, and one that writes on the SYN


def test_a_load_balancer_that_writes_at_the_end(stage: EbpfStage) -> None:
    stage.ebpf(packets=["ack"], place="end")
    rows = talk(stage, {"ack": F + G}, {"ack": F + F + G}, {"ack": G + "0101"}, {"ack": F + "00000000" + G})
    assert [names(row) for row in rows] == [["genuine"], ["genuine"], ["genuine"], ["peer"]]


def test_a_load_balancer_that_writes_on_the_syn(stage: EbpfStage) -> None:
    stage.ebpf(packets=["syn"])
    rows = talk(stage, {"syn": G, "ack": F, "after": [F]}, {"ack": F, "after": [F]}, {"syn": G, "variant": "fastopen"})
    assert [set(names(row)) for row in rows] == [{"genuine"}, {"peer"}, {"genuine"}]
    assert [names(row) for row in talk(stage, {"syn": G, "ack": F, "variant": "syn_cookies"})] == [["peer"]]


# ---- all of it: whatever a client does, where the load balancer writes as its profile says


def sent(packets: list[str], place: str, forged: tuple[bool, ...], variant: str) -> dict[str, t.Any]:
    """A connection whose client forges on some packets, through a load balancer that writes on some."""

    def options(packet: str, own: bool) -> str:
        genuine = G if packet in packets else ""
        return genuine + F * own if place == "front" else F * own + genuine

    case: dict[str, t.Any] = {"syn": options("syn", forged[0]), "ack": options("ack", forged[1]), "variant": variant}
    data = [options("data", forged[2]), F * forged[3]]
    return {**case, "before": data, "after": [F]} if variant == "defer_accept" else {**case, "after": data}


@pytest.mark.parametrize("place", ["front", "end"])
@pytest.mark.parametrize("packets", [["ack"], ["ack", "data"], ["syn"], ["data"], ALL])
def test_nothing_that_a_client_forges_is_seen(stage: EbpfStage, packets: list[str], place: str) -> None:
    stage.ebpf(packets=packets, place=place, trusted_sources=["192.0.2.2/32"])
    cases = [
        sent(packets, place, forged, variant)
        for variant in LISTENERS
        for forged in itertools.product((False, True), repeat=4)
    ]
    rows = talk(stage, *cases)
    seen = [(case, names(row)) for case, row in zip(cases, rows, strict=True)]
    assert [entry for entry in seen if "forged" in entry[1]] == []
    plain = [entry[1] for entry in seen if not entry[0]["variant"]]
    assert all("genuine" in entry[-1] for entry in plain)
    # Nothing changes once it is seen.
    assert all(entry == sorted(entry, key="genuine".__eq__) for _case, entry in seen)


# ---- ports, and what an application sets itself


def test_only_some_ports(stage: EbpfStage) -> None:
    """The first listener of a test bench is on 8080."""
    changed = stage.ebpf(ports=[80, 8081])
    assert changed["after"]["ports"] == [80, 8081]
    before = changed["counters"].get("other_port", 0)
    assert names(talk(stage, {"ack": G})[0]) == ["peer"]
    assert stage.ebpf("status")["counters"]["other_port"] - before == 1
    stage.ebpf(ports=[8080])
    assert names(talk(stage, {"ack": G})[0]) == ["genuine"]
    assert stage.ebpf()["after"]["ports"] == []


def test_the_proof_asks_on_a_port_that_is_read(stage: EbpfStage) -> None:
    stage.ebpf(ports=[443, 8443])
    proof = stage.target("programs.probe", option_kinds=["200/8"], groups=["mptcp", "syn_cookies"])["probe"]
    assert (proof["verdict"], proof["summary"]["failed"]) == ("translating", []), proof
    stage.ebpf(ports=[])
    assert stage.target("programs.probe", option_kinds=["200/8"])["probe"]["verdict"] == "translating"


def test_the_proof_knows_on_which_packets_the_option_is_read(stage: EbpfStage) -> None:
    for packets, deferred in ((["ack"], "192.0.2.2"), (["ack", "data"], "203.0.113.7")):
        stage.ebpf(packets=packets)
        proof = stage.target("programs.probe", option_kinds=["200/8"], groups=["defer_accept"])["probe"]
        assert (proof["verdict"], proof["summary"]["failed"]) == ("translating", []), proof
        assert {deferred in row["accept"] for row in proof["matrix"] if "defer_accept" in row["case"]} == {True}


# ---- an IPv6 client of an IPv4 connection


NAT64 = {
    "DPVS": "fe14109220010db8" + "00" * 11 + "07",
    "Alibaba's Anti-DDoS, in all the room there is": "f928109220010db8" + "00" * 11 + "07" + "aa" * 20,
}


@pytest.mark.parametrize("option", NAT64.values(), ids=NAT64)
def test_an_ipv6_client_of_an_ipv4_connection(stage: EbpfStage, option: str) -> None:
    """accept() of an AF_INET socket has no room for it. DPVS's struct toa_nat64_peer has, and patched nginx asks for it."""
    kinds = ["200/8", "249/40", "254/20"]
    assert stage.ebpf(kinds=kinds, getsockopt_nat64=True)["after"]["getsockopt_nat64"] is True
    client, plain, nobody = talk(stage, {"ack": option}, {"ack": G}, {})
    assert names(client) == ["peer"] and client["option"] == "[2001:db8::7]:4242"
    assert client["nat64"] == [20, "2001:db8::7", 4242] and client["short"] is None
    assert names(plain) == ["genuine"] and plain["nat64"] is None and nobody["nat64"] is None
    stage.ebpf(kinds=kinds)
    assert talk(stage, {"ack": option})[0]["nat64"] is None


SAVE_SYN = """
import socket
for before in (0, 1, 2):
    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, 27, before)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    print(listener.getsockopt(socket.IPPROTO_TCP, 27))
"""


@pytest.mark.parametrize("packets, kept", [(["syn"], "1 1 2"), (["ack"], "0 1 2")])
def test_what_an_application_keeps_of_its_syns(stage: EbpfStage, packets: list[str], kept: str) -> None:
    """HAProxy's `tcp-ss 2`. Where nothing is read of a SYN, nothing is kept of it."""
    stage.ebpf(packets=packets)
    done = stage.run("/usr/bin/python3", "-c", SAVE_SYN)
    assert done.stdout.split() == kept.split(), done.stderr
