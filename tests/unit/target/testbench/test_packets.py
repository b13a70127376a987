# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""TOA options and packets: exact bytes, checksums that verify, answers that are ours and those that are not."""

from __future__ import absolute_import, division, print_function

import socket
import struct

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.testbench.forgeries import areas
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import (
    ACK,
    KNOWN_FORMATS,
    MSS,
    SYN,
    Flow,
    as_packed,
    checksum,
    endpoint,
    mapped,
    of_a_syn,
    padded,
    parse_format,
    read_sockaddr,
)

FLOWS = {
    4: Flow(4, "192.0.2.2", 20001, "192.0.2.1", 8080),
    6: Flow(6, "2001:db8:0:1::2", 20001, "2001:db8:0:1::1", 8080),
}


@pytest.mark.parametrize(
    "text, address, expected",
    [
        ("200/8", "203.0.113.7", b"\xc8\x08\x10\x92\xcb\x00\x71\x07"),
        ("254/8", "203.0.113.7", b"\xfe\x08\x10\x92\xcb\x00\x71\x07"),
        ("253/20", "2001:db8::7", b"\xfd\x14\x10\x92\x20\x01\x0d\xb8" + b"\x00" * 11 + b"\x07"),
        ("28/7", "203.0.113.7", b"\x1c\x07\x01\xcb\x00\x71\x07"),
        ("28/19", "2001:db8::7", b"\x1c\x13\x01\x20\x01\x0d\xb8" + b"\x00" * 11 + b"\x07"),
    ],
)
def test_an_option_has_the_bytes_of_its_format(text, address, expected):
    option = parse_format(text).option(address, 4242)
    assert option == expected
    assert len(option) == parse_format(text).length


def test_every_known_format_can_be_crafted():
    assert [parse_format(text).name for text in KNOWN_FORMATS] == list(KNOWN_FORMATS)
    assert all(parse_format(text).family in (4, 6) for text in KNOWN_FORMATS)


@pytest.mark.parametrize("text", ["252/20", "250/8", "202/8", "201/6"])
def test_formats_that_carry_something_else_have_no_family(text):
    assert parse_format(text).family is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "200",
        "200/",
        "/8",
        "200/8 ",
        " 200/8",
        "200/8\n",
        "256/8",
        "0/8",
        "1/8",
        "2/8",
        "8/20",
        "30/20",
        "34/8",
        "200/2",
        "200/41",
        "-1/8",
        u"\u00b2\u0660/8",
        "200/8/8",
        None,
        200,
        "0xc8/8",
        "9999/8",
    ],
)
def test_garbage_is_refused_by_name(text):
    with pytest.raises(TargetError) as caught:
        parse_format(text)
    assert caught.value.code == "bad_option_kind"
    assert "KIND/LENGTH" in caught.value.message


def test_checksum_of_the_example_in_rfc_1071():
    assert checksum(b"\x00\x01\xf2\x03\xf4\xf5\xf6\xf7") == 0xFFFF - 0xDDF2


def test_checksum_pads_an_odd_byte_and_folds_twice():
    assert checksum(b"\x01") == 0xFFFF - 0x0100
    assert checksum(b"\xff\xff" * 3) == 0


@pytest.mark.parametrize("length, total", [(0, 0), (4, 4), (7, 8), (8, 8), (19, 20), (20, 20)])
def test_options_are_filled_up_to_words(length, total):
    assert len(padded(b"\x05" * length)) == total


def parts(packet, family):
    """(pseudo header, TCP segment) of a packet, by this test's own reading."""
    if family == 4:
        head = (ord(packet[0:1]) & 15) * 4
        tcp = packet[head:]
        return packet[12:20] + struct.pack("!BBH", 0, 6, len(tcp)), tcp
    tcp = packet[40:]
    return packet[8:40] + struct.pack("!IHBB", len(tcp), 0, 0, 6), tcp


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("payload", [b"", b"x", b"realip"])
@pytest.mark.parametrize("options", [b"", b"\xc8\x08\x10\x92\xcb\x00\x71\x07", b"\x1c\x07\x01\xcb\x00\x71\x07"])
def test_checksums_verify(family, payload, options):
    packet = FLOWS[family].segment(ACK, 1001, 77, options=options, payload=payload)
    pseudo, tcp = parts(packet, family)
    assert checksum(pseudo + tcp) == 0
    if family == 4:
        assert checksum(packet[:20]) == 0
        assert struct.unpack("!H", packet[2:4])[0] == len(packet)
    else:
        assert struct.unpack("!H", packet[4:6])[0] == len(packet) - 40
    assert tcp.endswith(payload)
    assert (ord(tcp[12:13]) >> 4) * 4 == 20 + len(padded(options))


def test_the_longest_option_and_mss_leave_room():
    packet = FLOWS[4].segment(SYN, 1, options=parse_format("253/20").option("2001:db8::7", 1) + MSS)
    assert ord(packet[32:33]) >> 4 <= 15


def answer(family, flags=SYN | ACK, **changed):
    """A packet from the server to the client: a flow the other way round."""
    flow = FLOWS[family]
    fields = {
        "client": flow.server,
        "client_port": flow.server_port,
        "server": flow.client,
        "server_port": flow.client_port,
    }
    fields.update(changed)
    return Flow(family, fields["client"], fields["client_port"], fields["server"], fields["server_port"]).segment(
        flags, 7, 1001
    )


@pytest.mark.parametrize("family", [4, 6])
def test_the_servers_answer_is_read(family):
    assert FLOWS[family].answered_by(answer(family)) == (SYN | ACK, 7, 1001)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x45",
        b"\x60" + b"\x00" * 39,
        b"\x00" * 64,
        answer(6),
        answer(4)[:30],
        answer(4, client="192.0.2.9"),
        answer(4, client_port=81),
        answer(4, server_port=20002),
        answer(4, server="192.0.2.3"),
    ],
)
def test_what_is_not_for_this_connection_is_passed_over(packet):
    assert FLOWS[4].answered_by(packet) is None


def test_no_option_looks_like_an_experimental_fast_open():
    for text in ("254/8", "253/20"):
        option = parse_format(text)
        assert option.option({4: "203.0.113.7", 6: "2001:db8::7"}[option.family], 4242)[2:4] != b"\xf9\x89"


@pytest.mark.parametrize(
    "address, port, text",
    [
        ("203.0.113.7", 80, "203.0.113.7:80"),
        ("2001:DB8:0::7", 80, "[2001:db8::7]:80"),
        ("::ffff:203.0.113.7", 0, "[::ffff:203.0.113.7]:0"),
    ],
)
def test_endpoints_are_written_in_one_way(address, port, text):
    assert endpoint(address, port) == text


def test_mapped_addresses():
    assert mapped("203.0.113.7") == "::ffff:203.0.113.7"
    assert mapped("2001:db8::7") == "2001:db8::7"


@pytest.mark.parametrize("text", ["", "host", "1.2.3", "::1::", None, 7])
def test_what_is_no_address(text):
    with pytest.raises(ValueError):
        as_packed(text)


@pytest.mark.parametrize(
    "data, text",
    [
        (struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", 4242, b"\xcb\x00\x71\x07"), "203.0.113.7:4242"),
        (
            struct.pack("=H", socket.AF_INET6) + struct.pack("!H4x", 4242) + as_packed("2001:db8::7") + b"\x00" * 4,
            "[2001:db8::7]:4242",
        ),
        (struct.pack("=H", socket.AF_INET6) + struct.pack("!H4x", 4242) + as_packed("2001:db8::7")[:8], None),
        (b"", None),
        (b"\x02", None),
        (struct.pack("=H", 99) + b"\x00" * 26, None),
    ],
)
def test_raw_socket_addresses(data, text):
    assert read_sockaddr(data) == text


@pytest.mark.parametrize("name", KNOWN_FORMATS)
def test_every_forgery_fits_on_a_syn(name):
    """With the segment size where there is room for it, and without it where there is none."""
    form = parse_format(name)
    option = form.option("203.0.113.7" if form.family == 4 else "2001:db8::7", 4242)
    flow = Flow(6, "2001:db8::1", 4000, "2001:db8::2", 80)
    found = [flow.segment(SYN, 1, options=of_a_syn(area)) for _name, area in areas(option)]
    assert len(found) > 5 and all(ord(packet[52:53]) >> 4 <= 15 for packet in found)
    assert of_a_syn(b"").endswith(MSS) and of_a_syn(b"\x01" * 40) == b"\x01" * 40
