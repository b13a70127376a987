# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one look, and one proof, cost the host: the very programs that the channel sends, on a stage where the eBPF backend translates."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import time
import typing as t

import ledger
import pytest
from ebpf_stage import EbpfStage
from fleet_stage import CPUS, busy, used

ROUNDS = 30
LOOK_GOAL = 60  # milliseconds of CPU
PROBE_GOAL = 150  # milliseconds


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[EbpfStage]:
    with EbpfStage(tmp_path_factory.mktemp("host")) as stage:
        assert not stage.ebpf().get("failed")
        yield stage


PROGRAMS: dict[str, tuple[str, dict[str, t.Any]]] = {
    "toa_facts": ("programs.facts", {}),
    "toa_probe": ("programs.probe", {"option_kinds": ["200/8"], "claims": ["the eBPF programs are attached"]}),
    "toa_plan": ("programs.plan", {"probe": True, "probe_args": {"option_kinds": ["200/8"], "rows": "failed"}}),
}


def once(stage: EbpfStage, program: str) -> tuple[float, float, str]:
    """(milliseconds of CPU, of wall, what was printed) of one Python that reads this program from its stdin, start and end included."""
    begin = time.monotonic()
    child = subprocess.Popen(
        stage.command("/usr/bin/python3", "-ES", "-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin and child.stdout
    child.stdin.write(program)
    child.stdin.close()
    printed = child.stdout.read()
    _pid, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return (usage.ru_utime + usage.ru_stime) * 1000, (time.monotonic() - begin) * 1000, printed


def answer(printed: str) -> dict[str, t.Any]:
    frame = re.search(r"\n@realip-toa stage \d+ (.*) @end stage\n", printed)
    assert frame, printed
    return json.loads(frame[1])


def test_look_and_proof(stage: EbpfStage) -> None:
    programs = {name: EbpfStage.program(entry, **args) for name, (entry, args) in PROGRAMS.items()}
    programs["nothing"] = "pass\n"
    taken: dict[str, list[tuple[float, float, str]]] = {name: [] for name in programs}
    begin, before = time.monotonic(), busy() - used(stage.cgroup)
    for number in range(ROUNDS + 2):
        for name, program in programs.items():
            figures = once(stage, program)
            if number >= 2:  # the first two warm up
                taken[name].append(figures)
    others = max(0.0, busy() - used(stage.cgroup) - before) / ((time.monotonic() - begin) * CPUS)
    proofs = [answer(printed)["probe"] for _cpu, _wall, printed in taken["toa_probe"]]
    assert {proof["verdict"] for proof in proofs} == {"translating"}
    matrix = [proof["elapsed_ms"] for proof in proofs]
    figures = {
        name: {
            "sent": len(programs[name]),
            "answer": len(runs[-1][2]),
            "cpu": [round(cpu, 1) for cpu, _wall, _printed in runs],
            "wall": [round(wall, 1) for _cpu, wall, _printed in runs],
        }
        for name, runs in taken.items()
    }
    ledger.put(
        "host",
        "one host",
        programs=figures,
        others=round(others, 3),
        matrix=matrix,
        cases=proofs[-1]["summary"]["cases"],
    )
    print()
    for name, entry in figures.items():
        cpu, wall = statistics.median(entry["cpu"]), statistics.median(entry["wall"])
        print(
            f"{name:10} {cpu:6.1f} ms CPU {wall:6.1f} ms wall, {entry['sent']:,} bytes sent, {entry['answer']:,} back"
        )
    print(
        f"probe matrix {statistics.median(matrix)} ms (goal {PROBE_GOAL}), {proofs[-1]['summary']['cases']} cases; goal of a look {LOOK_GOAL} ms of CPU"
    )
