# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The eBPF programs come back when somebody takes them, know the host's addresses, and change their settings without a gap."""

from __future__ import annotations

import subprocess
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ebpf_stage import EbpfStage, other_object

WATCH = "sh /var/lib/realip-toa/ebpf/loader.sh watch"
PROGRAMS = ["realip_getopt", "realip_peer4", "realip_peer6", "realip_sockops"]


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[EbpfStage]:
    with EbpfStage(tmp_path_factory.mktemp("ebpf")) as stage:
        yield stage


def take(stage: EbpfStage, name: str, hook: str) -> None:
    """As cilium-agent does to programs that are not its own."""
    number = str(stage.programs()[name])
    subprocess.run(["bpftool", "cgroup", "detach", stage.cgroup, hook, "id", number], check=True)


def names(stage: EbpfStage) -> list[str]:
    return [row[0] for row in stage.crafted([("c8081092cb007107",)])]


def test_what_was_taken_comes_back(stage: EbpfStage) -> None:
    stage.ebpf(trusted_sources=["192.0.2.0/24"])
    whole = stage.programs()
    assert stage.sh(WATCH) == "" and stage.programs() == whole
    take(stage, "realip_peer4", "getpeername4")
    take(stage, "realip_peer6", "getpeername6")
    assert names(stage) == ["192.0.2.2:20001"]
    said = stage.sh(WATCH)
    assert "1 time(s)" in said and sorted(stage.programs()) == PROGRAMS
    assert names(stage) == ["203.0.113.7:4242"]
    status = stage.ebpf("status")
    assert status["after"]["attached"] and status["counters"]["restored"] == 1
    assert status["after"]["trusted_sources"] == ["192.0.2.0/24"]
    assert not stage.ebpf(trusted_sources=["192.0.2.0/24"])["changed"]
    # The loader's own note goes as well, and the folder with it.
    stage.ebpf("detached")
    assert "No such file" in stage.sh("ls /var/lib/realip-toa/ebpf")


def test_everything_is_gone_even_what_was_pinned(stage: EbpfStage) -> None:
    stage.ebpf()
    stage.detach_by_hand()
    assert "1 time(s)" in stage.sh(WATCH)
    assert sorted(stage.programs()) == PROGRAMS and names(stage) == ["203.0.113.7:4242"]


def test_who_fights_is_left_alone_for_longer_each_time(stage: EbpfStage) -> None:
    stage.ebpf()
    take(stage, "realip_peer4", "getpeername4")
    assert "1 time(s)" in stage.sh(WATCH)
    take(stage, "realip_peer4", "getpeername4")
    assert stage.sh(WATCH) == "" and "realip_peer4" not in stage.programs()
    # Half a minute later.
    up = int(float(stage.sh("cat /proc/uptime").split()[0]))
    stage.sh(f"echo 1 {up - 31} 30 >/var/lib/realip-toa/ebpf/restored")
    assert "2 time(s)" in stage.sh(WATCH)
    count, last, pause = map(int, stage.sh("cat /var/lib/realip-toa/ebpf/restored").split())
    assert (count, pause) == (2, 60) and up <= last <= up + 30


def test_a_host_that_is_detached_stays_so(stage: EbpfStage) -> None:
    stage.ebpf()
    stage.ebpf("detached")
    assert "can't open" in stage.sh(WATCH).lower() or "no such file" in stage.sh(WATCH).lower()
    assert stage.programs() == {}
    assert "stop realip-toa-ebpf-watch.timer" in stage.sh("cat /run/systemctl.log")


def test_the_hosts_own_addresses_are_nobodys(stage: EbpfStage) -> None:
    """Those of the host, whichever address a connection came to: pg_hba.conf lets `samehost` in."""
    stage.ebpf()
    dump = stage.sh("bpftool -j map dump pinned /sys/fs/bpf/realip-toa/*/maps/realip_own")
    own = stage.sh("ip -4 -o addr show scope global").split()
    addresses = [word.split("/")[0] for before, word in zip(own, own[1:], strict=False) if before == "inet"]
    for address in addresses:
        assert ",".join(f'"0x{int(part):02x}"' for part in address.split(".")) in dump
    before = stage.ebpf("status")["counters"]["impossible"]
    options = ["c8081092" + "".join(f"{int(part):02x}" for part in address.split(".")) for address in addresses]
    rows = stage.crafted([(option,) for option in options])
    assert [row[0] for row in rows] == [f"192.0.2.2:{row[3]}" for row in rows]
    assert stage.ebpf("status")["counters"]["impossible"] - before == len(addresses) > 0
    # An address that the host has no longer is a client's again.
    key = "00 00 00 00 00 00 00 00 00 00 ff ff cb 00 71 07"
    stage.sh(f"bpftool map update pinned /sys/fs/bpf/realip-toa/*/maps/realip_own key hex {key} value hex 01 00 00 00")
    assert names(stage) == ["192.0.2.2:20001"]
    stage.sh(WATCH)
    assert names(stage) == ["203.0.113.7:4242"]


# ---- other settings on a running host


CHANGES: list[dict[str, t.Any]] = [
    {"trusted_sources": ["192.0.2.2/32"]},
    {"trusted_sources": ["192.0.2.0/24", "10.0.0.0/8"]},
    {"trusted_sources": ["192.0.2.0/24"], "ports": [8080, 8081]},
    {"trusted_sources": ["192.0.2.0/24"], "kinds": ["200/8", "254/8"]},
    {"trusted_sources": ["192.0.2.0/24"], "packets": ["ack", "data"], "place": "front"},
    {"trusted_sources": ["192.0.2.0/24"], "getsockopt": False},
]


def test_no_change_has_a_moment_in_which_strangers_are_trusted_or_clients_are_not(stage: EbpfStage) -> None:
    """A load balancer and a stranger connect all the time, while a host goes from each of its settings to the next and to other programs."""
    stage.ebpf(trusted_sources=["192.0.2.0/24"])
    before = stage.ebpf("status")["counters"]
    steps = [*CHANGES, {"trusted_sources": ["192.0.2.0/24"], "object": other_object()}, CHANGES[0]]
    stop = Path(stage.base, "stop")
    with ThreadPoolExecutor() as pool:
        seen = pool.submit(stage.target, "stream", stop=str(stop), seconds=150)
        try:
            for change in steps:
                answer = stage.ebpf(**change)
                assert answer.get("changed"), answer
        finally:
            stop.touch()
        answer = seen.result()
    assert answer["genuine"] > 500 and answer["strangers"] > 500
    assert answer["wrong"] == [], answer["wrong"][:5]
    counted = stage.ebpf("status")["counters"]
    assert counted["translated"] - before["translated"] >= answer["genuine"]


def test_from_all_to_a_list(stage: EbpfStage) -> None:
    """Everybody was believed; once the change is done no stranger is, and the load balancer is at every moment."""
    stage.ebpf(trusted_sources=[])
    stop, begun = Path(stage.base, "stop"), Path(stage.base, "begun")
    with ThreadPoolExecutor() as pool:
        seen = pool.submit(stage.target, "stream", stop=str(stop), begun=str(begun), seconds=100)
        try:
            while not begun.exists():
                assert not seen.done(), seen.result()
                time.sleep(0.02)
            assert stage.ebpf(trusted_sources=["192.0.2.0/24"]).get("changed")
            done = time.time()
            assert stage.ebpf(trusted_sources=["192.0.2.0/24"], kinds=["200/8", "254/8"]).get("changed")
        finally:
            stop.touch()
        answer = seen.result()
    assert answer["wrong"], "nobody was believed before"
    late = [row for row in answer["wrong"] if row[0] != "peer" or row[1] != "client" or row[-1] > done]
    assert late == [], late[:5]


@pytest.mark.parametrize(
    "cgroup, works",
    [
        ("/system.slice/nginx.service", "/system.slice"),
        ("/user.slice/user-1000.slice/session-3.scope/x", "/user.slice/user-1000.slice"),
        ("/nginx.service", ""),
    ],
)
def test_a_cgroup_that_goes_with_its_unit_is_refused(stage: EbpfStage, cgroup: str, works: str) -> None:
    refused = stage.ebpf(cgroup=stage.mount + cgroup)
    assert refused["code"] == "bad_option" and f"in, {stage.mount}{works};" in refused["remedy"]
    assert "socket" in refused["remedy"] and stage.programs() == {}


@pytest.mark.parametrize("flags, alone", [("multi", []), ("", [("sock_ops", "cil_peer4")])])
def test_a_program_that_no_other_may_join_is_seen(stage: EbpfStage, flags: str, alone: list[tuple[str, str]]) -> None:
    """Attached without `multi`: the kernel would refuse ours with EPERM."""
    stage.attach_foreign("sock_ops", flags)
    found = stage.target("programs.facts")["ebpf"]["alone"]
    assert [(program["hook"], program["name"]) for program in found] == alone
    if alone:
        refused = stage.ebpf()
        assert refused["code"] == "attach_refused" and "slice" in refused["remedy"]
