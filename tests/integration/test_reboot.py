# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_reboot's half on the controller, against a real sshd that goes away as a rebooting host does.

The reboot itself is pretended (target/pretend_reboot.py): sshd is ended, its sessions freeze without a word on the wire, as when
a machine's power goes, and a new sshd comes up with another identity.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import typing as t
from pathlib import Path

import pytest
from sshd import Controller, Run, Sshd, cores, result_of

ADDRESS = "127.0.43.1"
OLD = {"boot_id": "old", "kernel": "4.4.0-210-generic", "up": True, "refusal": "", "systemd_state": "running"}
NEW = {**OLD, "boot_id": "new", "kernel": "4.4.87.toa"}


class Host:
    """A host that can reboot: sshd, and the file that says who it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.frozen: list[int] = []
        self.be(OLD)
        self.sshd = Sshd(folder / "sshd", {ADDRESS: [f"SetEnv PRETENDED_HOST={folder}"]}, [])

    def be(self, identity: dict[str, t.Any]) -> None:
        part = self.folder / "host.part"
        part.write_text(json.dumps(identity))
        part.rename(self.folder / "host.json")

    def asked(self) -> bool:
        return (self.folder / "asked").exists()

    def go(self) -> None:
        """Freeze every session, end the listener: nothing answers any more, and nobody was told."""
        listener = self.sshd.processes.pop()
        self.frozen += descendants(listener.pid)
        for pid in self.frozen:
            # One that has just ended by itself answers no more than one that is frozen.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        listener.terminate()
        listener.wait(30)

    def come(self) -> None:
        self.sshd._start([ADDRESS])

    def bury(self) -> None:
        for pid in self.frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
    found = [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found[1:]


@pytest.fixture
def host(tmp_path: Path) -> t.Iterator[Host]:
    made = Host(tmp_path)
    with made.sshd:
        yield made
    made.bury()


def reboot(
    host: Host,
    core: str,
    args: dict[str, t.Any] | None = None,
    story: t.Callable[[Host], None] | None = None,
    **more: t.Any,
) -> tuple[dict, Run]:
    """Run the action while `story` happens on the host, from the moment at which the reboot is asked for."""
    over = threading.Event()
    trouble: list[BaseException] = []

    def live() -> None:
        while not host.asked():
            if over.wait(0.02):
                return
        try:
            story and story(host)
        except BaseException as problem:
            trouble.append(problem)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        run = Controller(core, host.folder / "run").task(
            host.sshd.host("web", ADDRESS), "toa_pretend_reboot", args, **more
        )
    finally:
        over.set()
        thread.join(60)
    assert not trouble, trouble
    return result_of(run, "web"), run


def comes_back(identity: dict[str, t.Any], after: float = 1.0) -> t.Callable[[Host], None]:
    def story(host: Host) -> None:
        host.go()
        host.be(identity)
        time.sleep(after)  # how long this host takes to boot: part of the story, nothing waits for it
        host.come()

    return story


def test_back_with_the_expected_kernel(host: Host, core: str) -> None:
    result, run = reboot(host, core, {"kernel": NEW["kernel"], "timeout": 60}, comes_back(NEW))
    assert not result["failed"] and result["changed"], run.output
    assert (result["boot_id"], result["kernel"], result["toa_state"]) == ("new", NEW["kernel"], "up")
    assert result["before"] == {"boot_id": "old", "kernel": OLD["kernel"]}
    assert result["after"] == {"boot_id": "new", "kernel": NEW["kernel"]}
    # Measured from when the host was told, which it may have heard a little earlier; well before the time is over.
    assert 0 < result["elapsed"] < 60
    assert "UNREACHABLE" not in run.output


def test_wrong_kernel(host: Host) -> None:
    result, _run = reboot(host, cores()[-1], {"kernel": "4.4.99", "timeout": 60}, comes_back(NEW))
    assert result["failed"] and result["code"] == "wrong_kernel"
    assert "4.4.99" in result["msg"] and NEW["kernel"] in result["msg"]


def test_lost(host: Host, core: str) -> None:
    result, run = reboot(host, core, {"timeout": 5}, Host.go)
    assert result["failed"] and result["code"] == "lost_after_reboot" and result["toa_state"] == "lost"
    assert 4.9 <= result["elapsed"] < 12
    assert "UNREACHABLE" not in run.output and run.rc == 0


def test_never_happened(host: Host) -> None:
    result, _run = reboot(host, cores()[-1], {"timeout": 3})
    assert result["failed"] and result["code"] == "reboot_did_not_happen" and "old" in result["msg"]


def test_refused_is_told_at_once(host: Host) -> None:
    result, _run = reboot(
        host, cores()[-1], {"timeout": 60}, lambda host: host.be({**OLD, "refusal": "systemctl: inhibited"})
    )
    assert result["failed"] and result["code"] == "reboot_did_not_happen" and "inhibited" in result["msg"]
    assert result["elapsed"] < 20


def test_waits_until_services_are_up(host: Host) -> None:
    booting = {**NEW, "up": False, "systemd_state": "starting"}

    def story(host: Host) -> None:
        comes_back(booting, 0.2)(host)
        time.sleep(2)  # its services take this long
        host.be(NEW)

    result, _run = reboot(host, cores()[-1], {"timeout": 60}, story)
    assert not result["failed"] and result["boot_id"] == "new" and result["elapsed"] > 2


def test_services_that_never_come_up(host: Host) -> None:
    booting = {**NEW, "up": False, "systemd_state": "starting"}
    result, _run = reboot(host, cores()[-1], {"timeout": 6}, comes_back(booting, 0.2))
    assert result["failed"] and result["code"] == "boot_not_finished" and "starting" in result["msg"]


def test_does_not_wait_for_services_when_told_so(host: Host) -> None:
    booting = {**NEW, "up": False, "systemd_state": "starting"}
    result, _run = reboot(host, cores()[-1], {"timeout": 60, "wait_for_boot": False}, comes_back(booting, 0.2))
    assert not result["failed"] and result["boot_id"] == "new"


def test_check_mode_asks_for_nothing(host: Host) -> None:
    result, _run = reboot(host, cores()[-1], {"kernel": NEW["kernel"]}, options=("--check", "--diff"))
    assert result["changed"] and not result["failed"] and not host.asked()
    assert result["after"]["kernel"] == NEW["kernel"] and result["diff"]


def test_only_if_needed(host: Host) -> None:
    result, _run = reboot(host, cores()[-1], {"kernel": OLD["kernel"], "only_if_needed": True})
    assert not result["changed"] and not result["failed"] and not host.asked() and result["boot_id"] == "old"


def test_a_host_that_is_not_there(host: Host) -> None:
    host.go()
    result, run = reboot(host, cores()[-1])
    assert result["failed"] and result["toa_state"] == "lost" and "UNREACHABLE" not in run.output


@pytest.mark.parametrize("args", [{"only_if_needed": True}, {"timeout": 0}])
def test_bad_options(host: Host, args: dict[str, t.Any]) -> None:
    result, _run = reboot(host, cores()[-1], args)
    assert result["failed"] and result["code"] == "bad_option" and not host.asked()


def test_the_controller_itself_is_never_rebooted(tmp_path: Path) -> None:
    run = Controller(cores()[-1], tmp_path).task({"here": {"ansible_connection": "local"}}, "realip.toa.toa_reboot")
    assert result_of(run, "here")["code"] == "reboot_of_controller"
