# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers: what nginx and a dual-stack service write into their logs, and that nobody notices attaching, changing and detaching.

Everything runs in a network namespace and a cgroup of the test's own.
"""

from __future__ import annotations

import json
import socket
import subprocess
import typing as t
from pathlib import Path

import pytest
from ebpf_stage import EbpfStage, other_object

NGINX = """
daemon off;
worker_processes 2;
error_log stderr;
pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    log_format client '$remote_addr $remote_port';
    access_log {folder}/access.log client;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen [::]:8080 ipv6only=off; listen 127.0.0.1:8081; location / {{ return 200 "fine\\n"; }} }}
}}
"""

# Asks for as long as its standard input is open: connections that stay open, and new ones. Says how it went, in JSON.
LOAD = """
import json, select, socket, sys, time
def ask(connection):
    connection.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    answer = b""
    while b"fine\\n" not in answer:
        piece = connection.recv(4096)
        if not piece:
            raise OSError("closed")
        answer += piece
def connect():
    return socket.create_connection(("127.0.0.1", 8080), 10)
kept = [connect() for _ in range(20)]
done, new, failed, slowest = 0, 0, [], 0.0
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    for connection in kept:
        began = time.time()
        try:
            ask(connection)
            fresh = connect()
            ask(fresh)
            fresh.close()
            done, new = done + 2, new + 1
        except OSError as problem:
            failed.append(str(problem))
        slowest = max(slowest, time.time() - began)
print(json.dumps({"done": done, "new": new, "failed": failed, "slowest": slowest}))
"""


@pytest.fixture
def stage(tmp_path: Path) -> t.Iterator[EbpfStage]:
    with EbpfStage(tmp_path / "stage") as stage:
        yield stage


class Namespace:
    """A network namespace on the stage, with nginx in it."""

    def __init__(self, stage: EbpfStage, folder: Path) -> None:
        self.stage = stage
        self.folder = folder
        folder.mkdir()
        folder.chmod(0o777)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
        script = f"ip link set lo up && nginx -t -q -c {folder}/nginx.conf && echo ready && exec nginx -c {folder}/nginx.conf"
        self.nginx = self.start("unshare", "-n", "sh", "-c", script)
        assert self.nginx.stdout and self.nginx.stdout.readline() == "ready\n", self.nginx.communicate(timeout=10)

    def start(self, *words: t.Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.stage.command(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def inside(self, *words: t.Any) -> list[t.Any]:
        return ["nsenter", "-t", self.nginx.pid, "-n", *words]

    def close(self) -> None:
        self.nginx.terminate()
        self.nginx.communicate(timeout=20)


@pytest.fixture
def namespace(stage: EbpfStage, tmp_path: Path) -> t.Iterator[Namespace]:
    namespace = Namespace(stage, tmp_path / "nginx")
    try:
        yield namespace
    finally:
        namespace.close()


def test_nobody_notices(stage: EbpfStage, namespace: Namespace) -> None:
    """Under load: attach, change the list, upgrade, change the formats, detach, attach, detach; not one request fails."""
    load = namespace.start(*namespace.inside("python3", "-c", LOAD))
    assert load.stdout and load.stdout.readline() == "ready\n"
    said = []
    for args in (
        {},
        {"trusted_sources": ["127.0.0.0/8"]},
        {"trusted_sources": [f"10.{low}.0.0/16" for low in range(200)]},
        {"object": other_object()},
        {},
        {"kinds": ["254/8", "253/20"]},
        {"state": "detached"},
        {},
        {"state": "detached"},
    ):
        answer = stage.ebpf(**args)
        assert answer["changed"], answer
        said.append(answer["counters"])
    out, err = load.communicate("stop\n", timeout=60)
    result = json.loads(out)
    print(result)
    assert result["failed"] == [] and result["new"] > 200, (result, err)
    assert said[-1]["no_option"] > 0, "the programs saw that load"


SERVICE = """
import socket, sys, threading
listener = socket.socket(socket.AF_INET6)
listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
listener.bind(("::", 8082)); listener.listen(100)
print("ready", flush=True)
while True:
    connection, address = listener.accept()
    print(address[0], address[1], connection.getpeername()[0], flush=True)
    connection.close()
"""


CLIENT4, CLIENT6, CDN = "c8081092cb007107", "fd14109220010db8000000000000000000000007", "1c0701cb007107"


def test_servers_log_the_client(stage: EbpfStage, namespace: Namespace) -> None:
    """nginx, which was there before the programs, and a dual-stack service: through a load balancer over IPv4 and IPv6, and without one."""
    service = namespace.start(*namespace.inside("python3", "-c", SERVICE))
    assert service.stdout and service.stdout.readline() == "ready\n"
    stage.ebpf(kinds=["200/8", "253/20", "28/7"])
    options = [CLIENT4, CLIENT6, CDN, ""]
    requests = [(family, port, option) for port in (8080, 8082) for family in (4, 6) for option in options]
    client = namespace.start(*namespace.inside("/usr/bin/python3", "-"))
    out, err = client.communicate(stage.program("requests", requests=requests), timeout=60)
    assert f'"answered": {len(requests)}' in out, out + err
    service.kill()
    clients = ["::ffff:203.0.113.7", "2001:db8::7", "::ffff:203.0.113.7"]
    expected = [*clients, "::ffff:192.0.2.2", *clients, "2001:db8:0:1::2"]
    logged = [line.split()[0] for line in (namespace.folder / "access.log").read_text().splitlines()]
    assert logged == expected
    seen = [line.split() for line in service.communicate(timeout=20)[0].splitlines()]
    assert [line[0] for line in seen] == [line[2] for line in seen] == expected


def test_a_connection_keeps_its_client_through_changes_and_upgrades(stage: EbpfStage) -> None:
    stage.ebpf()
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    keeper = subprocess.Popen(
        stage.command("/usr/bin/python3", "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[theirs.fileno()],
    )
    assert keeper.stdin
    keeper.stdin.write(stage.program("keeper", option=CLIENT4, descriptor=theirs.fileno()))
    keeper.stdin.close()
    keeper.stdin = None
    theirs.close()

    def peer() -> str:
        ours.sendall(b"?")
        return ours.recv(100).decode().strip()

    assert peer() == "203.0.113.7"
    stage.ebpf(trusted_sources=["10.0.0.0/8"])
    assert peer() == "203.0.113.7"
    stage.ebpf(kinds=["254/8"], trusted_sources=["10.0.0.0/8"], object=other_object())
    assert peer() == "203.0.113.7"
    stage.ebpf("detached")
    assert peer() == "192.0.2.2"
    ours.close()
    assert '"changed": false' in keeper.communicate(timeout=30)[0]
