# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault matrix, as data: what is broken, what then has to become of the host, and what the report has to say. docs/faults.md is this table."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
    """How the host comes back: itself, button (somebody presses reset), plug (its power comes back)."""


CASES = (
    Case("kernel panics at boot", "old kernel, by panic= and the one-shot entry", "wrong_kernel",
         fault=EARLY.format(what="echo c >/proc/sysrq-trigger"), cure=EARLY_GONE, codes=("wrong_kernel",), words=(STOCK,), installed=True),
    Case("kernel hangs at boot", "old kernel, after somebody has pressed the button: there is no watchdog", "lost_after_reboot",
         fault=EARLY.format(what="while true; do sleep 100; done"), cure=EARLY_GONE, state="lost", codes=("lost_after_reboot",), back="button",
         installed=True),
    Case("host answers SSH and never finishes booting", "old kernel, by the revert of the run", "boot_not_finished",
         fault="printf '[Unit]\\nConditionKernelCommandLine=realip_toa.trial=1\\n[Service]\\nType=oneshot\\nTimeoutStartSec=infinity\\n"
               "ExecStart=/bin/sleep 90000\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/fault.service"
               " && systemctl daemon-reload && systemctl enable fault",
         cure="systemctl disable fault; rm -f /etc/systemd/system/fault.service; systemctl daemon-reload", codes=("boot_not_finished",), installed=True),
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
    Case("power cut while the package is installed", "old kernel", "connection_lost", at=("Install | linux", "power"), state="lost", back="plug"),
    Case("power cut between arming and the reboot", "old kernel, by the boot guard: the trial was nobody's", "connection_lost",
         variables={"toa_confirm_timeout": 60}, hooks={"drain": "sleep 20"}, at=("Operator | drain", "power"), state="lost", back="plug"),
    Case("controller killed between reboot and confirm", "trial kernel; the next run proves and confirms it", "(the run is dead)",
         at=("Prove | A crafted", "kill"), state=""),
    Case("power cut between reboot and confirm", "old kernel", "connection_lost", hooks={"health": "sleep 20"}, at=("Operator | health", "power"),
         state="lost", back="plug"),
    Case("grubenv cannot be written", "untouched", "a message that names it", fault="chattr +i /boot/grub/grubenv", cure="chattr -i /boot/grub/grubenv",
         state=""),
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


HEAD = "| fault | where the host ends | what the report says | seen |"
NOT_RUN = "not run yet"


def table(seen: Mapping[str, str]) -> str:
    """The matrix as Markdown; `seen` is the result of the last run by name."""
    rows = [f"| {case.name} | {case.ends} | {case.says} | {seen.get(case.name, NOT_RUN)} |" for case in CASES]
    return "\n".join([HEAD, "|---|---|---|---|", *rows]) + "\n"


def documented(text: str) -> str:
    """The table that stands in the text of docs/faults.md."""
    found = re.search(rf"^{re.escape(HEAD)}\n(?:\|.*\n)+", text, re.M)
    return found[0] if found else ""


def seen_before(text: str) -> dict[str, str]:
    """The results that stand in there."""
    rows = [line.strip("|").split("|") for line in documented(text).splitlines()[2:]]
    return {row[0].strip(): row[-1].strip() for row in rows}


def keep(path: Path, results: Mapping[str, str]) -> None:
    """Write results of a run into the document; what was not run keeps what was seen before."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(documented(text), table({**seen_before(text), **results})), encoding="utf-8")
