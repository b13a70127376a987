# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of any size on one machine: a stage with a network of its own, on which one real sshd answers on all of 127/8.

Every address is the same host: this machine, with whatever the stage has written. Channel, facts, proof and report are the real ones. What
a controller uses is taken from its own cgroup, so that its ssh processes count, those that stay behind as masters included, and nothing else does.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from ebpf_stage import EbpfStage
from sshd import ROOT, VENVS

FORKS = 20
KEX = "curve25519-sha256"
PLAYBOOKS = {
    "rollout": "rollout.yml",
    "ping": "tests/bench/fixtures/ping.yml",
    "raw": "tests/bench/fixtures/raw.yml",
    "setup": "tests/bench/fixtures/setup.yml",
    "by hand": "tests/bench/fixtures/by_hand.yml",
}
TICKS = os.sysconf("SC_CLK_TCK")
CPUS = os.cpu_count() or 1


@dataclass
class Figures:
    """One run of a playbook."""

    wall: float
    """seconds"""
    cpu: float
    """seconds of CPU of the controller: ansible-playbook, its workers, ssh"""
    main: float
    """of these, seconds of the one process that hands out the work and takes in the results"""
    hosts: float
    """seconds of CPU of what plays the fleet: sshd, shells, and the programs sent to it"""
    rss: float
    """MiB, the largest resident set of that process"""
    others: float
    """what others used of this machine meanwhile, 0 to 1 of all its CPUs"""

    def rounded(self) -> dict[str, float]:
        return {name: round(value, 3) for name, value in asdict(self).items()}


class FleetStage(EbpfStage):
    """The fleet, and the controllers that work on it."""

    NAMESPACES = ("-m", "-n")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        for words in (["ip", "link", "set", "lo", "up"], ["mkdir", "-p", "/run/sshd"]):
            done = self.run(*words, inside=False)
            assert done.returncode == 0, done.stderr
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", folder / name], check=True)
        (folder / "sshd_config").write_text(
            "\n".join(
                (
                    "ListenAddress 0.0.0.0:2222",
                    f"HostKey {folder}/host_key",
                    "PidFile none",
                    f"AuthorizedKeysFile {folder}/user_key.pub",
                    "StrictModes no",
                    # What the hosts this is for offer. Both ends from OpenSSH 9.0 on agree on sntrup761, which takes
                    # several times as long as all the rest of a run.
                    f"KexAlgorithms {KEX}",
                    "UsePAM no",
                    "PermitRootLogin yes",
                    "MaxStartups 500",
                    "MaxSessions 500",
                    "LogLevel ERROR",
                    "PrintMotd no",
                    "UseDNS no",
                    "",
                )
            )
        )
        # A cgroup beside the fleet's, not below it: nothing that is attached to the hosts reaches the controller.
        self.controllers = self.cgroup.with_name(self.cgroup.name + "-controllers")
        self.controllers.mkdir()
        with open(folder / "sshd.log", "wb") as log:
            line = self.command("/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd_config")
            self.server = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __exit__(self, *unused: object) -> None:
        # The server and its sessions, and the connections that a controller has kept.
        for cgroup in (self.controllers, self.cgroup):
            (cgroup / "cgroup.kill").write_text("1")
        self.server.wait(30)
        for cgroup in (self.controllers, self.cgroup):
            while (cgroup / "cgroup.procs").read_text():
                time.sleep(0.05)
        self.controllers.rmdir()
        super().__exit__()

    def inventory(self, size: int) -> Path:
        """A fleet of `size` addresses."""
        hosts = {
            f"web{number:04}": {"ansible_host": f"127.1.{number >> 8}.{number & 255}"} for number in range(1, size + 1)
        }
        variables = {
            "ansible_port": 2222,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.folder / "user_key"),
            "ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR -o IdentitiesOnly=yes",
            "toa_vendor": "tencent",
            "toa_backends": ["ebpf"],
            "toa_trusted_sources": "all",
            "toa_report_dir": str(self.folder / "reports"),
        }
        # As real fleets have them, beside the inventory.
        (self.folder / "toa.lock.yml").write_text(
            yaml.safe_dump({"packages": [_locked(number) for number in range(40)]})
        )
        (self.folder / "toa.catalog.yml").write_text(yaml.safe_dump([_built(number) for number in range(4)]))
        path = self.folder / f"inventory-{size}.json"
        path.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
        return path

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"/tmp/.toa-bench-{os.getpid()}",
            "ANSIBLE_NOCOLOR": "1",
            # No session is kept: every playbook logs in anew, as the first of a working day does.
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=5s",
            # In favour of the builtin modules: nobody has to look for a Python on the host first. Ours looks for one in any case.
            "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        }

    def ansible(self, core: str, playbook: str, size: int, forks: int = FORKS, before: t.Sequence[str] = ()) -> Figures:
        """One run of a playbook over the fleet; all must be well. `before` is put in front of the command, a profiler for instance."""
        words = [*before, VENVS / core / "bin/ansible-playbook", "-i", self.inventory(size), "-f", str(forks), playbook]
        # The stage's own file systems and network, and the cgroup of the controllers.
        join = f'echo $$ >"{self.controllers}/cgroup.procs" && exec nsenter -t {self.holder.pid} {" ".join(self.NAMESPACES)} --wd="{ROOT}" "$@"'
        hosts, controllers, machine, begin = used(self.cgroup), used(self.controllers), busy(), time.monotonic()
        with open(self.folder / "output", "w+b") as output:
            child = subprocess.Popen(
                ["sh", "-c", join, "sh", *map(str, words)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment(), start_new_session=True,
            )  # fmt: skip
            memory = Memory(child.pid)
            try:
                os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
                wall, main = time.monotonic() - begin, _own_time(child.pid)
            except BaseException:
                os.killpg(child.pid, signal.SIGKILL)
                raise
            finally:
                memory.ended.set()
                memory.join()
            child.wait()
            output.seek(0)
            assert child.returncode == 0, output.read().decode(errors="replace")[-4000:]
        hosts, controllers = used(self.cgroup) - hosts, used(self.controllers) - controllers
        others = max(0.0, busy() - machine - hosts - controllers) / (wall * CPUS)
        return Figures(wall, controllers, main, hosts, memory.most, others)


class Memory(threading.Thread):
    """The most memory that a process had, in MiB: looked at five times a second, for what wait4(2) tells begins with that of the parent."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.status, self.most, self.ended = Path(f"/proc/{pid}/status"), 0.0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self.ended.wait(0.2):
            # Of what runs in that process now: sh, nsenter, at last ansible-playbook. One that has ended has no such line.
            found = re.search(r"^VmHWM:\s+(\d+) kB$", self.status.read_text(), re.MULTILINE)
            self.most = max(self.most, int(found[1]) / 1024 if found else 0)


def _locked(number: int) -> dict[str, t.Any]:
    """A package of the lock file."""
    file = f"linux-image-4.4.{number}.toa_1.0_amd64.deb"
    return {"file": file, "url": f"http://mirror.example/toa/{file}", "size": 1, "sha256": f"{number:064x}"}


def _built(number: int) -> dict[str, t.Any]:
    """A kernel that the operator has built, for hosts that are not in this fleet."""
    return {
        "key": f"own{number}", "vendor": "tencent", "backend": "source_kernel", "match": {"id": "centos", "major": 7, "arch": "x86_64"},
        "release": f"3.10.{number}.toa", "option_kinds": ["200/8"], "format": "rpm", "packages": [{"role": "image", "file": f"own{number}.rpm"}],
    }  # fmt: skip


def used(cgroup: Path) -> float:
    """Seconds of CPU that a cgroup has used so far."""
    return (
        next(
            int(line.split()[1])
            for line in (cgroup / "cpu.stat").read_text().splitlines()
            if line.startswith("usage_usec")
        )
        / 1e6
    )


def busy() -> float:
    """Seconds of CPU that the whole machine has used so far: user, nice, system, irq, softirq."""
    words = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(words[0:3]) + words[5] + words[6]) / TICKS


def _own_time(pid: int) -> float:
    """Seconds of CPU of a process that has ended and was not waited for yet, without its children."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS
