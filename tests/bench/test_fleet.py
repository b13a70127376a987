# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a converged fleet costs: rollout.yml with its live proof and its report, against one ping, and against what people write by hand.

One machine plays the fleet: this one, on a stage of its own with the eBPF backend attached, behind a real sshd that answers on any number of
addresses of 127/8. Channel, facts, proof and report are the real ones. Everything is measured in one run, by turns, as whole
processes: seconds of wall, of CPU of the controller (not of sshd and what it starts), and the largest resident set of a process.

REALIP_BENCH_HOSTS: sizes of the fleet (default "100"; the published page has "100 400 1000"). REALIP_BENCH_CORES: default all that are set up.
REALIP_BENCH_ROUNDS: default 3.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "integration"))

from ebpf_stage import EbpfStage
from sshd import ROOT, VENVS, cores

SIZES = [int(word) for word in os.environ.get("REALIP_BENCH_HOSTS", "100").split()]
CORES = os.environ.get("REALIP_BENCH_CORES", " ".join(cores())).split()
ROUNDS = int(os.environ.get("REALIP_BENCH_ROUNDS", "3"))
FORKS = 20

# Runs ansible as a child and says what it and its children have used; sshd and the far ends of its sessions are no children of it.
MEASURE = """
import json, os, resource, subprocess, sys, time
begin = time.monotonic()
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
output = done.stdout.decode(errors="replace")[-4000:]
print(json.dumps([time.monotonic() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, done.returncode, output]))
"""


@dataclass
class Figures:
    """One run: wall and CPU in seconds, the largest resident set in MiB."""

    wall: float
    cpu: float
    rss: float


class FleetStage(EbpfStage):
    """A stage with a network of its own, so that one sshd may listen on all of 127/8."""

    NAMESPACES = ("-m", "-n")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        for words in (["ip", "link", "set", "lo", "up"], ["mkdir", "-p", "/run/sshd"]):
            done = self.run(*words, inside=False)
            assert done.returncode == 0, done.stderr
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", folder / name], check=True)
        (folder / "sshd_config").write_text("\n".join((
            "ListenAddress 0.0.0.0:2222", f"HostKey {folder}/host_key", "PidFile none", f"AuthorizedKeysFile {folder}/user_key.pub", "StrictModes no",
            "UsePAM no", "PermitRootLogin yes", "MaxStartups 500", "MaxSessions 500", "LogLevel ERROR", "PrintMotd no", "UseDNS no", "",
        )))
        with open(folder / "sshd.log", "wb") as log:
            line = self.command("/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd_config")
            self.server = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __exit__(self, *unused: object) -> None:
        # The server, its sessions, and the connections that a controller has kept: all that is in the stage's cgroup.
        (self.cgroup / "cgroup.kill").write_text("1")
        self.server.wait(30)
        while (self.cgroup / "cgroup.procs").read_text():
            time.sleep(0.05)
        super().__exit__()

    def inventory(self, size: int) -> Path:
        """A fleet of `size` addresses."""
        hosts = {f"web{number:04}": {"ansible_host": f"127.1.{number >> 8}.{number & 255}"} for number in range(1, size + 1)}
        variables = {
            "ansible_port": 2222, "ansible_user": "root", "ansible_ssh_private_key_file": str(self.folder / "user_key"),
            "ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR -o IdentitiesOnly=yes",
            "toa_vendor": "tencent", "toa_backends": ["ebpf"], "toa_report_dir": str(self.folder / "reports"),
        }
        path = self.folder / f"inventory-{size}.json"
        path.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
        return path

    def ansible(self, core: str, playbook: str, size: int) -> Figures:
        """One run of a playbook over the fleet; all must be well."""
        words = [VENVS / core / "bin/ansible-playbook", "-i", self.inventory(size), "-f", str(FORKS), playbook]
        environment = {
            **os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"/tmp/.toa-bench-{os.getpid()}", "ANSIBLE_NOCOLOR": "1",
            # No session is kept: every playbook logs in anew, as the first of a working day does.
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=5s",
            "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        }
        line = self.command(*words)
        done = subprocess.run(["python3", "-c", MEASURE, *line], env=environment, capture_output=True, text=True, check=True)
        wall, cpu, rss, code, output = json.loads(done.stdout)
        assert code == 0, output
        return Figures(wall, cpu, rss)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[FleetStage]:
    with FleetStage(tmp_path_factory.mktemp("fleet")) as stage:
        # From stock to translating on one of the addresses: all the others are the same machine.
        stage.ansible(CORES[-1], "realip.toa.rollout", 1)
        yield stage


BASELINES = {
    "ping": "tests/bench/fixtures/ping.yml",
    "raw": "tests/bench/fixtures/raw.yml",
    "setup": "tests/bench/fixtures/setup.yml",
    "by hand": "tests/bench/fixtures/by_hand.yml",
}


def rounds(stage: FleetStage, core: str, size: int, playbooks: dict[str, str]) -> dict[str, Figures]:
    """Medians of each playbook, run by turns."""
    runs: dict[str, list[Figures]] = {name: [] for name in playbooks}
    for _round in range(ROUNDS):
        for name, playbook in playbooks.items():
            runs[name].append(stage.ansible(core, playbook, size))
    return {
        name: Figures(*(statistics.median(getattr(figures, which) for figures in taken) for which in ("wall", "cpu", "rss")))
        for name, taken in runs.items()
    }


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("size", SIZES)
def test_converged_fleet(stage: FleetStage, core: str, size: int) -> None:
    """Prints the figures and their ratios; the goals of the design are 0.8 of a ping and 0.1 of what is written by hand."""
    ours = {"rollout": "rollout.yml"}
    figures = rounds(stage, core, size, {**ours, **(BASELINES if size <= 100 else {"ping": BASELINES["ping"]})})
    print(f"\n{core}, {size} hosts, {FORKS} forks, median of {ROUNDS}")
    for name, taken in figures.items():
        wall, cpu = figures["rollout"].wall / taken.wall, figures["rollout"].cpu / taken.cpu
        print(f"  {name:8} {taken.wall:7.1f} s wall {taken.cpu:7.1f} s CPU {taken.rss:6.0f} MiB   rollout/{name}: {wall:5.2f} of wall, {cpu:5.2f} of CPU")
