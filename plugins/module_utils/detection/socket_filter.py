# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packets the kernel hands to the listener: a classic BPF program, made anew whenever the share of connections changes.

The socket is AF_PACKET with SOCK_DGRAM, so offset 0 is the IP header on any kind of interface (packet(7); linux/filter.h).
Taken are TCP segments that come in (no RST, no SYN-ACK) and the SYN-ACKs that go out. A segment without any option, or with nothing
but a timestamp, is "plain": of those a busy server has hundreds of thousands a second, so plain ones have a share of their own.
A share is of connections, not of packets: a hash of the client's port decides, so that a connection is seen whole or not at all.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import ctypes
import struct

# Bytes of each packet that are copied, from the IP header on: 60 of IP, 60 of TCP, and the first bytes of the data.
SNAP = 160

# Classic BPF, linux/bpf_common.h.
LD_W_ABS, LD_H_ABS, LD_B_ABS = 0x20, 0x28, 0x30
LD_W_IND, LD_H_IND, LD_B_IND = 0x40, 0x48, 0x50
LDX_IMM, LDX_IP_HEADER = 0x01, 0xB1
ALU_AND, ALU_MUL, ALU_RSH = 0x54, 0x24, 0x74
JA, JEQ, JSET, RET = 0x05, 0x15, 0x45, 0x06
# Offsets that mean something else than bytes of the packet, linux/filter.h (SKF_AD_OFF).
PROTOCOL, PACKET_TYPE = 0xFFFFF000, 0xFFFFF004
PACKET_OUTGOING = 4
IPV4, IPV6 = 0x0800, 0x86DD
TCP = 6
SYN, RST, ACK = 0x02, 0x04, 0x10

# Knuth's multiplier: neighbouring ports, and the even ones that Linux prefers for connect(), come apart.
MULTIPLIER = 2654435761
SO_ATTACH_FILTER = 26


def chosen(port, share):
    """Whether connections of a client's port are among one in `share` (a power of two, at most 65536); the program asks the same."""
    return ((port * MULTIPLIER & 0xFFFFFFFF) >> 16) & (share - 1) == 0


def program(share, plain_share):
    """Instructions (code, jump if true, jump if false, operand) of the filter. `plain_share` is a multiple of `share`."""
    lines = []

    def add(code, operand=0, true=None, false=None, label=None):
        lines.append((label, code, operand, true, false))

    def sample(offset, how_many, label, then):
        add(LD_H_IND, offset, label=label)
        add(ALU_MUL, MULTIPLIER)
        add(ALU_RSH, 16)
        add(ALU_AND, how_many - 1)
        add(JEQ, 0, then, "reject")

    add(LD_W_ABS, PROTOCOL)
    add(JEQ, IPV4, "ipv4", None)
    add(JEQ, IPV6, "ipv6", "reject")
    add(LD_B_ABS, 9, label="ipv4")
    add(JEQ, TCP, None, "reject")
    add(LD_H_ABS, 6)
    add(JSET, 0x1FFF, "reject", None)  # a later fragment has no TCP header
    add(LDX_IP_HEADER, 0)
    add(JA, "tcp")
    add(LD_B_ABS, 6, label="ipv6")
    add(JEQ, TCP, None, "reject")
    add(LDX_IMM, 40)
    add(LD_W_ABS, PACKET_TYPE, label="tcp")
    add(JEQ, PACKET_OUTGOING, None, "incoming")
    add(LD_B_IND, 13)
    add(ALU_AND, SYN | ACK)
    add(JEQ, SYN | ACK, None, "reject")
    sample(2, share, None, "accept")
    add(LD_B_IND, 13, label="incoming")
    add(JSET, RST, "reject", None)
    add(ALU_AND, SYN | ACK)
    add(JEQ, SYN | ACK, "reject", None)
    add(JEQ, SYN, "wanted", None)
    add(LD_B_IND, 12)
    add(ALU_AND, 0xF0)
    add(JEQ, 0x50, "plain", None)  # no options
    add(JEQ, 0x80, None, "wanted")  # 12 bytes of options: a timestamp between two NOPs?
    add(LD_W_IND, 20)
    add(JEQ, 0x0101080A, "plain", "wanted")
    sample(0, plain_share, "plain", "accept")
    sample(0, share, "wanted", "accept")
    add(RET, SNAP, label="accept")
    add(RET, 0, label="reject")
    return _assembled(lines)


def _assembled(lines):
    places = dict((line[0], number) for number, line in enumerate(lines) if line[0])

    def distance(number, label):
        return 0 if label is None else places[label] - number - 1

    found = []
    for number, (unused_label, code, operand, true, false) in enumerate(lines):
        if code == JA:
            found.append((code, 0, 0, distance(number, operand)))
        else:
            found.append((code, distance(number, true), distance(number, false), operand))
    return found


def attach(sock, instructions):
    """Give a socket this filter, in place of the one that it has; the kernel swaps them at once. Raises socket.error."""
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    memory = ctypes.create_string_buffer(packed, len(packed))
    # struct sock_fprog: a number and a pointer, aligned as C does it.
    sock.setsockopt(1, SO_ATTACH_FILTER, struct.pack("HP", len(instructions), ctypes.addressof(memory)))
