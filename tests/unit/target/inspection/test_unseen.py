# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""unseen.py: which interfaces take packets past the host's firewall."""

from __future__ import absolute_import, division, print_function

import pytest
from ansible_collections.realip.toa.plugins.module_utils.inspection import unseen

LINES = r"""1: lo: <LOOPBACK,UP> mtu 65536 qdisc noqueue\    link/loopback 00:00 brd 00:00 promiscuity 0
7: eth0@if2: <BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue \    link/ether 02:42 brd ff:ff link-netnsid 0 \    macvlan mode bridge addrgenmode eui64
8: net1@if2: <BROADCAST> mtu 1500 qdisc noop \    link/ether 02:43 brd ff:ff link-netnsid 0 \    ipvlan  mode l2 bridge addrgenmode eui64
9: veth0@if3: <BROADCAST> mtu 1500 \    link/ether 02:44 link-netnsid 0 \    veth addrgenmode eui64
10: macvlan: <BROADCAST> mtu 1500 \    link/ether 02:45 \    dummy addrgenmode eui64"""


def test_children_are_told_by_their_kind_and_not_by_their_name():
    assert unseen.children_in(LINES) == [("eth0", "macvlan"), ("net1", "ipvlan")]
    assert unseen.children_in("") == unseen.children_in("nsenter: no such file\n") == []


class Look(object):
    def __init__(self, root):
        self.root = root

    def path(self, path):
        return str(self.root) + path

    def exists(self, path):
        return self.root.join(path[1:]).check()


def test_hardware_that_was_given_away(tmpdir):
    """A card in this namespace has its interface below it; one whose interface is elsewhere has an empty folder; a disk has none."""
    here = tmpdir.ensure("sys/bus/pci/devices/0000:00:03.0/net/eth0", dir=True)
    tmpdir.ensure("sys/bus/pci/devices/0000:00:10.1/net", dir=True)
    tmpdir.ensure("sys/bus/pci/devices/0000:00:1f.2", dir=True)
    tmpdir.ensure("sys/bus/virtio/devices/virtio4/net", dir=True)
    assert here.check()
    assert unseen.unseen_interfaces(Look(tmpdir)) == [
        "the interface of the network device 0000:00:10.1 (pci)",
        "the interface of the network device virtio4 (virtio)",
    ]


def port(tmpdir, name, index, link, *parts):
    folder = tmpdir.ensure("sys/class/net", name, dir=True)
    folder.join("ifindex").write("%d\n" % index)
    folder.join("iflink").write("%d\n" % link)
    for part in parts:
        folder.ensure(part, dir=True)


@pytest.mark.parametrize(
    "ports, shown, found",
    [
        (("eth0", "veth1"), None, True),
        (("bond0", "veth1"), "0", True),
        (("eth0.7", "veth1"), "0", True),
        (("eth0", "veth1"), "1", False),
        (("eth0", "tap0"), None, False),
        (("veth1", "veth2"), None, False),
        (("eth0",), None, False),
    ],
)
def test_a_bridge_that_joins_a_container_to_the_network_outside(tmpdir, ports, shown, found):
    """As LXC has them; docker's leads no card, a virtual machine has a kernel of its own, and with br_netfilter the firewall sees what is bridged."""
    port(tmpdir, "eth0", 2, 2, "device")
    port(tmpdir, "bond0", 3, 3, "bonding")
    port(tmpdir, "eth0.7", 4, 2, "lower_eth0")
    port(tmpdir, "tap0", 5, 5, "tun_flags")
    port(tmpdir, "veth1", 6, 40)
    port(tmpdir, "veth2", 7, 41)
    port(tmpdir, "br0", 8, 8, "bridge")
    for name in ports:
        tmpdir.ensure("sys/class/net/br0/brif", name, dir=True)
    if shown is not None:
        tmpdir.ensure("proc/sys/net/bridge/bridge-nf-call-iptables").write(shown + "\n")
    wanted = ["the bridge br0, which joins veth1 to the network outside"] if found else []
    assert unseen.unseen_interfaces(Look(tmpdir)) == wanted


@pytest.mark.parametrize("maker", unseen.MAKERS + ("",))
def test_namespaces_are_looked_into_only_where_children_can_be(tmpdir, monkeypatch, maker):
    asked = []
    monkeypatch.setattr(unseen, "run", lambda words, timeout: (asked.append(words[2]), (0, LINES, ""))[1])
    for process, namespace in (
        ("self", "net:[1]"),
        ("1", "net:[1]"),
        ("20", "net:[2]"),
        ("21", "net:[2]"),
        ("3", "net:[3]"),
    ):
        tmpdir.ensure("proc", process, "ns", dir=True).join("net").mksymlinkto(namespace)
    tmpdir.join("proc", "20", "comm").write("nginx\n")
    if maker:
        tmpdir.ensure("sys/module", maker, dir=True)
    found = unseen.unseen_interfaces(Look(tmpdir))
    assert asked == (["3", "20"] if maker else [])
    assert len(found) == 2 * len(asked)
    if maker:
        assert "the macvlan interface eth0 in the namespace of nginx (process 20)" in found
