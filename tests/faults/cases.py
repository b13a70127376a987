# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault matrix, as data: what is broken, what then has to become of the host, and what the report has to say. docs/faults.md is this table."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Sysvinit, GRUB legacy, rpm: it boots in half the time of a machine with systemd. And systemd, GRUB 2, dpkg.
QUICK, SYSTEMD = "centos6", "debian8"

# Where a host is when a row begins: as its vendor made it; or the TOA kernel is installed and was never booted, as a drain task that
# fails leaves it.
STOCK, INSTALLED = "stock", "installed"

# In the initramfs of every machine on which a kernel is installed: does nothing but for a TOA kernel, and for that what AT_BOOT says.
AT_BOOT = "/etc/fault-at-boot"
SCRIPT = "/etc/initramfs-tools/scripts/local-bottom/fault"
PLANTED = (
    f"printf '#!/bin/sh\\ncase $1 in prereqs) exit 0;; esac\\ncase $(uname -r) in *toa*) test ! -r $rootmnt{AT_BOOT} || . $rootmnt{AT_BOOT};; esac\\n'"
    f" >{SCRIPT} && chmod 755 {SCRIPT}"
)
# dpkg tells the serial port what it is at; an initramfs that is being made says so, and is never ready.
DPKG_TELLS, DPKG_SILENT = (
    "mkdir -p /etc/dpkg/dpkg.cfg.d; echo 'status-logger=cat >/dev/ttyS0' >/etc/dpkg/dpkg.cfg.d/fault",
    "rm -f /etc/dpkg/dpkg.cfg.d/fault",
)
UNPACKING = "console: half-installed"
HOOK = "/etc/initramfs-tools/hooks/fault"
OPERATOR = "- name: Operator | {kind}\n  ansible.builtin.raw: {command}\n"


@dataclass(frozen=True)
class Fault:
    """What happens in the middle of a run."""

    task: str
    """Part of the name of the task that has begun."""
    what: str
    """kill (the controller), power (the plug), reset (the button), mirror (is stopped), fault (the case's script runs on the host)."""
    when: str = ""
    """What is waited for after that: nothing; `console: TEXT` on the host's serial port; `silence` of its SSH server."""


@dataclass(frozen=True)
class Case:
    """One row on lab machines. `fault` and `cure` are shell scripts for the host, in which $TOA and $STOCK are the releases of its kernels."""

    name: str
    ends: str
    """Where the host ends, in words for the table."""
    says: str
    """What the report says, in words for the table."""
    on: str = QUICK
    start: str = INSTALLED
    fault: str = ""
    cure: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    hooks: Mapping[str, str] = field(default_factory=dict)
    """Commands of the operator's tasks, by kind (drain, undrain, health)."""
    at: Fault | None = None
    state: str = "failed"
    """What the report has to call the host; `lost or proved` where chance has a say."""
    codes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    """Have to be in what the report says about the host."""
    kernel: str = "stock"
    """Which one the host ends with: stock, toa."""
    untouched: bool = False
    """Is the host's disk then as it was, byte for byte?"""
    alone: bool = False
    """The host is no obstacle to others, by design: nothing was begun with it, or all went well. The run is about this host only."""
    back: str = "itself"
    """How the host comes back: itself, button (somebody presses reset), plug (its power comes back)."""
    proved_as_it_stands: bool = False
    """The next run does not reboot the host again."""


@dataclass(frozen=True)
class Played:
    """One row with simulated hosts, tests/integration, on every ansible-core where that matters: what no emulated machine would show better."""

    name: str
    ends: str
    says: str
    test: str


def _at_boot(what: str) -> dict[str, str]:
    return {"fault": f"echo '{what}' >{AT_BOOT}", "cure": f"rm -f {AT_BOOT}"}


def _confirmed(on: str) -> Case:
    """GRUB reads the disk without replaying a journal: what confirms a kernel has to be in its place by then."""
    return Case(
        f"reset button pressed at once after the confirm ({on})", "TOA kernel: what was confirmed is on the disk",
        "connection_lost, or proved where the next task finds the host up again", on=on, at=Fault("Hold the kernel", "reset"), state="lost or proved",
        codes=("connection_lost", ""), kernel="toa", alone=True, proved_as_it_stands=True,
    )  # fmt: skip


def _not_loaded(on: str) -> Case:
    """The image is cut off within its header, once it is armed: GRUB begins to load it, and refuses."""
    kept = "/var/tmp/vmlinuz-fault"
    return Case(
        f"GRUB cannot load the trial ({on})", "old kernel, by the second entry that GRUB falls back to", "wrong_kernel", on=on,
        hooks={"drain": f"for k in /boot/vmlinuz-*toa*; do test -e {kept} || {{ cp -p $k {kept}; head -c 700 {kept} >$k; }}; done"},
        cure=f"test ! -e {kept} || cat {kept} >/boot/vmlinuz-$TOA; rm -f {kept}", codes=("wrong_kernel",), words=("{stock}",),
    )  # fmt: skip


def _unit_on_trial(where: str, lines: str) -> dict[str, str]:
    """A unit of systemd that does something on a trial boot only."""
    text = f"[Unit]\\nConditionKernelCommandLine=realip_toa.trial\\n{lines}\\n[Install]\\n{where}\\n"
    return {
        "fault": f"printf '{text}' >/etc/systemd/system/fault.service && systemctl daemon-reload && systemctl enable fault",
        "cure": "systemctl disable fault; rm -f /etc/systemd/system/fault.service /etc/sysctl.d/99-fault.conf; systemctl daemon-reload",
    }


CASES = (
    # -- the trial boot fails
    _not_loaded(QUICK),
    _not_loaded(SYSTEMD),
    _not_loaded("centos7"),
    Case(
        "root is not found: shell of the initramfs",
        "old kernel: the shell is a reboot, by panic=",
        "wrong_kernel",
        **_at_boot(". /scripts/functions; panic no-root"),
        on=SYSTEMD,
        codes=("wrong_kernel",),
    ),
    Case(
        "systemd ends in emergency mode",
        "old kernel, by the unit that reboots out of emergency mode",
        "wrong_kernel",
        on=SYSTEMD,
        **_unit_on_trial(
            "RequiredBy=sysinit.target",
            "DefaultDependencies=no\\nAfter=local-fs.target\\nBefore=sysinit.target\\nOnFailure=emergency.target\\n"
            "OnFailureJobMode=replace-irreversibly\\n[Service]\\nType=oneshot\\nExecStart=/bin/false",
        ),
        codes=("wrong_kernel",),
    ),
    Case(
        "kernel panics late, and sysctl says: stand still",
        "old kernel, by the trial watchdog, which sets kernel.panic again",
        "wrong_kernel, or lost where the host was answering already",
        on=SYSTEMD,
        fault="echo kernel.panic=0 >/etc/sysctl.d/99-fault.conf; "
        + _unit_on_trial(
            "WantedBy=multi-user.target",
            'DefaultDependencies=no\\nAfter=systemd-sysctl.service\\n[Service]\\nExecStart=/bin/sh -c "sleep 6; echo c >/proc/sysrq-trigger"',
        )["fault"],
        cure=_unit_on_trial("", "")["cure"],
        codes=("wrong_kernel", "lost_after_reboot", "connection_lost"),
    ),
    Case(
        "kernel panics at boot",
        "old kernel, by panic= and the one-shot entry",
        "wrong_kernel",
        **_at_boot("echo c >/proc/sysrq-trigger"),
        codes=("wrong_kernel",),
        words=("{stock}",),
    ),
    Case(
        "kernel hangs at boot",
        "old kernel, after somebody has pressed the button: there is no watchdog",
        "lost_after_reboot",
        **_at_boot("while :; do sleep 100; done"),
        variables={"toa_reboot_timeout": 60},
        state="lost",
        codes=("lost_after_reboot",),
        back="button",
    ),
    Case(
        "kernel boots without network",
        "old kernel, by the trial watchdog within toa_confirm_timeout",
        "wrong_kernel, and what the watchdog wrote",
        on=SYSTEMD,
        fault="printf '#!/bin/sh\\ncase $(uname -r) in *.toa) test \"$IFACE\" = lo || exit 1;; esac\\n' >/etc/network/if-pre-up.d/fault"
        " && chmod 755 /etc/network/if-pre-up.d/fault",
        cure="rm -f /etc/network/if-pre-up.d/fault",
        variables={"toa_confirm_timeout": 60},
        codes=("wrong_kernel",),
        words=("trial watchdog",),
    ),
    Case(
        "host answers SSH and never finishes booting",
        "old kernel, by the revert of the run",
        "boot_not_finished",
        on=SYSTEMD,
        fault="printf '[Unit]\\nConditionKernelCommandLine=realip_toa.trial\\n[Service]\\nType=oneshot\\nTimeoutStartSec=infinity\\n"
        "ExecStart=/bin/sleep 90000\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/fault.service"
        " && systemctl daemon-reload && systemctl enable fault",
        cure="systemctl disable fault; rm -f /etc/systemd/system/fault.service; systemctl daemon-reload",
        variables={"toa_reboot_timeout": 150},
        codes=("boot_not_finished",),
    ),
    # -- the trial boots, and is no good
    Case(
        "kernel comes without its module",
        "old kernel, by the revert of the run",
        "the module cannot be loaded",
        on=SYSTEMD,
        start=STOCK,
        fault='printf "#!/bin/sh\\nfind /lib/modules/$TOA -name toa.ko -delete; depmod $TOA\\n" >/etc/kernel/postinst.d/zz-fault'
        " && chmod 755 /etc/kernel/postinst.d/zz-fault",
        cure="rm -f /etc/kernel/postinst.d/zz-fault; dpkg --purge linux-image-$TOA",
        words=("toa",),
    ),
    Case(
        "module inert",
        "old kernel, by the revert of the run",
        "module_inert",
        fault="echo 'options toa dead=1' >/etc/modprobe.d/fault.conf",
        cure="rm -f /etc/modprobe.d/fault.conf",
        codes=("not_translating", "module_dead", "module_inert"),
    ),
    Case(
        "wrong option kind",
        "old kernel, by the revert of the run",
        "not_translating: wrong_kind",
        fault="echo 'options toa kind=77' >/etc/modprobe.d/fault.conf",
        cure="rm -f /etc/modprobe.d/fault.conf",
        codes=("not_translating",),
    ),
    Case(
        "health task fails",
        "old kernel, by the revert of the run, undrained",
        "health_failed",
        hooks={
            "drain": "echo drained >>/run/hooks",
            "undrain": "echo undrained >>/run/hooks",
            "health": "echo the application is down; exit 1",
        },
        codes=("health_failed",),
    ),
    Case(
        "drain task fails",
        "never rebooted, undrained",
        "drain_failed",
        hooks={"drain": "exit 1", "undrain": "echo undrained >>/run/hooks"},
        codes=("drain_failed",),
    ),
    # -- the controller goes
    Case(
        "controller killed while installing",
        "as it was left; the next run goes on",
        "(the run is dead)",
        on=SYSTEMD,
        start=STOCK,
        fault=DPKG_TELLS,
        cure=DPKG_SILENT,
        at=Fault("Install the packages", "kill", UNPACKING),
    ),
    Case(
        "controller killed between arming and the reboot",
        "as it was left; the next run goes on",
        "(the run is dead)",
        at=Fault("Drain the host", "kill"),
    ),
    Case(
        "controller killed while the host reboots",
        "trial kernel; the next run proves and confirms it",
        "(the run is dead)",
        at=Fault("Reboot into the new kernel", "kill", "silence"),
        kernel="toa",
        proved_as_it_stands=True,
    ),
    Case(
        "controller killed between reboot and confirm",
        "trial kernel; the next run proves and confirms it",
        "(the run is dead)",
        at=Fault("Prove with a crafted", "kill"),
        kernel="toa",
        proved_as_it_stands=True,
    ),
    # -- the power goes, or SSH
    Case(
        "SSH dies while the package is installed",
        "old kernel; the package manager ends its work by itself",
        "connection_lost",
        on=SYSTEMD,
        start=STOCK,
        fault=DPKG_TELLS,
        cure=DPKG_SILENT,
        at=Fault("Install the packages", "ssh", UNPACKING),
        state="lost",
        codes=("connection_lost",),
    ),
    Case(
        "power cut while the package is installed",
        "old kernel",
        "connection_lost",
        on=SYSTEMD,
        start=STOCK,
        fault=DPKG_TELLS,
        cure=DPKG_SILENT,
        at=Fault("Install the packages", "power", UNPACKING),
        state="lost",
        codes=("connection_lost",),
        back="plug",
    ),
    Case(
        "power cut while the initramfs is made",
        "old kernel",
        "connection_lost",
        start=STOCK,
        fault=f"printf '#!/bin/sh\\ncase $1 in prereqs) exit 0;; esac\\necho initramfs is being made >/dev/ttyS0\\nsleep 9000\\n' >{HOOK}; chmod 755 {HOOK}",
        cure=f"rm -f {HOOK}",
        at=Fault("Install the packages", "power", "console: initramfs is being made"),
        state="lost",
        codes=("connection_lost",),
        back="plug",
    ),
    Case(
        "power cut between arming and the reboot",
        "old kernel, by the trial watchdog: the trial was nobody's",
        "connection_lost",
        variables={"toa_confirm_timeout": 60},
        at=Fault("Reboot into the new kernel", "power"),
        state="lost",
        codes=("connection_lost",),
        back="plug",
    ),
    Case(
        "the canary dies in its reboot, and its power comes back",
        "old kernel, by the trial watchdog: the trial was nobody's",
        "lost_after_reboot",
        variables={"toa_confirm_timeout": 60, "toa_reboot_timeout": 30},
        at=Fault("Reboot into the new kernel", "power", "silence"),
        state="lost",
        codes=("lost_after_reboot",),
        back="plug",
    ),
    Case(
        "power cut between reboot and confirm",
        "old kernel",
        "connection_lost",
        at=Fault("Prove with a crafted", "power"),
        state="lost",
        codes=("connection_lost",),
        back="plug",
    ),
    _confirmed(QUICK),
    _confirmed(SYSTEMD),
    _confirmed("centos7"),
    # -- hosts that are left untouched; one machine for all, never reset, that converges when all the faults have come and gone
    Case(
        "the mirror is gone",
        "untouched",
        "package_unavailable",
        on=SYSTEMD,
        start=STOCK,
        untouched=True,
        at=Fault("Work out the order", "mirror"),
        codes=("package_unavailable",),
    ),
    Case(
        "the disk runs full",
        "untouched",
        "disk_full",
        on=SYSTEMD,
        start=STOCK,
        untouched=True,
        at=Fault("Work out the order", "fault"),
        fault="fallocate -l $(($(df --output=avail -B1 / | tail -1) - 1048576)) /fault.full",
        cure="rm -f /fault.full",
        codes=("disk_full", "boot_full"),
    ),
    Case(
        "/boot is full",
        "untouched",
        "boot_full",
        on=SYSTEMD,
        start=STOCK,
        untouched=True,
        alone=True,
        state="blocked",
        fault="fallocate -l $(($(df --output=avail -B1 /boot | tail -1) - 8388608)) /boot/fault.full",
        cure="rm -f /boot/fault.full",
        codes=("boot_full",),
    ),
    Case(
        "/boot is read-only",
        "untouched",
        "no_fallback, and a message that names /boot",
        on=SYSTEMD,
        start=STOCK,
        untouched=True,
        alone=True,
        fault="mount --bind /boot /boot && mount -o remount,ro,bind /boot",
        cure="umount /boot",
        state="blocked",
        words=("/boot",),
    ),
    Case(
        "grubenv cannot be written",
        "untouched",
        "a message that names it",
        on=SYSTEMD,
        start=STOCK,
        untouched=True,
        fault="chattr +i /boot/grub/grubenv",
        cure="chattr -i /boot/grub/grubenv",
        words=("grubenv",),
    ),
    Case(
        "another package tool holds its lock",
        "untouched",
        "package_lock_held",
        on=SYSTEMD,
        start=STOCK,
        untouched=True,
        fault='setsid python3 -c \'import fcntl, time; f = open("/var/lib/dpkg/lock-frontend", "r+"); fcntl.lockf(f, fcntl.LOCK_EX);'
        " time.sleep(9000)'"
        " >/dev/null 2>&1 </dev/null & echo $! >/run/fault.pid",
        cure="kill $(cat /run/fault.pid)",
        codes=("package_lock_held",),
    ),
    # -- and one that does not matter
    Case(
        "the clock is wrong by a year",
        "TOA kernel: no clock is believed",
        "proved",
        alone=True,
        fault="date -s '-1 year' >/dev/null",
        state="proved",
        kernel="toa",
    ),
)

# With a package more than any other row needs; test_strangers.py.
STRANGERS = Case(
    "strangers send the option", "TOA kernel; they are not believed, and SSH goes on for everybody", "proved, from a trusted and an untrusted address",
    on=SYSTEMD, alone=True, variables={"toa_trusted_sources": ["192.0.2.0/24"]}, state="proved", kernel="toa",
)  # fmt: skip

PLAYED = (
    Played("3 of 20 hosts die in wave 2", "3 lost, 17 proved, later waves not begun", "the 3, and exit code 1",
           "test_fleet.py::test_three_of_twenty_hosts_die_in_wave_2"),
    Played("one host in ten cannot be reached", "9 proved", "the one, and exit code 1", "test_fleet.py::test_one_host_in_ten_cannot_be_reached"),
    Played("a reboot that silently did not happen", "old kernel, undrained", "reboot_did_not_happen",
           "test_fleet.py::test_what_was_lost_is_taken_up_by_the_next_run"),
    Played("controller killed after each of eight steps", "as it was left; the next run goes on", "(the run is dead)",
           "test_fleet.py::test_a_controller_that_dies_at_any_step"),
    Played("two controllers at once", "the first one's", "host_claimed, and by whom", "test_fleet.py::test_two_controllers_at_once"),
    Played("an operator's task loses the only host of its wave", "never rebooted; drained until the next run", "nothing: Ansible ends the run; exit code 4",
           "test_fleet.py::test_an_operators_task_that_loses_its_host"),
    Played("hostile answers: huge, endless, binary, deep, templates, or none", "untouched, or as any other", "failed or lost; others proved",
           "test_hostile_hosts.py"),
)  # fmt: skip

SIMULATED = "simulated"
LANES = ("systemd", "others")


def lane_of(machine: str) -> str:
    """Rows of one lane run one after the other; lanes have machines of their own and run side by side."""
    return LANES[0] if machine == SYSTEMD else LANES[1]


HEAD = "| fault | on | where the host ends | what the report says | seen |"
NOT_RUN = "not run yet"


def table(seen: Mapping[str, str]) -> str:
    """The matrix as Markdown; `seen` is the result of the last run by name."""
    machines = [(case.name, case.on, case.ends, case.says) for case in (*CASES, STRANGERS)]
    played = [(row.name, SIMULATED, row.ends, row.says) for row in PLAYED]
    rows = ["| " + " | ".join((*row, seen.get(row[0], NOT_RUN))) + " |" for row in machines + played]
    return "\n".join([HEAD, "|---|---|---|---|---|", *rows]) + "\n"


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
    with open(path, encoding="utf-8") as lock:
        # Two lanes of one run may end at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(documented(text), table({**seen_before(text), **results})), encoding="utf-8")
