# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Under Mitogen's strategy, which has methods of its own in place of Ansible's: a ping, facts, a plan, a proof, a rollout."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
from ebpf_stage import EbpfStage
from sshd import ROOT, VENVS, Controller, Sshd

STRATEGY = "lib/python*/site-packages/ansible_mitogen/plugins/strategy"


def settings(core: str) -> dict[str, str]:
    (strategy,) = (VENVS / core).glob(STRATEGY)
    return {
        "ANSIBLE_STRATEGY": "mitogen_linear",
        "ANSIBLE_STRATEGY_PLUGINS": str(strategy),
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
        # Mitogen does not read ansible_ssh_common_args for this.
        "ANSIBLE_HOST_KEY_CHECKING": "false",
    }


@pytest.mark.parametrize(
    "action", ["ansible.builtin.ping", "realip.toa.toa_facts", "realip.toa.toa_plan", "realip.toa.toa_probe"]
)
def test_mitogen(core: str, action: str, tmp_path: Path) -> None:
    with Sshd(tmp_path / "sshd", {}, ["127.0.78.1"]) as sshd:
        run = Controller(core, tmp_path, settings(core)).task(sshd.host("web1", "127.0.78.1"), action)
    (result,) = run.results
    assert run.rc == 0 and result["status"] == "ok", run.output


def test_rollout(core: str, tmp_path: Path) -> None:
    """From stock to translating, and a second run that has nothing to do, with every play of the rollout under that strategy."""
    text = (ROOT / "playbooks/rollout.yml").read_text().replace("ansible.builtin.linear", "mitogen_linear")
    assert text.count("mitogen_linear") == text.count("strategy:") > 5
    (tmp_path / "rollout.yml").write_text(text)
    shutil.copytree(ROOT / "playbooks/tasks", tmp_path / "tasks")
    with EbpfStage(tmp_path / "host", "127.0.78.2") as stage, stage.sshd:
        # Only what runs in the stage's cgroup sees the programs.
        enter = f'echo $$ >{stage.mount}/cgroup.procs; exec sh -c "$0"'
        spaces = " ".join(stage.NAMESPACES)
        (tmp_path / "host/login").write_text(
            f'exec nsenter -t {stage.holder.pid} {spaces} --wd=/ sh -c {shlex.quote(enter)} "$SSH_ORIGINAL_COMMAND"\n'
        )
        hosts = stage.host(
            "web1", ansible_python_interpreter="/usr/bin/python3", toa_vendor="tencent", toa_backends=["ebpf"], toa_trusted_sources="all",
            toa_report_dir=str(tmp_path / "reports"),
        )  # fmt: skip
        inventory = tmp_path / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        for state in ("proved", "converged"):
            controller = Controller(core, tmp_path / state, settings(core))
            controller.folder.mkdir()
            run = controller.command(["ansible-playbook", "-i", str(inventory), str(tmp_path / "rollout.yml")])
            assert run.rc == 0, run.output
            (told,) = json.loads((tmp_path / "reports/rollout.json").read_text())["hosts"]
            assert told["state"] == state, told
