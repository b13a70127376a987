# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU: the command line of a machine, its monitor, its snapshot, its process.

A machine is a directory: disk.qcow2, console.log (what it wrote to its serial port), qemu.log (what QEMU had to say),
qmp.sock (the monitor) and pid (its process: lab/power.py, and QEMU below it).
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lab.paths import HERE
from lab.progress import LabError, say, wait_until

BINARY = "qemu-system-x86_64"
# -cpu max crashes Linux 6.12 under QEMU 7.2's emulation; this model does not, and it has what Debian 13 asks for.
CPU = "Skylake-Server-v4"
# UEFI that demands signatures, of Debian's package ovmf; and where a machine keeps its variables.
FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.ms.fd")
VARIABLES = "variables.qcow2"
# Where a machine sees the lab's mirror: an address of QEMU's user network, one `socat` for each connection.
MIRROR_ADDRESS = "10.0.2.100"
KVM_TRIAL_SECONDS = 20.0

_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Network:
    """What a machine can reach (nothing but the mirror) and how it is reached. Ports of 127.0.0.1."""

    ssh_port: int
    mirror_port: int


def command(
    name: str,
    directory: Path,
    memory_mib: int,
    accelerator: str,
    network: Network | None = None,
    extra: Sequence[str] = (),
    cpu: str = CPU,
    uefi: bool = False,
) -> list[str]:
    """The command line of a machine. Devices must not differ between saving a snapshot and starting from it; ports may."""
    words = [BINARY, "-name", f"realip-toa-lab-{name}", "-nodefaults", "-no-user-config", "-display", "none"]
    words += [
        *(_firmware(directory) if uefi else ["-machine", "pc"]),
        "-accel",
        accelerator,
        "-cpu",
        cpu if accelerator.startswith("tcg") else "host",
    ]
    words += ["-smp", "1", "-m", str(memory_mib), "-rtc", "base=utc"]
    # The machine's own flushes reach the host's page cache, which outlives a killed QEMU: a hard power-off stays a fair one.
    words += [
        "-drive",
        f"file={_escape(directory / 'disk.qcow2')},format=qcow2,if=none,id=disk,cache=unsafe,discard=unmap",
    ]
    words += ["-device", "virtio-blk-pci,drive=disk"]
    if network is not None:
        words += ["-netdev", _netdev(network), "-device", "virtio-net-pci,netdev=net,romfile="]
    words += ["-object", "rng-random,id=entropy,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=entropy"]
    words += [
        "-chardev",
        f"file,id=console,path={_escape(directory / 'console.log')},append=on",
        "-serial",
        "chardev:console",
    ]
    # Relative, because the path of a socket may not be longer than 107 bytes; QEMU is started inside the directory.
    words += ["-chardev", "socket,id=monitor,path=qmp.sock,server=on,wait=off", "-mon", "chardev=monitor,mode=control"]
    return words + list(extra)


def _firmware(directory: Path) -> list[str]:
    """UEFI with Secure Boot; none but the firmware itself can write its variables, by the processor's management mode."""
    code, variables = f"file={FIRMWARE},format=raw,readonly=on", f"file={_escape(directory / VARIABLES)},format=qcow2"
    return [
        "-machine",
        "q35,smm=on",
        "-global",
        "driver=cfi.pflash01,property=secure,value=on",
        "-drive",
        f"if=pflash,unit=0,{code}",
        "-drive",
        f"if=pflash,unit=1,{variables}",
    ]


def _netdev(network: Network) -> str:
    return (
        "user,id=net,restrict=on,ipv6=off"
        f",hostfwd=tcp:127.0.0.1:{network.ssh_port}-:22"
        f",guestfwd=tcp:{MIRROR_ADDRESS}:80-cmd:socat - TCP4:127.0.0.1:{network.mirror_port}"
    )


def _escape(path: Path) -> str:
    """QEMU reads a comma in an option's value as the end of it, and two as one."""
    return str(path).replace(",", ",,")


def accelerator(kernel: Callable[[], Path]) -> str:
    """Emulation, unless $REALIP_LAB_ACCEL is `kvm` and a kernel runs under it: on some machines KVM opens, and guests hang.

    `kernel` answers with a bzImage to try; it is asked only when there is something to try.
    """
    emulation = "tcg,thread=multi,tb-size=256"
    wanted = os.environ.get("REALIP_LAB_ACCEL", "tcg")
    if wanted == "tcg":
        return emulation
    if wanted != "kvm":
        raise LabError(f"REALIP_LAB_ACCEL is {wanted!r}; it can be tcg (the default) or kvm")
    return "kvm" if _kvm_runs(kernel()) else emulation


@functools.cache
def _kvm_runs(kernel: Path) -> bool:
    """Whether a kernel under KVM gets as far as missing its root file system. It takes 1 s emulated, so KVM that needs longer is none."""
    words = [
        BINARY,
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-machine",
        "pc",
        "-accel",
        "kvm",
        "-cpu",
        "host",
        "-m",
        "256",
    ]
    words += ["-no-reboot", "-serial", "stdio", "-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"]
    try:
        done = subprocess.run(
            words, capture_output=True, timeout=KVM_TRIAL_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        say(f"a kernel did not start in {KVM_TRIAL_SECONDS:.0f} s under KVM; going on with emulation")
        return False
    if b"Kernel panic" not in done.stdout:
        say(f"KVM does not work here ({done.stderr.decode(errors='replace').strip()}); going on with emulation")
        return False
    return True


# -- the process ------------------------------------------------------------------------------------------------------------


def launch(directory: Path, words: Sequence[str], snapshot: BinaryIO | None = None, resets: bool = True) -> None:
    """Start a machine, from a snapshot's memory or from its disk; its monitor answers when this returns.

    resets: whether a machine that resets itself starts again; where not, that is its end. LabError, with QEMU's words, when it does not start.
    """
    _need(words[0])
    (directory / "qmp.sock").unlink(missing_ok=True)
    log = directory / "qemu.log"
    if resets:
        words = [sys.executable, str(HERE / "power.py"), f"fd:{snapshot.fileno()}" if snapshot else "", *words]
    else:
        words = [*words, *(["-incoming", f"fd:{snapshot.fileno()}"] if snapshot else []), "-no-reboot"]
    launch_process(directory, words, cwd=directory, log=log, pass_fds=[snapshot.fileno()] if snapshot else [])
    wait_until(lambda: not alive(directory) or (directory / "qmp.sock").exists(), f"QEMU in {directory}", every=0.05)
    if not alive(directory):
        raise LabError(f"QEMU did not start: {tail(log)}")


def launch_process(directory: Path, words: Sequence[str], cwd: Path, log: Path, pass_fds: Sequence[int] = ()) -> None:
    """Start a process that outlives us, writes to `log`, and is known by the file `pid` in `directory`."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=pass_fds,
        )
    _children[process.pid] = process
    (directory / "pid").write_text(f"{process.pid} {_started(process.pid)}\n", encoding="ascii")


def _need(program: str) -> None:
    """LabError where a program is not there."""
    if shutil.which(program) is None:
        raise LabError(f"{program} is not installed; lab/apt-packages.txt lists what the lab needs")


def pid_of(directory: Path) -> int | None:
    """The process of a machine, or None where it has ended. A number that another process got meanwhile is not it."""
    try:
        number, started = (directory / "pid").read_text(encoding="ascii").split()
    except (FileNotFoundError, ValueError):
        return None
    child = _children.get(int(number))
    if child is not None:
        child.poll()
    return int(number) if started != "0" and _started(int(number)) == started else None


def alive(directory: Path) -> bool:
    """Whether the machine's QEMU is running."""
    return pid_of(directory) is not None


def _started(pid: int) -> str:
    """When a process began, in clock ticks since the start of this computer; "0" where there is none, or only its corpse."""
    try:
        # The name in parentheses may hold anything, so the fields are counted from its end (proc(5)).
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return "0"
    return "0" if fields[0] in "ZX" else fields[19]


def kill(directory: Path) -> None:
    """Pull the plug. Nothing where the machine is not running."""
    pid = pid_of(directory)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not alive(directory), f"process {pid} to end", limit=60, every=0.02)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return str(error)
    return "\n".join(text.splitlines()[-lines:])


# -- the monitor ------------------------------------------------------------------------------------------------------------


class Monitor:
    """A conversation with QEMU (QMP). A context manager: QEMU talks to one client at a time."""

    def __init__(self, directory: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(120)
        self._name = str(directory)
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # The long way round to a socket whose path may be too long for an address.
            wait_until(
                lambda: self._connect(directory, f"/proc/self/fd/{folder}/qmp.sock"),
                f"the monitor of {directory}",
                limit=60,
                every=0.05,
            )
        except OSError as error:
            self._socket.close()
            raise LabError(f"the monitor of {directory} does not answer: {error}") from error
        finally:
            os.close(folder)
        self._lines = self._socket.makefile("rb")
        self._answer("QMP")
        self.execute("qmp_capabilities")

    def _connect(self, directory: Path, path: str) -> bool:
        """A socket has its name a moment before QEMU listens on it, and none while a machine resets itself."""
        try:
            self._socket.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            if not alive(directory):
                raise
            return False
        return True

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def execute(self, name: str, fd: int | None = None, **arguments: Any) -> Any:
        """One command and what it returns. `fd` is handed over with it. LabError with QEMU's words when it refuses."""
        message = json.dumps({"execute": name, "arguments": arguments}).encode("ascii")
        if fd is None:
            self._socket.sendall(message)
        else:
            socket.send_fds(self._socket, [message], [fd])
        answer = self._answer("return", "error")
        if "error" in answer:
            raise LabError(f"QEMU refused {name} in {self._name}: {answer['error'].get('desc')}")
        return answer["return"]

    def _answer(self, *keys: str) -> dict[str, Any]:
        """The next message with one of `keys`; events in between are not for us."""
        for line in self._lines:
            message: dict[str, Any] = json.loads(line)
            if any(key in message for key in keys):
                return message
        raise LabError(f"QEMU in {self._name} hung up")


# -- snapshots --------------------------------------------------------------------------------------------------------------


def save(directory: Path, snapshot: Path) -> None:
    """Stop a running machine and write its memory and devices to `snapshot`; its disk is complete and still when this returns.

    A migration into a file: unlike savevm it leaves the disk image as it is, so that any number of machines can
    start from one disk, each with an overlay of its own, and nothing is copied.
    """
    with Monitor(directory) as monitor, open(snapshot, "wb") as handle:
        monitor.execute("stop")
        monitor.execute("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        monitor.execute("getfd", fd=handle.fileno(), fdname="snapshot")
        monitor.execute("migrate", uri="fd:snapshot")
        status = wait_until(lambda: _settled(monitor.execute("query-migrate")), f"the snapshot {snapshot}", every=0.05)
        if status != "completed":
            raise LabError(f"the snapshot {snapshot} could not be written: {status}")
    kill(directory)


def _settled(answer: dict[str, Any]) -> str | None:
    status = str(answer.get("status"))
    return status if status in ("completed", "failed", "cancelled") else None


def launch_from(directory: Path, words: Sequence[str], snapshot: Path) -> None:
    """Start a machine from what `save` wrote. It is running when this returns."""
    with open(snapshot, "rb") as handle:
        launch(directory, words, snapshot=handle)
    with Monitor(directory) as monitor:
        wait_until(
            lambda: monitor.execute("query-status")["status"] != "inmigrate",
            f"the snapshot to load in {directory}",
            every=0.05,
        )
        monitor.execute("cont")


# -- disks ------------------------------------------------------------------------------------------------------------------


def image_tool(*arguments: str | os.PathLike[str]) -> None:
    """Run qemu-img; LabError with its words when it fails."""
    _need("qemu-img")
    done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"qemu-img {arguments[0]} failed: {done.stderr.strip()}")


def overlay(base: Path, disk: Path) -> None:
    """An empty qcow2 disk over `base`, which stays as it is."""
    image_tool("create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", disk)


def now() -> int:
    """Seconds since 1970, for the clock of a machine that slept in a snapshot."""
    return int(time.time())
