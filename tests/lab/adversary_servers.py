# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis, nginx, sshd and PostgreSQL on a machine of each backend: nobody gets in by saying that he is somebody else, however often he says it.

The machines are dressed as distributions whose archives are gone. So the programs are Debian 12's on all of them, in a root of their own
(lab/debian_roots.py); kernel, module, eBPF programs, firewall and network are the machine's, as the rollout has left them.
"""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.testbench.forgeries import areas
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import OPTIONS
from conftest import Lab

sys.path.insert(0, str(Path(__file__).parents[1] / "adversary"))

import handshakes

from lab import debian_roots

# A module that comes with the kernel, a vendor's kernel, and the kernel's own programs.
MACHINES = {"alinux3": "vtoa", "ubuntu1604": "kernel_package", "debian12": "ebpf"}
ROOT = "/srv/servers"
SERVERS = ("redis", "redis-open", "nginx", "sshd", "postgresql")
CLIENTS = {4: "203.0.113.7", 6: "2001:db8::7"}
ROUTES = ("198.51.100.0/24", "2001:db8:0:2::/64")
COPIES = (1, 2, 5)
Case = tuple[str, int, str, dict[str, str]]


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    made = Lab(tuple(MACHINES), tmp_path_factory.mktemp("servers"))
    made.command("up", *made.hosts)
    made.reset()
    code, _report, output = made.playbook("realip.toa.lock", "ubuntu1604")
    assert code == 0, output
    return made


def option(formats: list[str], family: int, address: str) -> str:
    """What a client address of this family is forged with, in a format that the host reads; "" where it reads none."""
    length = {4: 8, 6: 20}[family]
    kinds = [int(text.partition("/")[0]) for text in formats if text.endswith(f"/{length}")]
    return handshakes.forged(kinds[0], address, 4242).hex() if kinds else ""


def genuine(formats: list[str]) -> list[Case]:
    """What the load balancer writes: each server lets its client in, so that the others' being refused says something."""
    return [
        (server, family, handshakes.TRUSTED[family][0], {"ack": forged})
        for family, address in CLIENTS.items()
        if (forged := option(formats, family, address))
        for server in SERVERS[1:]
    ]


def strangers(formats: list[str]) -> list[Case]:
    """One, two and five copies of a forged option, on each packet; the loopback address for Redis; and what passes a careless filter."""
    found: list[Case] = []
    for family, address in CLIENTS.items():
        source = handshakes.STRANGERS[family][0]
        for server in SERVERS:
            forged = option(formats, family, address if server != "redis" else {4: "127.0.0.1", 6: "::1"}[family])
            if not forged:
                continue
            found += [
                (server, family, source, {"ack": forged * copies})
                for copies in COPIES
                if len(forged) // 2 * copies <= OPTIONS
            ]
            found += [(server, family, source, {"syn": forged * 2, "ack": forged, "data": forged * 2})]
        found.append(("redis-open", family, source, {}))
    crowd = areas(bytes.fromhex(option(formats, 4, CLIENTS[4])))
    return found + [("nginx", 4, handshakes.STRANGERS[4][0], {"ack": area.hex()}) for _name, area in crowd]


@pytest.mark.parametrize("host", MACHINES)
def test_no_server_takes_a_stranger_for_a_client(machines: Lab, host: str) -> None:
    code, report, output = machines.playbook("rollout.yml", host, toa_trusted_sources=handshakes.NETWORKS)
    assert code == 0, output
    (entry,) = report["hosts"]
    assert (entry["state"], entry["backend"]) == ("proved", MACHINES[host]), entry
    debian_roots.SERVERS.unpack(host, ROOT)

    def asked(cases: list[Case]) -> list[tuple[Case, t.Any]]:
        answer = machines.target(host, "servers", root=ROOT, allowed=list(CLIENTS.values()), routes=ROUTES, cases=cases)
        return list(zip(cases, answer["rows"], strict=True))

    formats = entry["option_kinds"]
    shut_out = [
        (case, heard)
        for case, (let_in, heard) in asked(genuine(formats))
        if not (
            let_in
            or (case[0] == "redis-open" and f"addr={CLIENTS[case[1]]}:4242 " in heard.replace("[", "").replace("]", ""))
        )
    ]
    assert not shut_out, "the load balancer's clients are let in"
    tried = asked(strangers(formats))
    print(f"servers: {len(tried)} forged connections against {MACHINES[host]}")
    assert not [(case, heard) for case, (let_in, heard) in tried if let_in or "nobody listens" in heard]
    open_to_all = [(case, heard) for case, (_in, heard) in tried if case[0] == "redis-open"]
    assert not [
        (case, heard)
        for case, heard in open_to_all
        if f"addr={case[2]}:" not in heard.replace("[", "").replace("]", "")
    ]
