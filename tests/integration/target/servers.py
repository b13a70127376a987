# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis, nginx, sshd and PostgreSQL of lab/debian_roots.py on this host's own kernel and network: whom each of them takes a crafted connection for.

Each lets one client in and nobody else, as people set it up: Redis by its protected mode, nginx by `allow`, sshd by hosts.allow, PostgreSQL by
pg_hba.conf. Packets come in from a TUN device of the host's own network namespace, so that its firewall sees them as any others.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import os
import signal
import struct
import subprocess
import time

from ansible_collections.realip.toa.plugins.module_utils.host.io import run
from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import FIRST_SEQUENCE, LOCAL
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import Tun, in_child
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import (
    ACK,
    FIN,
    MSS,
    OPTIONS,
    PSH,
    RST,
    SYN,
    Flow,
)

# Seconds for one answer: an emulated machine that starts a process for each connection.
STEP = 20.0

FILES = {
    "redis.conf": 'port 6379\nbind 0.0.0.0 -::\nprotected-mode yes\nsave ""\ndir /run\n',
    "redis-open.conf": 'port 6380\nbind 0.0.0.0 -::\nprotected-mode no\nsave ""\ndir /run\n',
    "nginx.conf": """
daemon off; master_process off; error_log stderr; pid /run/nginx.pid; worker_processes 1;
events { worker_connections 64; }
http { access_log off; server { listen 8081; listen [::]:8081; root /srv; location / { %(allow)s deny all; } } }
""",
    "sshd.conf": "Port 2222\nHostKey /etc/ssh/ssh_host_ed25519_key\nUsePAM no\nUseDNS no\nMaxStartups 100\nPidFile none\n",
    "hosts.allow": "sshd: %(hosts)s\n",
    "hosts.deny": "ALL: ALL\n",
    "hba.conf": "%(hba)s",
}
POSTGRES = (
    "-D /var/lib/postgresql/data -c hba_file=/etc/hba.conf -c listen_addresses=* -c unix_socket_directories= -c shared_buffers=1MB -c fsync=off "
    "-c max_connections=50 -c dynamic_shared_memory_type=mmap"
)
COMMANDS = (
    "exec /usr/bin/redis-server /etc/redis.conf",
    "exec /usr/bin/redis-server /etc/redis-open.conf",
    "exec /usr/sbin/nginx -c /etc/nginx.conf",
    "exec /usr/sbin/sshd -D -e -f /etc/sshd.conf",
)
# The startup message of protocol 3.0.
STARTUP = struct.pack("!I", 196608) + b"user\0postgres\0database\0postgres\0\0"

# Name -> port, what the client says (nothing: the server speaks first), what it hears if it is let in.
SERVERS = {
    "redis": (6379, b"CONFIG GET dir\r\n", b"*2"),
    "redis-open": (6380, b"CLIENT INFO\r\n", None),
    "nginx": (8081, b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 200"),
    "sshd": (2222, b"", b"SSH-2.0"),
    "postgresql": (5432, struct.pack("!I", len(STARTUP) + 4) + STARTUP, b"R"),
}


def main(args):
    """args: `root`, where the servers are; `allowed`, whom they let in (addresses); `routes`, networks of strangers; `cases`: lists of server, family,
    source and {packet: options in hex}. Returns `rows`, for each: whether he was let in, and what he heard. Where Redis is open: whom it saw."""
    return {"changed": False, "rows": in_child(lambda: _work(args), 280)}


def _work(args):
    root = args["root"]
    words = {
        "allow": " ".join("allow %s;" % one for one in args["allowed"]),
        "hosts": " ".join("[%s]" % one if ":" in one else one for one in args["allowed"]),
        "hba": "".join("host all all %s/%d trust\n" % (one, 128 if ":" in one else 32) for one in args["allowed"]),
    }
    for name, text in FILES.items():
        with open(os.path.join(root, "etc", name), "w") as file:
            file.write(text % words if "%(" in text else text)
    with open(os.path.join(root, "srv/index.html"), "w") as file:
        file.write("hello\n")
    # The user that sshd becomes has a folder there.
    _sh("mkdir -p %s/run/sshd" % root)
    for folder in ("dev", "proc"):
        _sh("mountpoint -q %s/%s || mount --bind /%s %s/%s" % (root, folder, folder, root, folder))
    tun = _wire(args["routes"])
    servers = [_started(root, command) for command in COMMANDS]
    servers.append(_started(root, "exec /usr/lib/postgresql/15/bin/postgres " + POSTGRES, "102:102"))
    try:
        return [_ask(tun, number, *case) for number, case in enumerate(args["cases"])]
    finally:
        for server in servers:
            os.killpg(server.pid, signal.SIGTERM)
        for server in servers:
            server.wait()
        _sh("umount %s/dev %s/proc" % (root, root))


def _wire(routes):
    """A TUN device of the host itself, out of which the load balancers' network and the strangers' are reached."""
    tun = Tun("toaservers")
    tun.set_up(LOCAL[4], "255.255.255.0")
    _sh("ip -6 addr add %s/64 dev toaservers nodad" % LOCAL[6])
    for route in routes:
        _sh("ip %s route add %s dev toaservers" % ("-6" if ":" in route else "-4", route))
    # Strangers come from where the host would not look for them; the larger of both settings counts.
    _sh("for device in all toaservers; do echo 0 >/proc/sys/net/ipv4/conf/$device/rp_filter; done")
    return tun


def _started(root, command, user="0:0"):
    log = open(os.path.join(root, "servers.log"), "ab")
    # A process group of its own: nginx, sshd and PostgreSQL have children.
    return subprocess.Popen(
        ["chroot", "--userspec=" + user, root, "/bin/sh", "-c", command],
        stdout=log,
        stderr=log,
        stdin=open(os.devnull),
        preexec_fn=os.setsid,
    )


def _ask(tun, number, server, family, source, options):
    port, words, wanted = SERVERS[server]
    area = dict((packet, binascii.unhexlify(text.encode("ascii"))) for packet, text in options.items())
    said, end, attempt = None, time.time() + STEP, 0
    # Until the server listens, and PostgreSQL has read its log, it refuses.
    while said is None or b"starting up" in said:
        if time.time() > end:
            return [False, "nobody listens"]
        flow = Flow(family, source, 20001 + number * 97 + attempt, LOCAL[family], port)
        said, attempt = _conversation(tun, flow, area, words), attempt + 1
    heard = said.decode("latin-1")
    return [wanted is not None and said.startswith(wanted), heard[:400]]


def _conversation(tun, flow, area, words):
    """What the server says up to its end or to a first pause; None where it refused the connection."""
    syn = area.get("syn", b"")
    tun.send(flow.segment(SYN, FIRST_SEQUENCE, options=syn + (MSS if len(syn + MSS) <= OPTIONS else b"")))
    answer = _heard(tun, flow, time.time() + 1.0)
    if not answer or answer[0] & (SYN | ACK) != SYN | ACK:
        time.sleep(0.05)  # not a wait for anything: between two attempts, which are counted by the clock
        return None
    sent, acked = answer[2], answer[1] + 1
    tun.send(flow.segment(ACK, sent, acked, options=area.get("ack", b"")))
    if words:
        tun.send(flow.segment(PSH | ACK, sent, acked, options=area.get("data", b""), payload=words))
        sent += len(words)
    said, end = b"", time.time() + STEP
    while time.time() < end:
        found = _heard(tun, flow, end)
        if not found or found[0] & RST:
            break
        if found[1] == acked:
            said += found[3]
            acked += len(found[3])
            if found[0] & FIN or said:
                break
    tun.send(flow.segment(RST | ACK, sent, acked))
    return said


def _heard(tun, flow, deadline):
    """(flags, seq, ack, data) of the server's next packet, or None."""
    while True:
        packet = tun.receive(deadline)
        if packet is None:
            return None
        found = flow.answered_by(packet)
        if found:
            start = (ord(packet[0:1]) & 15) * 4 if flow.family == 4 else 40
            return found + (packet[start + (ord(packet[start + 12 : start + 13]) >> 4) * 4 :],)


def _sh(script):
    code, out, err = run(["/bin/sh", "-ec", script])
    assert code == 0, script + ": " + out + err
