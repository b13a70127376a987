# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a converged fleet costs: rollout.yml with its live proof and its report, against one ping, and against what people write by hand.

Everything of one size and one ansible-core is measured in one run, by turns, as whole processes (fleet_stage.py).

REALIP_BENCH_HOSTS: sizes of the fleet. REALIP_BENCH_CORES: default 2.16 and 2.21. REALIP_BENCH_ROUNDS: rounds of what is short.
REALIP_BENCH_PLAYBOOKS: with commas, the names in fleet_stage.py; rollout is always among them.
"""

from __future__ import annotations

import os
import statistics
import typing as t

import ledger
import pytest
from fleet_stage import FORKS, PLAYBOOKS, Figures, FleetStage
from sshd import VENVS, cores

SIZES = [int(word) for word in os.environ.get("REALIP_BENCH_HOSTS", "100 400 1000").split()]
CORES = [core for core in cores() if core in os.environ.get("REALIP_BENCH_CORES", "core-2.16 core-2.21").split()]
ROUNDS = int(os.environ.get("REALIP_BENCH_ROUNDS", "3"))
WANTED = os.environ.get("REALIP_BENCH_PLAYBOOKS", ",".join(PLAYBOOKS)).split(",")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[FleetStage]:
    with FleetStage(tmp_path_factory.mktemp("fleet")) as stage:
        # From stock to translating on one of the addresses: all the others are the same machine.
        stage.ansible(CORES[-1], PLAYBOOKS["rollout"], 1)
        yield stage


def schedule(size: int) -> t.Iterator[str]:
    """What is run, in order: ours beside the ping in every round, the others once; what takes longest not in the largest fleets."""
    for number in range(ROUNDS if size <= 100 else 1):
        yield from ("rollout", "ping")
        if number == 0:
            yield "raw"
            if size <= 400:
                yield "setup"
            if size <= 100:
                yield "by hand"


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("size", SIZES)
def test_converged_fleet(stage: FleetStage, core: str, size: int) -> None:
    """Prints and keeps the figures; the goals stand in docs/benchmarks.md beside them."""
    runs: dict[str, list[Figures]] = {}
    version = ledger.first_line(VENVS / core / "bin/ansible-playbook", "--version")
    python = ledger.first_line(VENVS / core / "bin/python", "-V")
    for name in [name for name in schedule(size) if name in ("rollout", *WANTED)]:
        runs.setdefault(name, []).append(stage.ansible(core, PLAYBOOKS[name], size))
        # Kept as they come: a run of the largest fleets takes its time, and may be ended.
        kept = {name: [figures.rounded() for figures in taken] for name, taken in runs.items()}
        ledger.put(
            "fleet", f"{core} {size}", core=core, version=version, python=python, hosts=size, forks=FORKS, runs=kept
        )
    print(f"\n{core}, {size} hosts, {FORKS} forks")
    ours = runs["rollout"]
    for name, taken in runs.items():
        wall, cpu, rss = (middle(taken, which) for which in ("wall", "cpu", "rss"))
        ratios = [middle(ours, which) / middle(taken, which) for which in ("wall", "cpu")]
        main, hosts, others = (middle(taken, which) for which in ("main", "hosts", "others"))
        print(
            f"  {name:8} {wall:7.1f} s wall {cpu:7.1f} s CPU ({main:.1f} s in the main process) {hosts:7.1f} s CPU of the hosts {rss:6.0f} MiB,"
            f" others {others:4.0%}   rollout/{name}: {ratios[0]:5.2f} of wall, {ratios[1]:5.2f} of CPU"
        )


def middle(taken: list[Figures], which: str) -> float:
    return statistics.median(getattr(figures, which) for figures in taken)
