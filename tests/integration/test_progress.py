# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""realip.toa.progress beside Ansible's own output: on a pipe, on a terminal, silenced, and in runs that are about something else."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest
from sshd import ROOT, VENVS, cores

NEWEST = cores()[-1]
STATES = {"web1": "proved", "web2": "failed", "web3": "proved", "web4": "", "web5": "proved"}
PARTS = {"web1": 1, "web2": 2, "web3": 2, "web4": 3, "web5": 3}

# What roles/rollout leaves in the variables of a host. web4 becomes unreachable in the middle, and has no end.
PLAYBOOK = [
    {
        "name": "Look", "hosts": "all", "gather_facts": False,
        "tasks": [{"realip.toa.toa_plan": {"assume": {"os_release": "ID=debian\nVERSION_ID=12\n", "kernel": "6.1.0-18-amd64"}, "trusted_sources": "all"}}],
    },
    {
        "name": "Waves", "hosts": "toa_pending", "gather_facts": False, "serial": [1, 2, 2], "max_fail_percentage": 100,
        "tasks": [
            {"realip.toa.toa_record": {"step": "begin"}, "register": "__toa"},
            # Refused, because this machine is the controller.
            {"realip.toa.toa_reboot": {"kernel": "4.4.87.toa"}, "ignore_errors": True},
            {"ansible.builtin.command": "true", "when": "inventory_hostname == 'web4'", "vars": {"ansible_connection": "ssh"}},
            {"realip.toa.toa_record": {"outcome": {"state": "{{ end }}"}}, "register": "__toa"},
            {"realip.toa.toa_record": {"step": "end"}, "register": "__toa"},
        ],
    },
]  # fmt: skip
# A fleet in which nobody has anything to do; then packages of those that have, which is no wave.
CONVERGED = [PLAYBOOK[0], {**PLAYBOOK[1], "hosts": "toa_pending:&nobody"}]
STAGED = [
    {
        "name": "Stage",
        "hosts": "toa_pending",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.debug": {"msg": "hello"}}],
    }
]
CANCELLED = [
    {
        "name": "Waves", "hosts": "toa_pending", "gather_facts": False, "serial": [1, 2, 2],
        "tasks": [{"ansible.builtin.pause": {"seconds": 300}}],
    },
]  # fmt: skip
OTHER = [
    {
        "name": "Something else",
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.debug": {"msg": "hello"}}],
    }
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("progress")
    slots = {host: {"wave": part, "of": 3, "part": part, "size": 1, "allowed": 1} for host, part in PARTS.items()}
    order = {"slots": slots, "go_on": "ansible-playbook again"}
    here = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "local"}
    hosts = {host: {"end": state, "__toa_order": order, **here} for host, state in STATES.items()}
    (made / "inventory.json").write_text(json.dumps({"all": {"children": {"toa_pending": {"hosts": hosts}}}}))
    (made / "ansible.cfg").write_text(
        f"[defaults]\ncollections_path = {ROOT / 'collections'}\ncallbacks_enabled = realip.toa.progress\n"
    )
    (made / "waves.yml").write_text(json.dumps(PLAYBOOK))
    (made / "cancelled.yml").write_text(json.dumps(CANCELLED))
    (made / "other.yml").write_text(json.dumps(OTHER))
    (made / "converged.yml").write_text(json.dumps(CONVERGED))
    (made / "staged.yml").write_text(json.dumps(STAGED))
    return made


def command(core: str, playbook: str) -> list[str]:
    return [str(VENVS / core / "bin" / "ansible-playbook"), "-i", "inventory.json", playbook]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "ANSIBLE_CONFIG": "ansible.cfg", "TERM": "xterm", **more}


def told(core: str, folder: Path, playbook: str = "waves.yml", **more: str) -> list[str]:
    """The lines of the callback on a pipe."""
    done = subprocess.run(
        command(core, playbook),
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "PLAY RECAP" in done.stdout, done.stdout + done.stderr
    assert "progress" not in done.stderr, done.stderr
    return [line for line in done.stdout.splitlines() if "TOA: " in line]


def test_a_run_that_is_cancelled_says_what_goes_on(core: str, folder: Path) -> None:
    child = subprocess.Popen(
        command(core, "cancelled.yml"), cwd=folder, env=environment(PYTHONUNBUFFERED="1"), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        # A shell that was told to run the tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert child.stdout
    lines = []
    for line in child.stdout:
        lines.append(line)
        if "ansible.builtin.pause" in line or "Pausing" in line or "[pause]" in line:
            child.send_signal(signal.SIGINT)
            break
    rest = child.communicate(timeout=120)[0]
    told = [line for line in (*lines, *rest.splitlines()) if "TOA: cut off" in line]
    assert len(told) == 1 and told[0].endswith("ansible-playbook again"), (lines, rest)


def test_on_a_pipe(core: str, folder: Path) -> None:
    lines = told(core, folder)
    assert lines.pop(0) == "TOA: 5 of 5 hosts looked at: 5 pending"
    assert lines[0] == "TOA: wave 1 of 3: 0 of 1 host done; time left is known after the first wave"
    assert (
        lines[1] == "TOA: wave 1 of 3: 1 of 1 host done; 1 proved of 5 in all; time left is known after the first wave"
    )
    assert re.fullmatch(r"TOA: wave 2 of 3: 0 of 2 hosts done; 1 proved of 5 in all; about \d+ s left", lines[2])
    # A host that fails is told at once, and so is the end of its wave.
    assert any("1 failed" in line and line.startswith("TOA: wave 2 of 3: ") for line in lines[3:5])
    # web4 has vanished from the play, and is counted all the same.
    assert re.fullmatch(
        r"TOA: wave 3 of 3: 2 of 2 hosts done; 3 proved, 1 failed, 1 lost of 5 in all; about 0 s left", lines[-2]
    )
    assert re.fullmatch(r"TOA: 3 proved, 1 failed, 1 lost in \d+ s", lines[-1])
    assert len(lines) <= 9
    assert not [line for line in lines if "\x1b" in line]


def test_every_event_is_a_line_without_an_interval(folder: Path) -> None:
    lines = told(NEWEST, folder, TOA_PROGRESS_INTERVAL="0")
    assert any("3 of 5 hosts looked at: 3 pending; about" in line for line in lines)
    assert any(
        "2 of 2" not in line and re.search(r"wave 2 of 3: 0 of 2 hosts done, [12] rebooting", line) for line in lines
    )


def test_quiet_and_about_something_else(folder: Path) -> None:
    assert told(NEWEST, folder, TOA_PROGRESS_QUIET="1") == []
    assert told(NEWEST, folder, "other.yml") == []
    assert told(NEWEST, folder, "staged.yml") == []


def test_a_converged_fleet_has_no_waves(core: str, folder: Path) -> None:
    lines = told(core, folder, "converged.yml")
    assert (
        len(lines) == 2
        and lines[0] == "TOA: 5 of 5 hosts looked at: 5 pending"
        and lines[1].startswith("TOA: 5 hosts looked at: 5 pending in ")
    )


def test_nothing_is_printed_where_ansible_is_silent(folder: Path, tmp_path: Path) -> None:
    """`ansible-runner -q` prints nothing; the log that it keeps has the lines."""
    bin_ = VENVS / "dev" / "bin"
    words = [
        "run",
        str(tmp_path),
        "--project-dir",
        str(folder),
        "--inventory",
        str(folder / "inventory.json"),
        "-p",
        "waves.yml",
        "--ident",
        "1",
        "-q",
    ]
    settings = environment(ANSIBLE_CONFIG=str(folder / "ansible.cfg"), PATH=f"{bin_}:{os.environ['PATH']}")
    done = subprocess.run(
        [str(bin_ / "ansible-runner"), *words], env=settings, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert "TOA: wave 1 of 3: 1 of 1 host done" in (tmp_path / "artifacts" / "1" / "stdout").read_text()


def test_on_a_terminal(folder: Path) -> None:
    ours, theirs = pty.openpty()
    variables = {
        name: value
        for name, value in environment().items()
        if name not in ("ANSIBLE_FORCE_COLOR", "ANSIBLE_NOCOLOR", "NO_COLOR")
    }
    process = subprocess.Popen(
        command(NEWEST, "waves.yml"), cwd=folder, env=variables, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    output = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        output += piece
    os.close(ours)
    process.wait(60)
    assert re.search(rb"\x1b\[1;36mTOA: wave 1 of 3", output), output[-2000:]
