# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the eBPF programs cost: accepted connections a second with everything attached against none, and what the verifier has to do.

A client makes connections to nginx as fast as it can, one request each, both on one CPU, in short slices with and without the programs by
turns, so that whatever else the machine does falls on both alike. The ratio is the median over pairs of neighbours. The same is measured,
and printed, for a server that does nothing but accept and close, where all that is not the kernel's own work is the programs'.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import typing as t
from pathlib import Path

import ledger
import pytest
from ebpf_stage import EbpfStage

HERE = Path(__file__).parent

PAIRS = 60
SLICE = 100  # milliseconds
GOAL = 0.97
HOOKS = {
    "realip_peer4": "getpeername4",
    "realip_peer6": "getpeername6",
    "realip_getopt": "getsockopt",
    "realip_sockops": "sock_ops",
}
OBJECT = HERE.parent.parent / "plugins/plugin_utils/ebpf/toa.bpf.o"
INCLUDE = f"-I/usr/include/{os.uname().machine}-linux-gnu"


@pytest.fixture
def stage(tmp_path: Path) -> t.Iterator[EbpfStage]:
    with EbpfStage(tmp_path) as stage:
        for name in ("server", "client"):
            (stage.cgroup / name).mkdir()
        try:
            yield stage
        finally:
            for name in ("server", "client"):
                (stage.cgroup / name).rmdir()


NGINX = """
daemon off; worker_processes 1; error_log stderr; pid {folder}/nginx.pid; events {{ worker_connections 512; }}
http {{ access_log {folder}/access.log; server {{ listen 127.0.0.1:8080; location / {{ return 200 $remote_addr; }} }} }}
"""


class Connections:
    """The client, and the server in a cgroup of its own: nginx, or the client itself that accepts and closes."""

    def __init__(self, stage: EbpfStage, folder: Path, nginx: bool) -> None:
        program = folder / "connections"
        subprocess.run(["cc", "-O2", "-Wall", "-o", program, HERE / "fixtures/connections.c"], check=True)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
        server = (
            f"nginx -c {folder}/nginx.conf >/dev/null & nginx=$!; until ss -Hltn | grep -q :8080; do :; done;"
            if nginx
            else "nginx=;"
        )
        script = (
            f"echo $$ >{stage.mount}/server/cgroup.procs; ip link set lo up; renice -n -15 $$ >/dev/null; taskset -p 1 $$ >/dev/null; {server}"
            f'{program} {stage.mount}/client/cgroup.procs {8080 if nginx else ""}; test -z "$nginx" || {{ kill $nginx; wait $nginx; }}'
        )
        self.process = subprocess.Popen(
            stage.command("unshare", "-n", "sh", "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def a_second(self) -> tuple[float, str]:
        """Connections a second, and how many of them showed the client that the option names: all, some, none."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{SLICE}\n")
        self.process.stdin.flush()
        rate, client = self.process.stdout.readline().split()
        return float(rate), client

    def close(self) -> None:
        self.process.communicate(timeout=20)


def switch(stage: EbpfStage, programs: dict[str, int], verb: str) -> None:
    for name, number in programs.items():
        words = ["id", str(number)] + (["multi"] if verb == "attach" else [])
        subprocess.run(["bpftool", "cgroup", verb, stage.cgroup / "server", HOOKS[name], *words], check=True)


def measure(stage: EbpfStage, folder: Path, sends: bool, nginx: bool) -> float:
    """The ratio, printed."""
    stage.ebpf(cgroup=f"{stage.mount}/server", trusted_sources=["127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32"])
    programs = stage.programs(f"{stage.mount}/server")
    if sends:
        sender = folder / "sender.o"
        subprocess.run(
            ["clang", "-O2", "-g", "-target", "bpf", INCLUDE, "-c", HERE / "fixtures/toa_sender.bpf.c", "-o", sender],
            check=True,
        )
        stage.sh(
            f"bpftool prog load {sender} /sys/fs/bpf/sender && bpftool cgroup attach {stage.mount}/client sock_ops pinned /sys/fs/bpf/sender"
        )
    connections = Connections(stage, folder, nginx)
    ratios, rates = [], []
    try:
        for number in range(PAIRS + 2):
            pair = {}
            for verb in ("attach", "detach") if number % 2 else ("detach", "attach"):
                if (verb == "attach") != bool(stage.programs(f"{stage.mount}/server")):
                    switch(stage, programs, verb)
                pair[verb], client = connections.a_second()
                assert client == ("all" if sends and verb == "attach" else "none")
            if number >= 2:  # the first two warm up
                ratios.append(pair["attach"] / pair["detach"])
                rates.append(pair["detach"])
    finally:
        connections.close()
    ratio, rate = statistics.median(ratios), statistics.median(rates)
    server = "nginx" if nginx else "accept() and close() alone"
    what = "an option on every connection" if sends else "no option on any connection"
    ledger.put(
        "ebpf",
        f"{server}, {what}",
        ratios=[round(one, 4) for one in ratios],
        rates=[round(one) for one in rates],
        slice=SLICE,
    )
    print(
        f"\nebpf: {server}, {what}: {ratio:.3f} of {rate:,.0f} accepted connections/s; {1e6 / rate * (1 / ratio - 1):+.2f} us each",
        end="",
    )
    return ratio


SENDS = pytest.mark.parametrize(
    "sends", [True, False], ids=["every connection carries an option", "a server that never meets an option"]
)


@SENDS
def test_accepted_connections_of_a_real_server(stage: EbpfStage, tmp_path: Path, sends: bool) -> None:
    assert measure(stage, tmp_path, sends, True) >= GOAL


@SENDS
def test_accepted_connections_of_no_server_at_all(stage: EbpfStage, tmp_path: Path, sends: bool) -> None:
    """The harshest case there is; nothing is promised of it but that it is told."""
    assert measure(stage, tmp_path, sends, False) > 0


def test_verification(stage: EbpfStage) -> None:
    """Printed for the record; the limit of the kernel is a million instructions."""
    log = stage.sh(f"bpftool -d prog loadall {OBJECT} /sys/fs/bpf/measured 2>&1")
    found = re.findall(r"verification time (\d+) usec\n(?:.*\n)*?processed (\d+) insns .* peak_states (\d+)", log)
    shown = stage.sh("bpftool prog show | grep -A3 realip_")
    assert len(found) == 4, log[-2000:]
    ledger.put("ebpf verification", "all programs", programs=[[int(part) for part in program] for program in found])
    for time, instructions, states in found:
        print(
            f"\nebpf: verified {int(instructions):,} instructions, {states} states at most, in {int(time) / 1000:,.0f} ms",
            end="",
        )
        assert int(instructions) < 100_000
    print("\n" + shown)
