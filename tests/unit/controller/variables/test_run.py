# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of a run as Ansible itself has them: layers, templates, encrypted texts, extra variables; on the core this test runs under."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
BIN = Path(sys.executable).parent
PLAYBOOKS = ("plan", "rollout", "verify", "rollback", "remove", "lock")
CHECKED = "TASK [Check the variables]"


def run(
    folder: Path,
    hosts: dict[str, dict[str, t.Any]],
    *options: str,
    playbook: str = "plan",
    play: dict[str, t.Any] | None = None,
    shared: dict[str, t.Any] | None = None,
) -> subprocess.CompletedProcess[str]:
    """A playbook over hosts that nobody can reach: whatever asks one of them fails and says so."""
    (folder / "hosts.yml").write_text(
        yaml.safe_dump({"all": {"vars": {"ansible_host": "192.0.2.1", "ansible_ssh_executable": "/bin/false", **(shared or {})}, "hosts": hosts}})
    )  # fmt: skip
    (folder / "site.yml").write_text(
        json.dumps([{"import_playbook": f"realip.toa.{playbook}", **({"vars": play} if play else {})}])
    )
    environment = {key: value for key, value in os.environ.items() if key != "PWD"}
    environment |= {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOME": str(folder / "home"),
    }
    command = [str(BIN / "ansible-playbook"), "-i", "hosts.yml", "site.yml", *options]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    print(done.stdout, done.stderr)
    return done


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The one message of a run that was refused before it asked any host."""
    assert done.returncode != 0
    output = done.stdout + done.stderr
    tasks = [line for line in output.splitlines() if line.startswith("TASK [")]
    assert [line.split("] *")[0] + "]" for line in tasks] == [CHECKED]
    (fatal,) = [line for line in output.splitlines() if line.startswith("fatal: ")]
    return t.cast("str", json.loads(fatal.partition("=> ")[2])["msg"])


TWENTY = {f"web{number}": {} for number in range(1, 21)}


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_one_message_before_any_host_is_asked(tmp_path: Path, playbook: str) -> None:
    message = told(run(tmp_path, TWENTY, playbook=playbook, shared={"toa_vendor": "tencnt"}))
    assert message.startswith("toa_vendor is 'tencnt'; expected one of tencent, ") and "web" not in message
    assert message.endswith("did you mean tencent?")


@pytest.mark.parametrize(
    "shared, words",
    [
        ({"toa_reboot_timeout": "soon"}, "toa_reboot_timeout is 'soon'; expected a whole number from 1 to 86400"),
        ({"toa_reboot_timeout": -1}, "toa_reboot_timeout is -1; expected a whole number"),
        ({"toa_trusted_sources": {"a": 1}}, "toa_trusted_sources is a list of "),
        ({"toa_trusted_sources": None}, "got nothing: remove the variable, or give it a value"),
        ({"toa_stage_all": "maybe"}, "toa_stage_all is 'maybe'; expected true or false"),
        ({"toa_vendor": "{{ nowhere }}"}, "toa_vendor is '{{ nowhere }}', which cannot be evaluated: "),
        ({"toa_vendor": "{{ 'ten' ~ 'cnt' }}"}, "toa_vendor is 'tencnt'; expected"),
        ({"toa_acept": ["conflicts"]}, "did you mean toa_accept?"),
        (
            {"toa_accept": "kernel_downgrade, conflict"},
            "item 2 is 'conflict'; expected one of conflicts, kernel_downgrade, no_fallback, unverified_packages; did you mean conflicts?",
        ),
        ({"toa_only": "plan.stat == 'x'"}, "did you mean plan.state?"),
        ({"toa_hooks": {"drain": "none.yml"}}, "toa_hooks.drain: there is no file none.yml; looked for "),
        ({"toa_waves": "{{ 5 }}%%"}, "toa_waves is '5%%'; expected"),
    ],
)
def test_what_an_inventory_says(tmp_path: Path, shared: dict, words: str) -> None:
    assert words in told(run(tmp_path, {"web1": {}, "web2": {}}, playbook="rollout", shared=shared))


def test_layers(tmp_path: Path) -> None:
    """The host wins over the group, the play over both, the command line over all."""
    hosts = {"web1": {"toa_vendor": "tencnt"}, "web2": {}, "web3": {"toa_vendor": "f5"}}
    assert told(run(tmp_path, hosts, shared={"toa_vendor": "f5"})).endswith("did you mean tencent? (web1)")
    everybody = told(run(tmp_path, hosts, play={"toa_vendor": "{{ inventory_hostname }}"}))
    assert all(f"toa_vendor is 'web{number}'" in everybody and f"(web{number})" in everybody for number in (1, 2, 3))
    assert "akami" in told(run(tmp_path, hosts, "-e", "toa_vendor=akami", play={"toa_vendor": "f5"}))


def test_a_host_whose_own_variables_are_broken_keeps_the_check_from_nobody(tmp_path: Path) -> None:
    message = told(run(tmp_path, {"a": {"ansible_host": "{{ nowhere }}"}, "b": {"toa_vendor": "x"}}))
    assert message.startswith("toa_vendor is 'x'") and message.endswith("(b)")


EMPTY = {"toa_window": None, "toa_only": None, "toa_vendor": "", "toa_reboot_timeout": "", "toa_report_dir": None, "toa_waves": "", "toa_stage_all": "",
         "toa_option_kinds": "", "toa_max_failures": None, "toa_backends": None, "toa_lockfile": ""}  # fmt: skip


@pytest.mark.parametrize("playbook", ["rollout", "remove", "lock"])
def test_what_nobody_has_answered_is_not_set(tmp_path: Path, playbook: str) -> None:
    """Nulls of an inventory and, as AWX passes them, empty texts of a survey."""
    for options, shared in (((), EMPTY), (("-e", json.dumps(dict.fromkeys(EMPTY, ""))), None)):
        done = run(tmp_path, {"web1": {}}, *options, playbook=playbook, shared=shared)
        assert "web1: lost" in done.stdout or playbook == "lock", done.stdout
        assert "bad_option" not in done.stdout + done.stderr and "rror while" not in done.stdout
        assert (tmp_path / "reports").is_dir() or playbook == "lock"


def test_nothing_of_an_encrypted_text_is_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    command = [str(BIN / "ansible-vault"), "encrypt_string", "--vault-password-file", "key", "hunter2", "--name", "toa_vendor"]  # fmt: skip
    text = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    (tmp_path / "secret.yml").write_text(text)
    done = run(tmp_path, {"web1": {}}, "-e", "@secret.yml", "--vault-password-file", "key")
    assert "hunter2" not in done.stdout + done.stderr
    assert told(done).startswith("toa_vendor is (encrypted); expected one of ")


def test_a_folder_that_cannot_be_written_is_found_before_any_host_is_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = told(run(tmp_path, {"web1": {}}, "-e", f"toa_report_dir={tmp_path}/file/reports", playbook="rollout"))
    assert message.startswith(f"toa_report_dir: {tmp_path}/file/reports cannot be written: ")


def test_the_page_of_variables_is_what_is_checked(tmp_path: Path) -> None:
    assert "toa_kernel.source is not set; expected a text" in told(
        run(tmp_path, {"build": {}}, playbook="build_kernel")
    )
