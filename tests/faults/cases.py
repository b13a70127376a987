# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault matrix, as data: what is broken, what then has to become of the host, and what the report has to say. docs/faults.md is this table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STOCK, TOA = "3.16.0-11-amd64", "3.16.43.toa"

# Runs in the initramfs that is made for the TOA kernel, and does nothing under another kernel.
EARLY = (
    "printf '#!/bin/sh\\ncase $1 in prereqs) exit 0;; esac\\ncase $(uname -r) in *.toa) {what};; esac\\n'"
    " >/etc/initramfs-tools/scripts/init-top/fault && chmod 755 /etc/initramfs-tools/scripts/init-top/fault"
)
EARLY_GONE = "rm -f /etc/initramfs-tools/scripts/init-top/fault && if test -e /boot/initrd.img-" + TOA + "; then update-initramfs -u -k " + TOA + "; fi"
OPERATOR = "- name: Operator | {kind}\n  ansible.builtin.raw: {command}\n"


@dataclass(frozen=True)
class Case:
    """One row. `fault` and `cure` are shell scripts for the host; `at` is (task of the run, what happens there)."""

    name: str
    ends: str
    """Where the host ends, in words for the table."""
    says: str
    """What the report says, in words for the table."""
    fault: str = ""
    cure: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    hooks: Mapping[str, str] = field(default_factory=dict)
    """Commands of the operator's tasks, by kind (drain, undrain, health)."""
    at: tuple[str, str] | None = None
    """Part of the name of a task, and: kill (the controller), power (the plug), mirror (is stopped), ssh (the server ends)."""
    state: str = "failed"
    codes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    """Have to be in what the report says about the host."""
    installed: bool | None = None
    """Is the TOA kernel installed afterwards? None: does not matter."""
    back: str = "itself"
    """How the host comes back: itself, button (somebody has to press it)."""


CASES = (
    Case("kernel panics at boot", "old kernel, by panic= and the one-shot entry", "wrong_kernel",
         fault=EARLY.format(what="echo c >/proc/sysrq-trigger"), cure=EARLY_GONE, codes=("wrong_kernel",), words=(STOCK,), installed=True),
    Case("kernel boots without network", "old kernel, by the boot guard within toa_confirm_timeout", "wrong_kernel, and what the guard wrote",
         fault="printf '#!/bin/sh\\ncase $(uname -r) in *.toa) test \"$IFACE\" = lo || exit 1;; esac\\n' >/etc/network/if-pre-up.d/fault"
               " && chmod 755 /etc/network/if-pre-up.d/fault",
         cure="rm -f /etc/network/if-pre-up.d/fault", variables={"toa_confirm_timeout": 60}, codes=("wrong_kernel",), words=("boot guard",), installed=True),
    Case("module inert", "old kernel, by the revert of the run", "not_translating: inert",
         fault="echo 'options toa dead=1' >/etc/modprobe.d/fault.conf", cure="rm -f /etc/modprobe.d/fault.conf",
         codes=("not_translating", "module_dead", "module_inert"), installed=True),
    Case("wrong option kind", "old kernel, by the revert of the run", "not_translating: wrong_kind",
         fault="echo 'options toa kind=77' >/etc/modprobe.d/fault.conf", cure="rm -f /etc/modprobe.d/fault.conf", codes=("not_translating",), installed=True),
    Case("kernel comes without its module", "old kernel, by the revert of the run", "the module cannot be loaded",
         fault="printf '#!/bin/sh\\nfind /lib/modules/" + TOA + " -name toa.ko -delete; depmod " + TOA + "\\n' >/etc/kernel/postinst.d/zz-fault"
               " && chmod 755 /etc/kernel/postinst.d/zz-fault",
         cure="rm -f /etc/kernel/postinst.d/zz-fault; dpkg --purge linux-image-" + TOA, installed=None),
    Case("health task fails", "old kernel, by the revert of the run, undrained", "health_failed",
         hooks={"drain": "echo drained >>/run/hooks", "undrain": "echo undrained >>/run/hooks", "health": "echo the application is down; exit 1"},
         codes=("health_failed",), installed=True),
    Case("drain task fails", "never rebooted, undrained", "drain_failed",
         hooks={"drain": "exit 1", "undrain": "echo undrained >>/run/hooks"}, codes=("drain_failed",), installed=True),
    Case("controller killed while installing", "as it was left; the next run goes on", "(the run is dead)", at=("Install | linux", "kill"), state=""),
    Case("controller killed between arming and the reboot", "as it was left; the next run goes on", "(the run is dead)",
         at=("Boot | Drain", "kill"), state=""),
    Case("controller killed while the host reboots", "trial kernel; the next run proves and confirms it", "(the run is dead)",
         at=("Boot | Reboot into", "kill"), state=""),
    Case("power cut while the package is installed", "old kernel", "connection_lost", at=("Install | linux", "power"), state="lost", back="button"),
    Case("power cut between arming and the reboot", "old kernel, by the boot guard: the trial was nobody's", "connection_lost",
         variables={"toa_confirm_timeout": 60}, hooks={"drain": "sleep 20"}, at=("Operator | drain", "power"), state="lost", back="button"),
    Case("the mirror is gone", "untouched", "package_unavailable", at=("Begin | A host", "mirror"), codes=("package_unavailable",), installed=False),
    Case("the disk is full", "untouched", "disk_full", fault="fallocate -l $(($(df --output=avail -B1 / | tail -1) - 8388608)) /fault.full",
         cure="rm -f /fault.full", state="", installed=False),
    Case("another package tool holds its lock", "untouched", "package_lock_held",
         fault="setsid python3 -c 'import fcntl, time; f = open(\"/var/lib/dpkg/lock-frontend\", \"w\"); fcntl.lockf(f, fcntl.LOCK_EX);"
               " time.sleep(9000)'"
               " >/dev/null 2>&1 </dev/null & echo $! >/run/fault.pid",
         cure="kill $(cat /run/fault.pid)", codes=("package_lock_held",), installed=False),
    Case("the clock is wrong by a year", "TOA kernel: no clock is believed", "proved",
         fault="date -s '-1 year' >/dev/null", state="proved", installed=True),
    Case("/boot is read-only", "untouched", "a message that names /boot", fault="mount --bind /boot /boot && mount -o remount,ro,bind /boot",
         cure="umount /boot", state="", installed=False),
)


def rows() -> Iterator[tuple[str, str, str]]:
    """(what is broken, where the host ends, what the report says)."""
    for case in CASES:
        yield case.name, case.ends, case.says


def table() -> str:
    """The rows as Markdown."""
    lines = ["| fault | where the host ends | what the report says |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows()]) + "\n"


def documented(path: Path) -> str:
    """The table that stands in docs/faults.md."""
    found = re.search(r"^\| fault \|.*?(?=\n\n|\Z)", path.read_text(encoding="utf-8"), re.M | re.S)
    return found[0].rstrip("\n") + "\n" if found else ""
