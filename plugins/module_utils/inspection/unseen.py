# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces in other network namespaces that take their packets past this host's firewall, so that the option filter does not see them.

A veth pair leads through the host; these do not: macvlan and ipvlan children, which have their packets from the driver of the host's interface,
interfaces of hardware (functions of SR-IOV, network cards of a cloud) that were given to a namespace as they are, and bridges that join a container to
the network outside, as LXC's do, unless bridged packets are shown to the firewall (br_netfilter).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import list_dir, read_line, run

# Modules that make such children. Without them nobody has to look into every namespace.
MAKERS = ("macvlan", "ipvlan")
# Namespaces that are looked into, and seconds for one.
MOST, TIMEOUT = 64, 5


def unseen_interfaces(look):
    """What the option filter does not see, in words; [] where it sees everything."""
    return _of_hardware(look) + _bridges(look) + _children(look)


def _of_hardware(look):
    """A network device that has no interface here has it in another namespace: sysfs shows those of its own."""
    found = []
    for bus in ("pci", "virtio"):
        for name in list_dir(look.path("/sys/bus/%s/devices" % bus)):
            folder = look.path("/sys/bus/%s/devices/%s/net" % (bus, name))
            if os.path.isdir(folder) and not list_dir(folder):
                found.append("the interface of the network device %s (%s)" % (name, bus))
    return found


def _bridges(look):
    """Frames that a bridge passes from a card to a container are no business of IP's here, but for br_netfilter."""
    if read_line(look.path("/proc/sys/net/bridge/bridge-nf-call-iptables")) == "1":
        return []
    found = []
    for name in list_dir(look.path("/sys/class/net")):
        ports = list_dir(look.path("/sys/class/net/%s/brif" % name))
        containers = [port for port in ports if _leads_elsewhere(look, port)]
        if containers and [port for port in ports if _leads_outside(look, port)]:
            found.append("the bridge %s, which joins %s to the network outside" % (name, containers[0]))
    return found


def _leads_outside(look, port):
    """A card, or what is made of one: a bond, a VLAN."""
    folder = "/sys/class/net/%s" % port
    parts = list_dir(look.path(folder))
    return "device" in parts or "bonding" in parts or bool([part for part in parts if part.startswith("lower_")])


def _leads_elsewhere(look, port):
    """One end of a pair whose other end is a container's. A virtual machine (tun_flags) has a kernel of its own."""
    folder = look.path("/sys/class/net/%s" % port)
    ends = [read_line("%s/%s" % (folder, name)) for name in ("ifindex", "iflink")]
    return ends[0] != ends[1] and not _leads_outside(look, port) and "tun_flags" not in list_dir(folder)


def _children(look):
    if not [name for name in MAKERS if look.exists("/sys/module/" + name)]:
        return []
    found = []
    for process in other_namespaces(look)[:MOST]:
        code, out, _err = run(["nsenter", "-t", process, "-n", "ip", "-d", "-o", "link", "show"], timeout=TIMEOUT)
        for name, kind in children_in(out) if code == 0 else []:
            program = read_line(look.path("/proc/%s/comm" % process)) or "process %s" % process
            found.append("the %s interface %s in the namespace of %s (process %s)" % (kind, name, program, process))
    return found


def children_in(text):
    """[(name, kind)] in what `ip -d -o link` says: `2: eth0@if5: <BROADCAST> ... macvlan mode bridge ...`."""
    found = []
    for line in text.split("\n"):
        match = re.match(r"\d+: ([^:@\s]+)(?:@\S+)?: ", line)
        kind = re.search(r"\s(macvlan|macvtap|ipvlan|ipvtap)\s+(?:mode|l2|l3)", line)
        if match and kind:
            found.append((match.group(1), kind.group(1)))
    return found


def other_namespaces(look):
    """Of each network namespace that is not ours, the lowest process in it."""
    known, found = set([_namespace(look, "self")]), []
    for process in sorted((name for name in list_dir(look.path("/proc")) if name.isdigit()), key=int):
        namespace = _namespace(look, process)
        if namespace and namespace not in known:
            known.add(namespace)
            found.append(process)
    return found


def _namespace(look, process):
    try:
        return os.readlink(look.path("/proc/%s/ns/net" % process))
    except (OSError, AttributeError):
        return None
