# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real machines for the tests of this folder: the lab's, from stock, one set for the whole run."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "lab" / "lab"

# What a package manager, a boot or a clock changes by itself: bookkeeping and logs, not leftovers of ours.
NOISE = (
    "/var/log/*", "/var/cache/*", "/var/lib/dpkg/*", "/var/lib/apt/*", "/var/lib/systemd/*", "/var/tmp/*", "/root/.*", "/var/lib/sudo/*",
    "/tmp/systemd-private-*", "/etc/ld.so.cache", "/etc/.updated", "/var/.updated", "/var/lib/initramfs-tools/*", "/boot/initrd.img-*", "/lost+found",
)


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
        return subprocess.run([str(LAB), *words], check=True, text=True, stdout=subprocess.PIPE, timeout=1500).stdout

    def reset(self, *names: str) -> None:
        self.command("reset", *(names or self.hosts))

    def ssh(self, host: str, script: str, check: bool = True) -> str:
        done = subprocess.run([str(LAB), "ssh", host, script], text=True, capture_output=True, timeout=600)
        assert not check or done.returncode == 0, f"{host}: {script}: {done.stderr}{done.stdout}"
        return done.stdout

    def playbook(self, name: str, *hosts: str, check: bool = False, **variables: Any) -> tuple[int, dict[str, Any], str]:
        """Run a playbook as an operator would: (exit code, report, output)."""
        report = self.work / f"{name.rpartition('.')[2].removesuffix('yml') or 'rollout'}".rstrip(".")
        variables = {"toa_lockfile": str(self.lockfile), "toa_report_dir": str(report), **variables}
        words = [
            str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.inventory), "--limit", ",".join(hosts or self.hosts),
            "-e", json.dumps(variables), name, *(["--check", "--diff"] if check else []),
        ]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        print("+", shlex.join(words))
        done = subprocess.run(words, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=2400)
        print(done.stdout)
        files = sorted(report.glob("*.json"), key=lambda path: path.stat().st_mtime)
        return done.returncode, json.loads(files[-1].read_text()) if files else {}, done.stdout

    def files(self, host: str) -> dict[str, str]:
        """Everything on the disk of a host that is not noise: {path: type, mode, owner, digest or target}."""
        prune = " -o ".join(f"-path {shlex.quote(pattern)}" for pattern in NOISE)
        listing = self.ssh(host, (
            f"find / -xdev \\( {prune} \\) -prune -o -type f -printf '%p\\tf %m %u\\n' -o -type l -printf '%p\\tl %l\\n' -o -type d -printf '%p\\td %m %u\\n';"
            f" find / -xdev \\( {prune} \\) -prune -o -type f -print0 | xargs -0 sha256sum | sed 's/^\\([0-9a-f]*\\)  \\(.*\\)$/\\2\\ts \\1/'"
        ))
        found: dict[str, str] = {}
        for line in listing.splitlines():
            path, _tab, what = line.partition("\t")
            found[path] = f"{found.get(path, '')} {what}".strip()
        return found

    def one_line(self, host: str, command: str) -> str:
        return self.ssh(host, command).strip()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Two machines of the documents, stock, with a lock file for their packages."""
    made = Lab(("ubuntu1604", "debian8"), tmp_path_factory.mktemp("lab"))
    made.command("up", *made.hosts)
    made.reset()
    code, _report, output = made.playbook("realip.toa.lock")
    assert code == 0, output
    assert {item["file"] for item in yaml.safe_load(made.lockfile.read_text())["packages"]} == {
        "linux-image-4.4.87.toa_1.0_amd64.deb", "linux-image-3.16.43.toa_1.0_amd64.deb",
    }
    return made
