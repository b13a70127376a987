# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Under Mitogen's strategy, which has methods of its own in place of Ansible's: a ping, facts, a plan, a proof."""

from __future__ import annotations

from pathlib import Path

import pytest
from sshd import VENVS, Controller, Sshd

STRATEGY = "lib/python*/site-packages/ansible_mitogen/plugins/strategy"


@pytest.mark.parametrize(
    "action", ["ansible.builtin.ping", "realip.toa.toa_facts", "realip.toa.toa_plan", "realip.toa.toa_probe"]
)
def test_mitogen(core: str, action: str, tmp_path: Path) -> None:
    (strategy,) = (VENVS / core).glob(STRATEGY)
    settings = {
        "ANSIBLE_STRATEGY": "mitogen_linear",
        "ANSIBLE_STRATEGY_PLUGINS": str(strategy),
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
        # Mitogen does not read ansible_ssh_common_args for this.
        "ANSIBLE_HOST_KEY_CHECKING": "false",
    }
    with Sshd(tmp_path / "sshd", {}, ["127.0.78.1"]) as sshd:
        run = Controller(core, tmp_path, settings).task(sshd.host("web1", "127.0.78.1"), action)
    (result,) = run.results
    assert run.rc == 0 and result["status"] == "ok", run.output
