# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What TCP options carry, by kind and length. The length counts the bytes of kind and length too."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# Length -> (address family inside, whether it carries a port, in words). All in network order after kind and length.
LAYOUTS = {
    8: (4, True, "port, IPv4 address"),
    16: (4, True, "port, IPv4 address, 8 bytes of the load balancer's own"),
    20: (6, True, "port, IPv6 address"),
    7: (4, False, "version 1, IPv4 address"),
    19: (6, False, "version, IPv6 address"),
    40: (6, True, "port, IPv6 address, 20 bytes of the load balancer's own"),
}

# Packets of a connection on which a load balancer writes its option, in order: the handshake's first and last (without data), and the first
# with data.
PACKETS = ("syn", "ack", "data")

# Where in a header it does so: in front of what the client sent, at the end, or nobody knows. By the numbers of ebpf/toa.bpf.c.
PLACES = ("unknown", "front", "end")

# (kind, length) that carries no client address, although its length may look like it.
# Sources: ANCK net/vtoa (250, 252), TencentOS-kernel net/toa (201, 202).
OTHER_MEANINGS = {
    (250, 8): "TOA_VIP of Alibaba's VPC, the virtual address and not the client's",
    (252, 20): "VTOA of Alibaba's VPC",
    (201, 6): "the VPC id of Tencent's VPC",
    (202, 8): "the virtual address of Tencent's VPC",
}

# Kinds that every TCP stack uses for something else (IANA registry): as an address option they are a mistake for certain.
TAKEN_KINDS = {
    0: "End of Option List",
    1: "No-Operation",
    2: "Maximum Segment Size",
    3: "Window Scale",
    4: "SACK Permitted",
    5: "SACK",
    8: "Timestamps",
    19: "MD5 Signature",
    29: "TCP Authentication",
    30: "Multipath TCP",
    34: "TCP Fast Open",
}

# The shortest and the longest option, in bytes; a TCP header has 40 bytes of options.
SHORTEST, LONGEST = 3, 40
