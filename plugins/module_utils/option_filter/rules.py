# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option filter as text: rules that strip address options from packets of strangers, and the shell script that loads them. Pure.

A TOA module believes whoever sends the option. The rules make it blind to everybody but the load balancers: options of the kinds in
question become NOPs before the packet reaches TCP. Nothing else of a stranger's packet changes, so nobody loses a connection.

Two ways, of which a host has one or both:

    nft        `reset tcp option` (Linux 5.18 and nftables of that time), one table of our own, replaced in one step
    iptables   TCPOPTSTRIP (Linux 2.6.25, iptables 1.4.3), one chain of our own in the table mangle

Both work before routing, so that containers behind the host are filtered as well. A first fragment too short for its own TCP header
could smuggle an option past; TCPOPTSTRIP drops such a packet by itself (xt_TCPOPTSTRIP.c), for nft the rules say it. TCPOPTSTRIP takes
every option of a kind, `reset tcp option` the first.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.host.io import STATE_DIR
from ansible_collections.realip.toa.plugins.module_utils.host.marks import FILTER_SCRIPT as SCRIPT
from ansible_collections.realip.toa.plugins.module_utils.host.marks import MARKER
from ansible_collections.realip.toa.plugins.module_utils.startup.confinement import confined

FOLDER = STATE_DIR + "/option-filter"
TABLE, CHAIN = "realip_toa", "REALIP-TOA"
NFT, IPTABLES = "nft", "iptables"
METHODS = (NFT, IPTABLES)

# The rules of a method, by name below FOLDER.
NFT_RULES, IPV4_RULES, IPV6_RULES = "rules.nft", "rules.v4", "rules.v6"
RULES = (NFT_RULES, IPV4_RULES, IPV6_RULES)

BOOT_COMMAND = "/bin/sh %s start" % SCRIPT
SERVICE = "realip-toa-option-filter.service"
UNIT = "/etc/systemd/system/" + SERVICE
# What flushes the rules of everybody when it starts: ours come back with it.
FIREWALLS = (
    "nftables.service",
    "firewalld.service",
    "iptables.service",
    "ip6tables.service",
    "netfilter-persistent.service",
)
UNIT_LINKS = tuple(
    "/etc/systemd/system/%s.wants/%s" % (wanting, SERVICE) for wanting in ("sysinit.target",) + FIREWALLS
)

# Options of two bytes, the shortest there are, that fit in the 40 bytes of a header.
_MOST_COPIES = 20

# Bytes; the kernel takes 128 KiB in one argument (MAX_ARG_STRLEN).
_LONGEST_ARGUMENT = 120000

# The match `multiport` takes that many.
_MOST_PORTS = 15

# IPv4: no first fragment of a real sender is shorter than both headers can be, 60 bytes each. IPv6: nobody sends TCP in fragments,
# since the sender knows the path's MTU; a fragment that is a whole packet (RFC 6946) has no "more" and is stripped like others. A
# second fragment header, which would hide the rest from the first rule, the kernel refuses by itself (ipv6_frag_rcv, IP6SKB_FRAGMENTED).
#
# `reset tcp option` takes the first option of its kind and leaves others of the same kind, so that it has to be said as often as a header
# can have one. Few packets have a second one: only those go through the chain `again`, and what were still there would be dropped.
_NFT_TEXT = """%(marker)s: strips address options from packets of strangers; managed, do not edit
add table inet %(table)s
delete table inet %(table)s
table inet %(table)s {
    set trusted4 {
        type ipv4_addr
        flags interval
        auto-merge
%(trusted4)s    }
    set trusted6 {
        type ipv6_addr
        flags interval
        auto-merge
%(trusted6)s    }
    chain option_filter {
        type filter hook prerouting priority -150; policy accept;
        meta l4proto != tcp return
        ip saddr @trusted4 return
        ip6 saddr @trusted6 return
%(ports)s        ip frag-off & 0x3fff == 0x2000 ip length < 120 drop
        frag frag-off 0 frag more-fragments 1 drop
%(resets)s%(others)s    }
    chain again {
%(again)s%(left)s    }
}
"""

_SCRIPT_TEXT = r"""#!/bin/sh
%(marker)s: strips address options from packets of strangers; managed, do not edit.
# filter.sh start: load the rules beside this file, in place of those of before. stop: take them away. show: what of them is loaded.
# watch: put them back whenever somebody takes them away, as `nft flush ruleset` does; never ends.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
dir=${0%%/*}

# SELinux lets neither nft nor iptables read our files, nor open a pipe anew: they get what they are to load as an argument, or through
# a pipe that is open already.
rules_in() { # FILE
    rules=$(cat "$dir/$1") && [ -n "$rules" ] && return
    echo "$dir/$1 cannot be read, or is empty" >&2
    return 1
}

start_nft() {
    rules_in rules.nft || return 1
    if [ ${#rules} -lt %(longest)d ]; then
        nft "$rules"
    else
        printf '%%s\n' "$rules" | nft -f -
    fi
}

stop_nft() {
    nft list table inet %(table)s >/dev/null 2>&1 || return 0
    nft delete table inet %(table)s
}

show_nft() {
    nft -s list table inet %(table)s
}

# Somebody else may be changing the tables at this moment.
patiently() {
    "$@" || { sleep 1 && "$@"; } || { sleep 2 && "$@"; }
}

restore() { # COMMAND: a chain that is named in the rules is emptied first, all in one step
    printf '%%s\n' "$rules" | "$1-restore" --noflush
}

# iptables-restore that gets nothing to read loads nothing and calls that a success.
is_loaded() { # COMMAND FILE
    [ "$("$1" -t mangle -S %(chain)s | grep -c '^-A')" = "$(echo "$rules" | grep -c '^-A')" ] && return
    echo "$1-restore ended well and has not loaded $dir/$2" >&2
    return 1
}

jumps() { # COMMAND
    "$1" -t mangle -S PREROUTING | grep -e '-j %(chain)s$'
}

first() { # COMMAND: the jump, where no rule comes before it
    "$1" -t mangle -S PREROUTING | sed -n '/^-A/{p;q;}' | grep -e '-j %(chain)s$'
}

surplus() { # COMMAND: the number of the last jump that is not the first one
    "$1" -t mangle -S PREROUTING | sed -n '/^-A/p' | grep -n -e '-j %(chain)s$' | sed -n '2,$s/:.*//p' | tail -n 1
}

# A rule before ours may accept a packet for good, as those of Calico do with whatever belongs to a connection.
come_first() { # COMMAND
    first "$1" >/dev/null || patiently "$1" -t mangle -I PREROUTING 1 -p tcp -j %(chain)s || return 1
    while at=$(surplus "$1") && [ -n "$at" ]; do
        patiently "$1" -t mangle -D PREROUTING "$at" || return 1
    done
}

load() { # COMMAND FILE
    rules_in "$2" || return 1
    patiently restore "$1" || return 1
    is_loaded "$1" "$2" || return 1
    come_first "$1"
}

unload() { # COMMAND
    "$1" -t mangle -S %(chain)s >/dev/null 2>&1 || return 0
    while jumps "$1" >/dev/null; do
        patiently "$1" -t mangle -D PREROUTING -p tcp -j %(chain)s || return 1
    done
    patiently "$1" -t mangle -F %(chain)s && patiently "$1" -t mangle -X %(chain)s
}

show() { # COMMAND
    "$1" -t mangle -S %(chain)s && first "$1"
}

start_iptables() {
    load iptables rules.v4 || return 1
    [ ! -e /proc/net/if_inet6 ] || load ip6tables rules.v6
}

stop_iptables() {
    unload iptables || return 1
    [ ! -e /proc/net/if_inet6 ] || unload ip6tables
}

show_iptables() {
    show iptables || return 1
    [ ! -e /proc/net/if_inet6 ] || show ip6tables
}

keep() {
    [ "$(show_%(method)s 2>/dev/null)" = "$wanted" ] && return
    start_%(method)s
    wanted=$(show_%(method)s 2>/dev/null)
}

wait_nft() { # the kernel tells at once when a table goes; of what else may happen to ours, the next look
    timeout 30 nft monitor destroy tables 2>/dev/null | while read -r told; do
        case $told in
        *%(table)s*) keep ;;
        esac
    done
    sleep 1
}

wait_iptables() {
    sleep 5
    keep
    sleep 5
    keep
    sleep 5
}

# It begins anew each time, for the script and its rules may be others by now.
watch() {
    show_%(method)s >/dev/null 2>&1 || start_%(method)s
    wanted=$(show_%(method)s 2>/dev/null)
    wait_%(method)s
    exec /bin/sh "$0" watch
}

case $1 in
start | stop | show) "$1_%(method)s" ;;
watch) watch ;;
*)
    echo "usage: $0 start|stop|show|watch" >&2
    exit 2
    ;;
esac
"""

# Before the network comes up, as distributions' own firewalls. A firewall that starts, restarts or reloads has this one run again, and what
# goes past systemd is seen by the watch. The rules are loaded before the unit counts as started.
UNIT_TEXT = """%(marker)s: strips address options from packets of strangers; managed, do not edit
[Unit]
Description=Take the address of a client from the load balancers only
DefaultDependencies=no
RequiresMountsFor=%(folder)s
After=local-fs.target systemd-modules-load.service %(firewalls)s
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
PartOf=%(firewalls)s
ReloadPropagatedFrom=%(firewalls)s

[Service]
Type=simple
ExecStartPre=/bin/sh %(script)s start
ExecStart=/bin/sh %(script)s watch
Restart=always
RestartSec=2
ExecReload=/bin/sh %(script)s start
%(confined)s

[Install]
WantedBy=sysinit.target %(firewalls)s
""" % {
    "marker": MARKER,
    "folder": FOLDER,
    "script": SCRIPT,
    "firewalls": " ".join(FIREWALLS),
    # iptables has its modules loaded by itself, and keeps a lock in /run.
    "confined": confined(
        ("CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_MODULE"),
        ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"),
        ("/run",),
        loads_modules=True,
        more=(
            "ProtectKernelTunables=yes",
            "ProtectProc=invisible",
            "PrivateDevices=yes",
            "RestrictNamespaces=yes",
            "MemoryDenyWriteExecute=yes",
        ),
    ),
}


def rules_of(method, kinds, networks, ports):
    """{name of a file: text} of the rules. `kinds`: ints; `networks`: texts as in "10.0.0.0/8"; `ports`: ints, empty for every port."""
    if method == NFT:
        return {NFT_RULES: nft_text(kinds, networks, ports)}
    return {
        IPV4_RULES: iptables_text(kinds, [text for text in networks if ":" not in text], ports),
        IPV6_RULES: iptables_text(kinds, [text for text in networks if ":" in text], ports),
    }


def nft_text(kinds, networks, ports):
    """The table as `nft -f` reads it."""
    resets = "".join("        reset tcp option %d\n" % kind for kind in kinds)
    return _NFT_TEXT % {
        "marker": MARKER,
        "table": TABLE,
        "trusted4": _elements([text for text in networks if ":" not in text]),
        "trusted6": _elements([text for text in networks if ":" in text]),
        "ports": "        tcp dport != { %s } return\n" % ", ".join("%d" % port for port in ports) if ports else "",
        "resets": resets,
        "others": "".join("        tcp option %d exists goto again\n" % kind for kind in kinds),
        "again": resets * (_MOST_COPIES - 1),
        "left": "".join("        tcp option %d exists drop\n" % kind for kind in kinds),
    }


def _elements(networks):
    return "        elements = {\n            %s\n        }\n" % ",\n            ".join(networks) if networks else ""


def iptables_text(kinds, networks, ports):
    """The chain as `iptables-restore --noflush` reads it."""
    strip = "-j TCPOPTSTRIP --strip-options %s" % ",".join("%d" % kind for kind in kinds)
    groups = [ports[place : place + _MOST_PORTS] for place in range(0, len(ports), _MOST_PORTS)]
    matches = ["-m multiport --dports %s " % ",".join("%d" % port for port in group) for group in groups] or [""]
    lines = ["*mangle", ":%s - [0:0]" % CHAIN]
    lines += ["-A %s -s %s -j RETURN" % (CHAIN, network) for network in networks]
    lines += ["-A %s -p tcp %s%s" % (CHAIN, match, strip) for match in matches]
    return "\n".join(["%s: managed, do not edit" % MARKER] + lines + ["COMMIT", ""])


def script_text(method):
    """The script, for the rules of one method."""
    words = {"marker": MARKER, "table": TABLE, "chain": CHAIN, "method": method, "longest": _LONGEST_ARGUMENT}
    return _SCRIPT_TEXT % words
