# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first rollout of a kernel package, on the lab's machines, against a bare script that installs, reboots, waits and loads the module.

The script is what the documents amount to for somebody in a hurry: no check, no way back, no proof, all hosts at once. So is the rollout's
one wave here. Both begin with machines in the same moment of their memory, and end with the module loaded on the new kernel.

REALIP_BENCH_MACHINES: of the lab, default "ubuntu1604 debian8".
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import ledger
import pytest
import yaml
from fleet_stage import CPUS, busy

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "lab" / "lab"
RUN = Path(os.environ.get("REALIP_LAB_RUN") or ROOT / ".lab")
MACHINES = os.environ.get("REALIP_BENCH_MACHINES", "ubuntu1604 debian8").split()
GOAL = 1.25

FETCH = "import sys, urllib.request; open(sys.argv[2], 'wb').write(urllib.request.urlopen(sys.argv[1]).read())"
INSTALL = f"set -e; python3 -c {shlex.quote(FETCH)} {{url}} /root/kernel.deb; dpkg -i /root/kernel.deb; echo toa >/etc/modules-load.d/toa.conf"
PROVED = "grep -q '^toa ' /proc/modules && test -e /proc/net/toa_stats"


def lab(*words: str) -> None:
    subprocess.run([str(LAB), *words], check=True, stdout=subprocess.DEVNULL, timeout=1500)


def ansible(playbook: str, folder: Path, **variables: t.Any) -> str:
    given = {"toa_lockfile": str(folder / "toa.lock.yml"), "toa_report_dir": str(folder), **variables}
    words = [
        Path(sys.executable).with_name("ansible-playbook"),
        "-i",
        RUN / "inventory.yml",
        "--limit",
        ",".join(MACHINES),
        "-e",
        json.dumps(given),
        playbook,
    ]
    done = subprocess.run(
        list(map(str, words)),
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Machine:
    """What a script needs to reach one, as the lab's inventory has it."""

    def __init__(self, name: str, variables: dict[str, t.Any]) -> None:
        self.name, self.variables = name, variables

    def ssh(self, script: str, check: bool = True) -> bool:
        words = [
            "ssh",
            "-o",
            "ConnectTimeout=5",
            "-o",
            "BatchMode=yes",
            *shlex.split(self.variables["ansible_ssh_common_args"]),
        ]
        words += [
            "-i",
            self.variables["ansible_ssh_private_key_file"],
            "-p",
            str(self.variables["ansible_port"]),
            f"root@{self.variables['ansible_host']}",
        ]
        done = subprocess.run([*words, script], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert not check or done.returncode == 0, f"{self.name}: {script}: {done.stderr}"
        return done.returncode == 0

    def install_reboot_wait(self, url: str, kernel: str) -> float:
        """Seconds of the reboot."""
        self.ssh(INSTALL.format(url=shlex.quote(url)))
        self.ssh("systemctl reboot", check=False)
        begin = time.monotonic()
        while not self.ssh(f'test "$(uname -r)" = {kernel} && modprobe toa && {PROVED}', check=False):
            assert time.monotonic() - begin < 600, f"{self.name} did not come back with {kernel}"
            time.sleep(1)  # as such scripts do
        return time.monotonic() - begin


@pytest.fixture
def machines(tmp_path: Path) -> t.Iterator[dict[str, Machine]]:
    lab("up", *MACHINES)
    inventory = yaml.safe_load((RUN / "inventory.yml").read_text())["lab"]
    yield {name: Machine(name, {**inventory["vars"], **inventory["hosts"][name]}) for name in MACHINES}
    lab("down", *MACHINES)


class Clock:
    """Wall time, and what others had of the machine: all but the emulated machines and this process's children, which are nearly all there is."""

    def __init__(self) -> None:
        self.begin, self._busy, self._ours = time.monotonic(), busy(), self._used()

    @staticmethod
    def _used() -> float:
        ours = os.times()
        return ours.user + ours.system + ours.children_user + ours.children_system + sum(map(of_process, emulators()))

    def figures(self, **more: float) -> dict[str, float]:
        wall = time.monotonic() - self.begin
        others = max(0.0, busy() - self._busy - (self._used() - self._ours)) / (wall * CPUS)
        return {
            "wall": round(wall, 1),
            "others": round(others, 3),
            **{name: round(value, 1) for name, value in more.items()},
        }


def emulators() -> list[int]:
    return [int(path.read_text().split()[0]) for path in RUN.glob("hosts/*/pid")]


def of_process(pid: int) -> float:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_first_rollout(machines: dict[str, Machine], tmp_path: Path) -> None:
    lab("reset", *MACHINES)
    ansible("realip.toa.lock", tmp_path)
    ansible("realip.toa.plan", tmp_path)
    plans = {entry["host"]: entry for entry in json.loads((tmp_path / "plan.json").read_text())["hosts"]}
    mirror = next(iter(machines.values())).variables["toa_package_mirror"]
    packages = {
        Path(item["file"]).name: item["url"]
        for item in yaml.safe_load((tmp_path / "toa.lock.yml").read_text())["packages"]
    }

    def job(name: str) -> float:
        kernel = plans[name]["kernel_target"]
        url = next(url for file, url in packages.items() if f"-{kernel}_" in file)
        return machines[name].install_reboot_wait(mirror + urlsplit(url).path, kernel)

    clock = Clock()
    with ThreadPoolExecutor(len(MACHINES)) as pool:
        reboots = list(pool.map(job, MACHINES))
    script = clock.figures(reboot=max(reboots))
    lab("reset", *MACHINES)
    clock = Clock()
    ansible("rollout.yml", tmp_path, toa_waves=["100%"])
    report = json.loads((tmp_path / "rollout.json").read_text())["hosts"]
    rollout = clock.figures(reboot=max(entry["reboot_seconds"] for entry in report))
    assert {entry["state"] for entry in report} == {"proved"}
    ratio = rollout["wall"] / script["wall"]
    print(f"\nfirst rollout of {', '.join(MACHINES)}: script {script}, rollout {rollout}, {ratio:.2f} (goal {GOAL})")
    ledger.put("first rollout", "lab", hosts=", ".join(MACHINES), script=script, rollout=rollout)
