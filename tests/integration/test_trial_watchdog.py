# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trial watchdog's script under every shell that a host may have as /bin/sh, with a clock, a kernel and a reboot of the test's own."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import watchdog_switches
from ansible_collections.realip.toa.plugins.module_utils.bootloader.environment import parse_grubenv
from ansible_collections.realip.toa.plugins.module_utils.bootloader.watchdog_files import settings_text

SHELLS = ["dash", "bash --posix", "busybox sh"]
OLD, NEW = "4.4.0-31-generic", "4.4.87.toa"
ARMED_BOOT, THIS_BOOT = "5c0e8e5e-0000-4000-8000-000000000001", "5c0e8e5e-0000-4000-8000-000000000002"
PLAIN, MARKED = "root=UUID=1 ro quiet", "root=UUID=1 ro quiet panic=30 realip_toa.trial=5eed"


class Host:
    """A host as the watchdog sees it, all of it below one folder."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.dir, self.proc, self.shell = folder / "lib", folder / "proc", shell
        self.kmsg, self.rebooted, self.forced = folder / "kmsg", folder / "rebooted", folder / "forced"
        self.grubenv = folder / "grubenv"
        self.script = folder / "watchdog.sh"
        (self.proc / "sys/kernel/random").mkdir(parents=True)
        self.dir.mkdir()
        self.kmsg.touch()
        self.script.write_text(watchdog_switches.script())
        subprocess.run(
            ["grub-editenv", self.grubenv, "set", "next_entry=realip-toa-trial", "saved_entry=old"], check=True
        )
        self.state = {"boot": {"state": "armed", "kernel": NEW, "old": OLD}, "packages": {"armed": "yes"}, "schema": 1}
        (self.dir / "state.json").write_text(json.dumps(self.state, indent=1, sort_keys=True) + "\n")
        self.boots(NEW, MARKED)
        self.uptime(20)
        self.settings(600)
        self.environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "WATCHDOG_DIR": str(self.dir),
            "WATCHDOG_PROC": str(self.proc),
            "WATCHDOG_KMSG": str(self.kmsg),
            "WATCHDOG_CONSOLE": str(folder / "no-console"),
            "WATCHDOG_POLL": "0.02",
            "WATCHDOG_GRACE": "0.1",
            "WATCHDOG_REBOOT": f"tee -a {self.rebooted}",
            "WATCHDOG_FORCE": f"echo forced >>{self.forced}",
        }
        self.children: list[subprocess.Popen[str]] = []

    def boots(self, release: str, cmdline: str, boot_id: str = THIS_BOOT) -> None:
        (self.proc / "sys/kernel/osrelease").write_text(release + "\n")
        (self.proc / "sys/kernel/random/boot_id").write_text(boot_id + "\n")
        (self.proc / "cmdline").write_text(cmdline + "\n")

    def uptime(self, seconds: float) -> None:
        scratch = self.proc / "uptime.new"
        scratch.write_text(f"{seconds:.2f} 3.00\n")
        scratch.rename(self.proc / "uptime")

    def settings(self, timeout: int | str) -> None:
        text = settings_text(
            NEW,
            1,
            ARMED_BOOT,
            "realip_toa.trial=5eed",
            30,
            {"editenv": "/usr/bin/grub-editenv", "grubenv": str(self.grubenv)},
        )
        (self.dir / "watchdog.conf").write_text(text.replace("timeout=1\n", f"timeout={timeout}\n"))

    def start(self) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [*self.shell.split(), str(self.script)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.children.append(child)
        return child

    def run(self) -> None:
        """The watchdog from start to end; whatever it has to say goes into its log."""
        self.ends(self.start())

    @staticmethod
    def ends(child: subprocess.Popen[str]) -> None:
        out, err = child.communicate(timeout=20)
        assert (child.returncode, out, err) == (0, "", "")

    def log(self) -> str:
        path = self.dir / "watchdog.log"
        return path.read_text() if path.is_file() else ""

    def record(self) -> dict[str, str]:
        text = json.loads((self.dir / "state.json").read_text())
        assert text["packages"] == self.state["packages"]
        return text["boot"]

    @property
    def armed(self) -> bool:
        return (self.dir / "watchdog.conf").exists()


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline, "did not happen within 20 s"
        time.sleep(0.01)


@pytest.fixture(params=SHELLS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    assert shutil.which(request.param.split()[0]), f"{request.param} is not installed"
    made = Host(tmp_path, request.param)
    yield made
    for child in made.children:
        if child.poll() is None:
            child.kill()
            child.wait()


def test_nothing_is_armed(host: Host) -> None:
    (host.dir / "watchdog.conf").unlink()
    host.run()
    assert not host.rebooted.exists() and host.log() == "" and host.record()["state"] == "armed"


def test_the_boot_in_which_it_was_armed_is_left_alone(host: Host) -> None:
    host.boots(OLD, PLAIN, ARMED_BOOT)
    host.uptime(99999)
    host.run()
    assert not host.rebooted.exists() and host.armed and host.record()["state"] == "armed"


def test_old_kernel_after_a_trial_that_never_came_up(host: Host) -> None:
    host.boots(OLD, PLAIN)
    host.run()
    assert host.record() == {
        "state": "reverted_by_watchdog",
        "kernel": NEW,
        "old": OLD,
        "reason": f"the trial boot of {NEW} left no trace (panic, hang, power loss, read-only disk, or it was never booted); {OLD} runs",
    }
    assert not host.rebooted.exists() and not host.armed
    assert "left no trace" in host.log() and "left no trace" in host.kmsg.read_text()


def test_old_kernel_after_a_trial_that_lost_power(host: Host) -> None:
    host.start()
    until(lambda: (host.dir / "trial").exists())
    host.children[0].kill()
    host.children[0].communicate()
    host.boots(OLD, PLAIN, "5c0e8e5e-0000-4000-8000-000000000003")
    host.run()
    assert "that boot ended before anybody confirmed it" in host.record()["reason"]
    assert not host.rebooted.exists() and not host.armed and not (host.dir / "trial").exists()


@pytest.mark.parametrize(("release", "cmdline"), [(NEW, MARKED), (NEW, PLAIN), ("4.4.87.toa-other-name", MARKED)])
def test_unconfirmed_trial_goes_back_once(host: Host, release: str, cmdline: str) -> None:
    host.boots(release, cmdline)
    child = host.start()
    until(lambda: f"trial boot of {release}" in host.log())
    host.uptime(599.99)
    assert not host.rebooted.exists()
    host.uptime(600.01)
    host.ends(child)
    assert host.rebooted.exists()
    assert host.record()["state"] == "reverted_by_watchdog"
    assert host.record()["reason"] == f"kernel {release} was not confirmed within 600s; rebooting into the old kernel"
    assert "not confirmed within 600s" in host.log() and "<4>realip-toa-trial-watchdog: kernel" in host.kmsg.read_text()
    assert parse_grubenv(host.grubenv.read_text()) == {"saved_entry": "old"}
    # Should the trial kernel come up again, for whatever reason, nothing reboots it for ever.
    host.rebooted.unlink()
    host.run()
    assert not host.rebooted.exists()


def test_confirmed_in_time(host: Host) -> None:
    child = host.start()
    until(lambda: "trial boot" in host.log())
    (host.dir / "confirmed").write_text(THIS_BOOT + "\n")
    host.ends(child)
    host.uptime(99999)
    assert (
        not host.rebooted.exists() and "confirmed" in host.log().splitlines()[-1] and host.record()["state"] == "armed"
    )


def test_confirmed_and_out_of_time_at_once_is_confirmed(host: Host) -> None:
    host.uptime(99999)
    (host.dir / "confirmed").write_text(THIS_BOOT + "\n")
    host.run()
    assert not host.rebooted.exists()


def test_confirmation_of_another_boot_does_not_count(host: Host) -> None:
    (host.dir / "confirmed").write_text(ARMED_BOOT + "\n")
    host.uptime(600)
    host.run()
    assert host.rebooted.exists()


def test_called_off(host: Host) -> None:
    child = host.start()
    until(lambda: "trial boot" in host.log())
    (host.dir / "watchdog.conf").unlink()
    host.ends(child)
    assert not host.rebooted.exists() and host.log().splitlines()[-1].endswith("called off")


@pytest.mark.parametrize("reboot", ["false", "/nonexistent/reboot"])
def test_reboot_that_fails_is_forced(host: Host, reboot: str) -> None:
    host.environment["WATCHDOG_REBOOT"] = reboot
    host.uptime(600)
    child = host.start()
    child.communicate(timeout=20)
    until(host.forced.exists)
    assert f"the command '{reboot}' failed" in host.log() and "forcing the reboot" in host.kmsg.read_text()


def test_reboot_that_hangs_is_forced_even_when_the_watchdog_is_killed(host: Host) -> None:
    marker = host.proc / "hanging"
    fake = host.proc / "hang"
    fake.write_text(f"#!/bin/sh\ntouch {marker}\nexec sleep 60\n")
    fake.chmod(0o755)
    host.environment.update(WATCHDOG_REBOOT=str(fake), WATCHDOG_GRACE="0.5")
    host.uptime(600)
    child = host.start()
    until(marker.exists)
    child.kill()
    until(host.forced.exists)


@pytest.mark.parametrize("timeout", ["", "soon", "-5", "6e2"])
def test_settings_that_are_damaged_mean_ten_minutes(host: Host, timeout: str) -> None:
    host.settings(timeout)
    host.uptime(599)
    child = host.start()
    until(lambda: "unless confirmed within 600s" in host.log())
    assert not host.rebooted.exists()
    host.uptime(600)
    host.ends(child)
    assert host.rebooted.exists()


def test_without_a_clock_it_counts_by_itself(host: Host) -> None:
    (host.proc / "uptime").unlink()
    host.settings(5)
    host.run()
    assert host.rebooted.exists()


def test_what_cannot_be_written_does_not_stop_it(host: Host) -> None:
    """Neither log nor record nor environment block: the reboot is what counts."""
    (host.dir / "watchdog.log").mkdir()
    (host.dir / "state.json").unlink()
    host.grubenv.write_text("not an environment block")
    host.uptime(600)
    host.start().communicate(timeout=20)
    assert host.rebooted.exists()


def test_odd_release_cannot_break_the_record(host: Host) -> None:
    host.boots('5.0"},/&\\x; $(touch pwned)', MARKED)
    host.uptime(600)
    host.run()
    assert host.record()["reason"].startswith("kernel 5.0xtouchpwned was not confirmed")


@pytest.mark.parametrize(("found", "left"), [("0", "30"), ("10", "10")])
def test_a_panic_is_a_reboot_whatever_the_hosts_sysctl_says(host: Host, found: str, left: str) -> None:
    panic = host.proc / "sys/kernel/panic"
    panic.write_text(found + "\n")
    child = host.start()
    until(lambda: panic.read_text().strip() == left and host.log())
    (host.dir / "confirmed").write_text(THIS_BOOT + "\n")
    host.ends(child)
    assert panic.read_text().strip() == left


def test_something_like_the_mark_is_not_the_mark(host: Host) -> None:
    host.boots(OLD, "root=UUID=1 xrealip_toa.trial=5eed realip_toa.trial=5eed0 realip_toa.trial=1 panic=30")
    host.uptime(600)
    host.run()
    assert not host.rebooted.exists() and "left no trace" in host.record()["reason"]
