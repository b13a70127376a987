# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real machines for the tests of this folder: the lab's, from stock, one set for the whole run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "lab" / "lab"
TARGET = ROOT / "tests" / "integration" / "target"


@dataclass
class Lab:
    """The machines of a test, through the command line that people use."""

    hosts: tuple[str, ...]
    work: Path

    @property
    def inventory(self) -> Path:
        return Path(os.environ.get("REALIP_LAB_RUN") or ROOT / ".lab") / "inventory.yml"

    @property
    def lockfile(self) -> Path:
        return self.work / "toa.lock.yml"

    def command(self, *words: str) -> str:
        # The first `up` compiles a kernel, beside whatever else make test does.
        return subprocess.run([str(LAB), *words], check=True, text=True, stdout=subprocess.PIPE, timeout=3600).stdout

    def reset(self, *names: str) -> None:
        self.command("reset", *(names or self.hosts))

    def ssh(self, host: str, script: str, check: bool = True) -> str:
        done = subprocess.run([str(LAB), "ssh", host, script], text=True, capture_output=True, timeout=600)
        assert not check or done.returncode == 0, f"{host}: {script}: {done.stderr}{done.stdout}"
        return done.stdout

    def playbook(
        self, name: str, *hosts: str, check: bool = False, **variables: Any
    ) -> tuple[int, dict[str, Any], str]:
        """Run a playbook as an operator would: (exit code, report, output)."""
        report = self.work / f"{name.rpartition('.')[2].removesuffix('yml') or 'rollout'}".rstrip(".")
        variables = {"toa_lockfile": str(self.lockfile), "toa_report_dir": str(report), **variables}
        words = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            str(self.inventory),
            "--limit",
            ",".join(hosts or self.hosts),
            "-e",
            json.dumps(variables),
            name,
            *(["--check", "--diff"] if check else []),
        ]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        print("+", shlex.join(words))
        done = subprocess.run(
            words, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=2400
        )
        print(done.stdout)
        # The last run, whether it was about all hosts of the report or not.
        files = sorted(report.glob("*/2*/*.json"), key=lambda path: path.stat().st_mtime_ns)
        return done.returncode, json.loads(files[-1].read_text()) if files else {}, done.stdout

    def one_line(self, host: str, command: str) -> str:
        return self.ssh(host, command).strip()

    def at_once(self, command: str, hosts: tuple[str, ...] = ()) -> None:
        """A command of the lab for several hosts side by side, where it takes only one."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda host: self.command(command, host), hosts or self.hosts))

    def put(self, host: str, path: str, content: bytes) -> None:
        """Write a file on a host."""
        subprocess.run(
            [str(LAB), "ssh", host, f"cat >{shlex.quote(path)}"],
            input=content,
            check=True,
            capture_output=True,
            timeout=120,
        )

    def target(self, host: str, entry: str, **args: Any) -> dict[str, Any]:
        """What a target module, or one of tests/integration/target, answers on a host."""
        program = bundle.build(entry, (str(TARGET),)).render({"check": False, **args}, "lab", 300)
        done = subprocess.run([str(LAB), "ssh", host, "python3 -"], input=program, capture_output=True, timeout=600)
        answer = re.search(rb"@realip-toa lab \d+ (.*) @end lab", done.stdout)
        assert answer, f"{host}: {entry}: {done.stderr!r}{done.stdout!r}"
        return json.loads(answer[1])


@pytest.fixture(scope="session")
def tencentos(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A machine whose kernel ships a TOA module, and which is not one of the fleet."""
    made = Lab(("tencentos",), tmp_path_factory.mktemp("tencentos"))
    made.command("up", *made.hosts)
    return made


@pytest.fixture(scope="session")
def debians(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Debian 11, 12 and 13 as they are, on their own kernels. A test that wants them stock resets them."""
    made = Lab(("debian11", "debian12", "debian13"), tmp_path_factory.mktemp("debians"))
    made.command("up", *made.hosts)
    return made


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The machines of the documents, stock, with a lock file for their packages."""
    made = Lab(("centos6", "centos7", "ubuntu1604", "debian8", "alinux3"), tmp_path_factory.mktemp("lab"))
    made.command("up", *made.hosts)
    made.reset()
    code, _report, output = made.playbook("realip.toa.lock")
    assert code == 0, output
    assert {item["file"] for item in yaml.safe_load(made.lockfile.read_text())["packages"]} == {
        "linux-image-4.4.87.toa_1.0_amd64.deb",
        "linux-image-3.16.43.toa_1.0_amd64.deb",
        "kernel-2.6.32-220.23.1.el6.toa.x86_64.rpm",
        "kernel-3.10.0-693.el7.centos.toa.x86_64.rpm",
    }
    return made
