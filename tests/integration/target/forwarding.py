# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes of a cluster, as kube-proxy makes them: the first sends a node port on to a pod of the second, under its own address.

Both are network namespaces of one cgroup, so that eBPF programs see the pod's connections; packets come into the first from a TUN device.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import os
import socket
import time

from ansible_collections.realip.toa.plugins.module_utils.host.io import run
from ansible_collections.realip.toa.plugins.module_utils.option_filter.state import load_here
from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import FIRST_SEQUENCE, as_text
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import (
    Tun,
    in_child,
    unshare_network,
    wait_readable,
)
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import ACK, MSS, PSH, RST, SYN, Flow

NODE_PORT, POD_PORT = 30080, 8080
ADDRESS = "198.18.0.1"  # of the first node, to the outside
# Seconds for one step; nothing here takes more than a few milliseconds.
STEP = 2.0

NAT = """
table ip realip_nat {
    chain before {
        type nat hook prerouting priority -100;
        tcp dport %d dnat to %s:%d
    }
    chain after {
        type nat hook postrouting priority 100;
        oifname "va" masquerade
    }
}
"""


def main(args):
    """args: `nodes` (addresses of the two), `filter` (folder of the first node's option filter, or ""), `cases`: lists of source address and
    {packet: options in hex}. Returns `rows`: of each case what the pod's accept() shows, or None."""
    return {"changed": False, "rows": in_child(lambda: _work(args), 60)}


def _work(args):
    first, second = args["nodes"]
    here, there = os.pipe(), os.pipe()
    pod = os.fork()
    if pod == 0:
        try:
            _pod(here[1], there[0], first, second, len(args["cases"]))
        finally:
            os._exit(0)
    unshare_network()
    tun = Tun("outside")
    tun.set_up(ADDRESS, "255.255.255.0")
    tun.route_everything("198.18.0.2")
    _heard(here[0])
    _sh(
        "ip link add va type veth peer name vb && ip link set vb netns %d && ip link set va up && ip addr add %s/24 dev va"
        % (pod, first)
    )
    _sh(
        "echo 1 >/proc/sys/net/ipv4/ip_forward; for i in all outside va; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; done"
    )
    # With what the host has: some of them have no nft.
    translate = "iptables -t nat -A PREROUTING -p tcp --dport %d -j DNAT --to-destination %s:%d && iptables -t nat -A POSTROUTING -o va -j MASQUERADE"
    _sh(
        "if command -v nft >/dev/null; then printf '%s' | nft -f -; else %s; fi"
        % (NAT % (NODE_PORT, second, POD_PORT), translate % (NODE_PORT, second, POD_PORT))
    )
    if args.get("filter"):
        load_here(args["filter"])
    os.write(there[1], b"wired")
    _heard(here[0])
    rows = [_connect(tun, here[0], number, source, options) for number, (source, options) in enumerate(args["cases"])]
    os.waitpid(pod, 0)
    return rows


def _pod(say, hear, first, second, count):
    unshare_network()
    os.write(say, b"apart")
    _heard(hear)
    _sh(
        "ip link set lo up && ip link set vb up && ip addr add %s/24 dev vb && ip route add default via %s"
        % (second, first)
    )
    listener = socket.socket()
    listener.bind(("0.0.0.0", POD_PORT))
    listener.listen(5)
    os.write(say, b"ready")
    for _number in range(count):
        if not wait_readable(listener.fileno(), time.time() + 2 * STEP):
            os.write(say, b"nobody")
            continue
        connection, address = listener.accept()
        connection.settimeout(STEP)
        connection.recv(64)  # so that what comes with data is known as well
        told = "%s %s" % (as_text(address), as_text(connection.getpeername()))
        connection.close()
        os.write(say, told.encode("ascii"))


def _connect(tun, hear, number, source, options):
    area = dict((packet, binascii.unhexlify(text.encode("ascii"))) for packet, text in options.items())
    flow = Flow(4, source, 20001 + number, ADDRESS, NODE_PORT)
    answer, end = None, time.time() + STEP
    while answer is None and time.time() < end:  # the address of the other node has to be asked for first
        tun.send(flow.segment(SYN, FIRST_SEQUENCE, options=area.get("syn", b"") + MSS))
        answer = _answer(tun, flow, time.time() + 0.2)
    if answer is None:
        return None
    sent, acked = answer[2], answer[1] + 1
    tun.send(flow.segment(ACK, sent, acked, options=area.get("ack", b"")))
    tun.send(flow.segment(PSH | ACK, sent, acked, options=area.get("data", b""), payload=b"x"))
    told = _heard(hear)
    tun.send(flow.segment(RST | ACK, sent + 1, acked))
    return None if told == "nobody" else told.split()


def _answer(tun, flow, deadline):
    while True:
        packet = tun.receive(deadline)
        if packet is None:
            return None
        found = flow.answered_by(packet)
        if found and found[0] & (SYN | ACK) == SYN | ACK:
            return found


def _heard(reader):
    assert wait_readable(reader, time.time() + 4 * STEP), "the other node says nothing"
    return os.read(reader, 200).decode("ascii")


def _sh(script):
    code, out, err = run(["/bin/sh", "-ec", script])
    assert code == 0, out + err
