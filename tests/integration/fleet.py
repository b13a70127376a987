# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated fleet: a real sshd on many addresses of loopback, and behind each a host that is a JSON file (pretend_host.py)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

from sshd import HERE, ROOT, VENVS, Controller, Run, Sshd

PRETENDER = HERE / "pretend_host.py"
STOCK, TOA = "4.4.0-210-generic", "4.4.87.toa"


class Fleet:
    """`size` hosts called web01 and so on, each a file; `net` is the 127.0.NET.0 that they live in."""

    def __init__(self, folder: Path, net: int, size: int) -> None:
        self.folder = folder
        self.names = [f"web{number:02}" for number in range(1, size + 1)]
        self.addresses = {name: f"127.0.{net}.{number}" for number, name in enumerate(self.names, 1)}
        # Variables that one host has and others do not.
        self.own: dict[str, dict[str, t.Any]] = {}
        self.sshd = Sshd(folder / "sshd", {}, list(self.addresses.values()))
        for kind in ("drain", "undrain", "health"):
            write = f"echo {kind} >>{folder}/{{{{ inventory_hostname }}}}.hooks"
            (folder / f"{kind}.yml").write_text(
                json.dumps([{"name": f"Operator | {kind}", "ansible.builtin.raw": write}])
            )

    def __enter__(self) -> Fleet:
        self.sshd.__enter__()
        for name in self.names:
            self.be(name)
        return self

    def __exit__(self, *unused: object) -> None:
        self.sshd.__exit__()

    # ---- hosts

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def be(self, name: str, **what: t.Any) -> None:
        """A fresh stock host, but for `what`; `faults` is what it does wrong."""
        self.path(name).write_text(json.dumps(what))
        (self.folder / f"{name}.hooks").write_text("")

    def change(self, name: str, **what: t.Any) -> None:
        self.path(name).write_text(json.dumps({**self.host(name), **what}))

    def host(self, name: str) -> dict[str, t.Any]:
        return json.loads(self.path(name).read_text())

    def hooks(self, name: str) -> list[str]:
        """What the operator's tasks were run for, in order."""
        return (self.folder / f"{name}.hooks").read_text().split()

    def steps(self, name: str) -> list[str]:
        """What has been done to the host, in order; looks and dry runs are nothing."""
        return [step for step in self.host(name).get("journal", []) if step != "plan" and not step.endswith("(check)")]

    def touched(self, name: str) -> bool:
        return self.steps(name) != []

    # ---- runs

    def inventory(self, names: t.Sequence[str], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        common = {
            "toa_package_mirror": "http://127.0.0.1:1",
            "toa_accept": ["unverified_packages"],
            "toa_backends": ["kernel_package"],
            "toa_trusted_sources": "all",
            "toa_reboot_timeout": 15,
            "toa_report_dir": str(self.reports),
            **variables,
        }
        hosts: dict[str, t.Any] = {}
        for name in names:
            hosts |= self.sshd.host(
                name,
                self.addresses[name],
                ansible_python_interpreter=f"{PRETENDER} {self.path(name)}",
                **self.own.get(name, {}),
            )
        # What is `...` is left out.
        return {"all": {"hosts": hosts, "vars": {name: value for name, value in common.items() if value is not ...}}}

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def hooked(self, **more: str) -> dict[str, t.Any]:
        """toa_hooks with the fleet's own files, or others of the same name."""
        own = {kind: str(self.folder / f"{kind}.yml") for kind in ("drain", "undrain", "health")}
        return {"toa_hooks": {**own, **more}}

    def controller(self, core: str) -> Controller:
        settings = {
            "ANSIBLE_FORKS": "12",
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_DUPLICATE_YAML_DICT_KEY": "error",
            # As a checkout has it: the second connection to a host is a new session of the first.
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s",
        }
        folder = self.folder / f"run-{core}"
        folder.mkdir(exist_ok=True)
        return Controller(core, folder, settings, time_limit=400)

    def words(
        self, playbook: str, names: t.Sequence[str], variables: dict[str, t.Any], options: t.Sequence[str]
    ) -> list[str]:
        inventory = self.folder / f"inventory-{'-'.join([names[0], names[-1]])}.json"
        inventory.write_text(json.dumps(self.inventory(names, variables)))
        return ["ansible-playbook", "-i", str(inventory), f"realip.toa.{playbook}", *options]

    def play(
        self,
        core: str,
        playbook: str = "rollout",
        names: t.Sequence[str] = (),
        options: t.Sequence[str] = (),
        **variables: t.Any,
    ) -> tuple[Run, dict[str, t.Any]]:
        """Run a playbook; returns the run and the report by host."""
        report = self.reports / f"{playbook}.json"
        report.unlink(missing_ok=True)
        run = self.controller(core).command(self.words(playbook, names or self.names, variables, options))
        assert "[DEPRECATION WARNING]" not in run.output, run.output
        told = json.loads(report.read_text()) if report.exists() else {"hosts": []}
        return run, {entry["host"]: entry for entry in told["hosts"]}

    def start(
        self, core: str, name: str, playbook: str = "rollout", names: t.Sequence[str] = (), **variables: t.Any
    ) -> subprocess.Popen[str]:
        """Start a playbook for one host, or several; the host `name` may end its controller (`faults: {kill_at: STEP}`)."""
        controller = self.controller(core)
        controller.folder = self.folder / f"run-{name}"
        controller.folder.mkdir(parents=True, exist_ok=True)
        words = self.words(playbook, names or [name], variables, [])
        child = subprocess.Popen(
            [VENVS / core / "bin" / words[0], *words[1:]], env=controller.environment(), cwd=controller.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        (self.folder / f"{name}.json.controller").write_text(str(child.pid))
        return child

    def wait_for(self, name: str, step: str, seconds: float = 60) -> None:
        """Until a host has been asked for a step."""
        deadline = time.monotonic() + seconds
        while step not in self.host(name).get("journal", []):
            assert time.monotonic() < deadline, self.host(name)
            time.sleep(0.02)


def end(child: subprocess.Popen[str]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
    child.communicate()


__all__ = ["PRETENDER", "ROOT", "STOCK", "TOA", "Fleet", "end"]
