# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines of this checkout: what `lab/lab` does, as functions. Names are those of lab/hosts.py; an empty list means all."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab import images, inventory, kernels, mirror, qemu, ssh
from lab.hosts import HOSTS, Host, select
from lab.paths import locked, run_dir
from lab.progress import LabError, say

MOMENTS = "moments"


def place(name: str) -> Path:
    """The directory of the machine `name`."""
    return run_dir() / "hosts" / name


def known_hosts() -> Path:
    """The lab's known_hosts file; it exists once a machine has been started."""
    return run_dir() / "known_hosts"


def up(names: list[str]) -> list[str]:
    """Bring machines up: from their stock snapshot, or from their own disk where they were switched off. Running ones stay as they are.

    Returns the names that were started.
    """
    hosts = select(names)
    started = _each(hosts, _up)
    _write_files()
    return [host.name for host, fresh in zip(hosts, started, strict=True) if fresh]


def down(names: list[str]) -> None:
    """Switch machines off and forget their disks; without names the mirror ends as well."""
    for host in select(names, extra=True):
        with _lock(host):
            qemu.kill(place(host.name))
            shutil.rmtree(place(host.name), ignore_errors=True)
    if not names:
        mirror.stop()
    _write_files()


def reset(names: list[str], moment: str = "") -> None:
    """Put machines back to stock, or to a `moment` that was kept: everything done to them since is gone. Ports stay."""
    hosts = select(names)
    for host in hosts:
        if moment and not kept(host.name, moment):
            raise LabError(f"{host.name} has no moment {moment!r}: lab/lab keep {host.name} {moment}")
    _each(hosts, lambda host: _reset(host, moment))
    _write_files()


def keep(name: str, moment: str) -> None:
    """Keep a running machine's memory and disk as they are now, under a name that `reset` knows; it goes on from there. `down` forgets it."""
    (host,) = select([name])
    with _lock(host):
        _running(name)
        if kept(name, moment):
            raise LabError(
                f"{name} has a moment {moment!r} already, over which its disk may lie; `lab/lab down {name}` forgets it"
            )
        place_of_moment = _moment(name, moment)
        place_of_moment.mkdir(parents=True, exist_ok=True)
        qemu.save(place(name), place_of_moment / "memory")
        for disk in _disks(place(name)):
            disk.rename(place_of_moment / disk.name)
        _start_from(host, place_of_moment)
    _write_files()


def kept(name: str, moment: str) -> bool:
    """Whether a moment of a machine was kept under this name."""
    # The disk comes last, when the memory is complete.
    return (_moment(name, moment) / "disk.qcow2").exists()


def clean() -> None:
    """Take all machines down and throw what they were made from away; a machine of another checkout loses its disk as well."""
    down([])
    images.clean()


def power_off(name: str) -> None:
    """Pull the plug; the disk stays, and `up` boots from it."""
    (host,) = select([name])
    with _lock(host):
        qemu.kill(place(name))
    _write_files()


def reboot(name: str) -> None:
    """Press the reset button: the machine starts again through its boot loader without shutting down."""
    _running(name)
    with qemu.Monitor(place(name)) as monitor:
        monitor.execute("system_reset")


def wait(name: str) -> None:
    """Wait until a running machine answers on SSH."""
    images.wait_for_ssh(name, place(name), _running(name)["ssh_port"])


def run(name: str, script: str) -> str:
    """What `script` prints when root runs it on the machine; LabError when it fails."""
    return ssh.run(_running(name)["ssh_port"], known_hosts(), script)


def ssh_command(name: str, words: list[str], user: str = "root") -> list[str]:
    """The words of an ssh to a running machine."""
    return ssh.command(_running(name)["ssh_port"], known_hosts(), words, user)


def status(names: list[str]) -> list[dict[str, Any]]:
    """For each host: name, dressed_as, stock_kernel, state (running, off, absent), ssh_port and pid where they are known."""
    return [
        {
            "name": host.name,
            "dressed_as": host.dressed_as,
            "stock_kernel": host.kernel,
            "state": _state(host.name),
            "ssh_port": _record(host.name).get("ssh_port"),
            "pid": qemu.pid_of(place(host.name)),
        }
        for host in select(names, extra=True)
    ]


def running() -> dict[str, int]:
    """`{name: ssh port}` of the machines that are running."""
    return {name: _record(name)["ssh_port"] for name in HOSTS if _state(name) == "running"}


def start_mirror() -> int:
    """Serve the packages that are built. Returns the port."""
    with locked(run_dir() / "locks" / "mirror"):
        return mirror.start(kernels.mirror_dir())


# -- one machine ------------------------------------------------------------------------------------------------------------


def _up(host: Host) -> bool:
    with _lock(host):
        state = _state(host.name)
        if state == "running":
            images.wait_for_ssh(host.name, place(host.name), _record(host.name)["ssh_port"])
            return False
        if state == "off":
            _power_on(host)
        else:
            _start_from_stock(host)
    return True


def _moment(name: str, moment: str) -> Path:
    if not re.fullmatch(r"[a-z0-9-]{1,40}", moment):
        raise LabError(f"{moment!r} is no name for a moment; expected small letters, digits and hyphens")
    return place(name) / MOMENTS / moment


def _reset(host: Host, moment: str) -> None:
    with _lock(host):
        qemu.kill(place(host.name))
        if moment:
            _start_from(host, _moment(host.name, moment))
        else:
            _start_from_stock(host)


def _start_from_stock(host: Host) -> None:
    _start_from(host, images.stock(host))


def _start_from(host: Host, snapshot: Path) -> None:
    """Start a machine from a disk and the memory that goes with it, on a new disk over that one."""
    machine = place(host.name)
    machine.mkdir(parents=True, exist_ok=True)
    # The old disk goes only now that the snapshot is certain.
    for leftover in (*_disks(machine), machine / "console.log"):
        leftover.unlink(missing_ok=True)
    for disk in _disks(snapshot):
        qemu.overlay(disk, machine / disk.name)
    say(f"{host.name}: starting from {snapshot.name if snapshot.parent.name == MOMENTS else 'the stock snapshot'}")
    _launch(host, lambda words: qemu.launch_from(machine, words, snapshot / "memory"))
    # The machine slept since its snapshot was taken, and does not know for how long.
    _ready(host, f"date -u -s @{qemu.now()} >/dev/null")


def _disks(folder: Path) -> list[Path]:
    """What a machine keeps when it is switched off: its disk, and last before it what its firmware keeps."""
    return sorted(folder.glob("*.qcow2"), reverse=True)


def _power_on(host: Host) -> None:
    say(f"{host.name}: switching on")
    _launch(host, lambda words: qemu.launch(place(host.name), words))
    _ready(host, "true")


def _launch(host: Host, start: Callable[[list[str]], None]) -> None:
    """Start QEMU on the port it had, or on a free one; a port that somebody else took meanwhile is replaced."""
    machine = place(host.name)
    mirror_port = mirror.port()
    if mirror_port is None:
        raise LabError("the mirror is not running: lab/lab mirror start")
    ports = [_record(host.name).get("ssh_port"), ssh.free_port(), ssh.free_port()]
    accelerator = qemu.accelerator(lambda: images.stock_kernel(host).image)
    for attempt in (port for port in ports if port):
        words = qemu.command(
            host.name,
            machine,
            host.memory_mib,
            accelerator,
            qemu.Network(attempt, mirror_port),
            cpu=host.cpu,
            uefi=host.uefi,
        )
        # Written first: should we be killed now, `down` and `up` know of the machine all the same.
        inventory.replace(machine / "machine.json", json.dumps({"ssh_port": attempt}))
        try:
            return start(words)
        except LabError as error:
            if "host forwarding" not in str(error):
                raise
            say(f"{host.name}: port {attempt} is taken")
    raise LabError(f"{host.name}: no free port of 127.0.0.1 was found for SSH")


def _ready(host: Host, script: str) -> None:
    port = _record(host.name)["ssh_port"]
    known = place(host.name) / "known_hosts"
    known.write_text(ssh.known_hosts({host.name: port}), encoding="ascii")
    images.wait_for_ssh(host.name, place(host.name), port)
    ssh.run(port, known, script)
    say(f"{host.name}: up, SSH on 127.0.0.1:{port}")


def _record(name: str) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((place(name) / "machine.json").read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return {}
    return record


def _state(name: str) -> str:
    """running, off (it has a disk and would boot from it) or absent."""
    if qemu.alive(place(name)):
        return "running" if _record(name) else "off"
    return "off" if _record(name) and (place(name) / "disk.qcow2").exists() else "absent"


def _running(name: str) -> dict[str, Any]:
    select([name])
    if _state(name) != "running":
        raise LabError(f"{name} is not running: lab/lab up {name}")
    return _record(name)


def _lock(host: Host) -> Any:
    return locked(run_dir() / "locks" / host.name)


def _each(hosts: list[Host], work: Callable[[Host], Any]) -> list[Any]:
    """Do `work` for all hosts at once, and see to it that the mirror has what they will ask for; all ends before an error is raised."""
    start_mirror()
    with ThreadPoolExecutor(max_workers=len(hosts) + 1) as pool:
        jobs = [pool.submit(work, host) for host in hosts]
        packages = pool.submit(_offer, hosts)
    packages.result()
    return [job.result() for job in jobs]


def _offer(hosts: list[Host]) -> None:
    """See to it that the mirror has what these hosts may be told to install."""
    for host in hosts:
        if host.toa_kernel:
            kernels.ensure(host.toa_kernel)
        if host.vtoa:
            kernels.ensure_vtoa()


def _write_files() -> None:
    """known_hosts and the static inventory, for the machines that are running now."""
    with locked(run_dir() / "locks" / "files"):
        ports = running()
        inventory.replace(known_hosts(), ssh.known_hosts(ports))
        inventory.replace(
            run_dir() / "inventory.yml", inventory.as_yaml(inventory.build(ports, known_hosts(), mirror.url()))
        )
