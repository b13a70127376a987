# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""bpf_query against the running kernel: programs that the test attaches to a cgroup of its own, with bpftool as the second witness."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bpf import syscalls as bpf_query
from ansible_collections.realip.toa.plugins.module_utils.programs import facts as inspect_host
from target.foreign_program import attach


def cgroup2_mount() -> str:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        words = line.split()
        if words[2] == "cgroup2":
            return words[1]
    pytest.fail("these tests need a cgroup v2 mount")


@pytest.fixture
def cgroup() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="realip-toa-test-", dir=cgroup2_mount()))
    try:
        yield folder
    finally:
        folder.rmdir()  # programs go with their cgroup


def test_an_empty_cgroup_has_no_programs(cgroup: Path) -> None:
    assert bpf_query.programs_on(str(cgroup), sorted(bpf_query.HOOKS)) == []


def test_programs_are_found_by_hook_id_and_name_as_bpftool_sees_them(cgroup: Path) -> None:
    for name, hook in (
        (b"realip_peer4", "getpeername4"),
        (b"cil_sock4_getpe", "getpeername4"),
        (b"", "getpeername6"),
        (b"realip_sockops", "sock_ops"),
    ):
        attach(cgroup, name, hook)
    found = bpf_query.programs_on(str(cgroup), sorted(bpf_query.HOOKS))
    assert [(program["hook"], program["name"]) for program in found] == [
        ("getpeername4", "realip_peer4"),
        ("getpeername4", "cil_sock4_getpe"),
        ("getpeername6", ""),
        ("sock_ops", "realip_sockops"),
    ]
    seen = json.loads(
        subprocess.run(["bpftool", "-j", "cgroup", "show", cgroup], check=True, capture_output=True, text=True).stdout
    )
    assert sorted(program["id"] for program in found) == sorted(program["id"] for program in seen)


def test_facts_tell_ours_from_others(cgroup: Path) -> None:
    for name in (b"realip_peer4", b"cil_sock4_getpe"):
        attach(cgroup, name, "getpeername4")
    facts = inspect_host.main({"check": False})
    here = [program for program in facts["ebpf"]["attached"] if program["cgroup"] == str(cgroup)]
    assert [program["name"] for program in here] == ["realip_peer4"]
    others = [program for program in facts["ebpf"]["foreign"] if program["cgroup"] == str(cgroup)]
    assert [(program["hook"], program["name"]) for program in others] == [("getpeername4", "cil_sock4_getpe")]
    assert [
        conflict
        for conflict in facts["conflicts"]
        if conflict["code"] == "conflict_ebpf_getpeername" and "cil_sock4_getpe" in conflict["detail"]
    ]


def test_a_cgroup_that_is_none_is_an_error_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(bpf_query.BpfError) as problem:
        bpf_query.programs_on(str(tmp_path), ("getpeername4",))
    assert problem.value.errno != 0
    with pytest.raises(OSError):
        bpf_query.programs_on(str(tmp_path / "gone"), ("getpeername4",))
