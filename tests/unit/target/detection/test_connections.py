# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tracker: packets of a connection in any order and number, forged ones among them; and that nothing grows without bound."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import random
import socket
import struct

import pytest
from ansible_collections.realip.toa.plugins.module_utils.detection import connections, segment
from ansible_collections.realip.toa.plugins.module_utils.detection.connections import Tracker
from ansible_collections.realip.toa.plugins.module_utils.detection.socket_filter import chosen, program
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import ACK, PSH, SYN, Flow, parse_format

SERVER, CLIENT = "192.0.2.1", "100.64.3.1"
HERE = set([socket.inet_aton(SERVER)])
TOA = parse_format("200/8").option("203.0.113.7", 4321)
FLOW = Flow(4, CLIENT, 40000, SERVER, 80)


def back(flags, seq, ack):
    return Flow(4, SERVER, 80, CLIENT, 40000).segment(flags, seq, ack)


def handshake(on_syn=b"", on_ack=b"", on_data=b"", data=b"GET /"):
    return [
        FLOW.segment(SYN, 1000, 0, on_syn),
        back(SYN | ACK, 9000, 1001),
        FLOW.segment(ACK, 1001, 9001, on_ack),
        FLOW.segment(ACK | PSH, 1001, 9001, on_data, data),
    ]


def told(packets, local=HERE):
    tracker = Tracker(local)
    for packet in packets:
        tracker.take(segment.read(packet), True)
    tracker.settle()
    return tracker


def rows(tracker):
    return dict(((row["kind"], row["packet"]), (row["established"], row["unproved"])) for row in tracker.table())


@pytest.mark.parametrize(
    "packets,seen",
    [
        (handshake(on_ack=TOA, on_data=TOA), {(200, "ack"): (1, 0), (200, "data"): (1, 0)}),
        (handshake(on_syn=TOA), {(200, "syn"): (1, 0)}),
        (handshake(), {(0, ""): (1, 0)}),
        (handshake(on_ack=TOA)[:1] + handshake(on_ack=TOA)[2:], {(200, "ack"): (0, 1)}),
        ([FLOW.segment(SYN, 1000, 0, TOA)], {(200, "syn"): (0, 1)}),
        ([FLOW.segment(ACK, 1001, 9001, TOA)], {(200, "later"): (0, 1)}),
        (handshake() + [FLOW.segment(ACK | PSH, 1006, 9001, TOA, b"more")], {(200, "later"): (1, 0)}),
        (handshake()[:3] + [FLOW.segment(ACK, 1001, 9100, TOA)], {(200, "later"): (1, 0)}),
        (handshake()[:2] + [FLOW.segment(ACK, 1001, 777, TOA)], {(200, "later"): (0, 1)}),
    ],
)
def test_packets(packets, seen):
    """Which packet an option is on, and whether the client has shown that it hears; each packet once or more often, as taps give them."""
    assert rows(told(packets)) == seen
    assert rows(told([packet for packet in packets for _twice in (1, 2)])) == seen


def test_another_address_is_not_here():
    tracker = told(handshake(on_ack=TOA), set())
    assert tracker.counts["for_others"] == 1 and not tracker.table()[0]["here"]


@pytest.mark.parametrize(
    "data,version", [(b"PROXY TCP4 1.1.1.1 2.2.2.2 3 4\r\n", 1), (segment.PROXY_2 + b"!!!!", 2), (b"PROX", 0)]
)
def test_proxy_protocol(data, version):
    found = told(handshake(data=data)).proxy_protocols()
    assert [item["version"] for item in found] == ([version] if version else [])


def test_options_of_others_are_passed_over():
    """Standard kinds, SMC-R and experimental Fast Open stand in front; the search goes on behind them, and ends at what is broken."""
    known = b"\x02\x04\x05\xb4\x01\x01\x04\x02"
    smc = b"\xfe\x06\xe2\xd4\xc3\xd9"
    assert segment.address_options(known + smc + b"\xfe\x04\xf9\x89" + TOA) == [(200, 8, TOA[2:])]
    assert segment.address_options(b"\x00" + TOA) == []
    assert segment.address_options(b"\x01\xc8") == [] and segment.address_options(b"\xc8\x01" + TOA) == []
    assert segment.address_options(b"\xc8\x09" + TOA[2:]) == []


def test_any_bytes_can_be_read():
    """Whatever arrives is a segment or nothing, and never an exception; the tracker stays within its bounds."""
    order = random.Random(7)
    tracker = Tracker(HERE)
    base = FLOW.segment(ACK | PSH, 1001, 9001, TOA + TOA, b"hello")
    for _number in range(3000):
        packet = bytearray(base[: order.randrange(len(base) + 1)])
        for _change in range(order.randrange(6)):
            if packet:
                packet[order.randrange(len(packet))] = order.randrange(256)
        found = segment.read(bytes(packet))
        if found is not None:
            tracker.take(found, True)
    tracker.settle()
    assert len(tracker.table()) <= connections.ROWS


def test_nothing_grows_without_bound(monkeypatch):
    """More connections, sources and samples than there is room for."""
    monkeypatch.setattr(connections, "REMEMBERED", 100)
    monkeypatch.setattr(connections, "ROWS", 50)
    tracker = Tracker(HERE)
    for number in range(1000):
        source = socket.inet_ntoa(struct.pack("!I", 0x0A000000 + number))
        packet = Flow(4, source, 1000 + number, SERVER, 80).segment(SYN, number, 0, TOA)
        tracker.take(segment.read(packet), True)
        assert len(tracker.connections) <= 101 and len(tracker.order) == len(tracker.connections)
    tracker.settle()
    assert len(tracker.table()) == 50 and tracker.counts["forgotten_rows"] == 950
    assert tracker.counts["half_open"] == 1000


def run(instructions, packet, protocol=0x0800, packet_type=0):
    """The classic BPF machine, as Documentation/networking/filter.rst has it: how many bytes the program takes of a packet."""
    accumulator = index = place = 0
    special = {0xFFFFF000: protocol, 0xFFFFF004: packet_type}
    while True:
        code, true, false, operand = instructions[place]
        place += 1
        if code == 0x06:
            return operand
        if code == 0x05:
            place += operand
        elif code == 0x01:
            index = operand
        elif code == 0xB1:
            index = (ord(packet[operand : operand + 1]) & 15) * 4
        elif code in (0x15, 0x45):
            hit = accumulator == operand if code == 0x15 else accumulator & operand
            place += true if hit else false
        elif code == 0x54:
            accumulator &= operand
        elif code == 0x24:
            accumulator = accumulator * operand & 0xFFFFFFFF
        elif code == 0x74:
            accumulator >>= operand
        else:
            size = {0x00: 4, 0x08: 2, 0x10: 1}[code & 0x18]
            start = operand + (index if code & 0xE0 == 0x40 else 0)
            if operand in special:
                accumulator = special[operand]
                continue
            if start + size > len(packet):
                return 0
            accumulator = int("".join("%02x" % byte for byte in bytearray(packet[start : start + size])), 16)


TIMESTAMP = b"\x01\x01\x08\x0a" + b"\x00" * 8


@pytest.mark.parametrize("share,plain_share", [(1, 1), (4, 16), (1, 65536), (64, 64)])
def test_the_filter_and_the_listener_choose_the_same(share, plain_share):
    """For every port: options and SYNs by one share, plain segments by the other, SYN-ACKs by the client's port."""
    instructions = program(share, plain_share)
    assert all(0 <= line[1] < 256 and 0 <= line[2] < 256 for line in instructions)
    for port in range(1, 65536, 97):
        flow = Flow(4, CLIENT, port, SERVER, 80)
        wanted, plain = chosen(port, share), chosen(port, plain_share)
        assert bool(run(instructions, flow.segment(SYN, 1))) == wanted
        assert bool(run(instructions, flow.segment(ACK, 1, 1, TOA))) == wanted
        assert bool(run(instructions, flow.segment(ACK, 1, 1, TOA + b"\x01" * 4))) == wanted
        assert bool(run(instructions, flow.segment(ACK, 1, 1))) == plain
        assert bool(run(instructions, flow.segment(ACK, 1, 1, TIMESTAMP))) == plain
        answer = Flow(4, SERVER, 80, CLIENT, port).segment(SYN | ACK, 1, 2)
        assert bool(run(instructions, answer, packet_type=4)) == wanted
        assert not run(instructions, answer) and not run(instructions, flow.segment(SYN, 1), packet_type=4)


def test_what_the_filter_takes_of_ipv6_and_refuses():
    instructions = program(1, 1)
    six = Flow(6, "2001:db8::1", 4000, "2001:db8::2", 80)
    assert run(instructions, six.segment(SYN, 1), 0x86DD) and not run(instructions, six.segment(SYN, 1), 0x88CC)
    fragment = bytearray(FLOW.segment(SYN, 1))
    fragment[7] = 9
    assert not run(instructions, bytes(fragment))
    assert not run(instructions, FLOW.segment(SYN | 4, 1)) and not run(instructions, FLOW.segment(SYN, 1)[:30])
