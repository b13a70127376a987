# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the words after `lab/lab` mean."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

from lab import debian_packages, disks, inventory, machines, mirror
from lab.hosts import HOSTS
from lab.progress import LabError, interrupted, say


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        return int(options.run(options) or 0)
    except LabError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def _interrupt(number: int, _frame: object) -> None:
    """End in good order: every thread that waits gives up, and takes its half-made machine with it."""
    if interrupted.is_set():
        return
    say(f"interrupted by {signal.Signals(number).name}")
    interrupted.set()
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab/lab", description=f"Real machines for realip.toa: {', '.join(HOSTS)}. See lab/README.md."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: object, help_text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.set_defaults(run=run)
        return command

    for name, run, text in (
        (
            "up",
            _up,
            "start machines (all of them without a name), building what is missing; those switched off boot from their disks",
        ),
        ("down", _down, "switch machines off and forget their disks; without a name the mirror ends as well"),
        ("reset", _reset, "put machines back to stock, or to a moment that was kept, in seconds"),
        ("status", _status, "what is running"),
    ):
        command = add(name, run, text)
        command.add_argument("names", nargs="*", metavar="NAME")
        if name == "reset":
            command.add_argument(
                "--to", metavar="MOMENT", default="", help="a moment that `keep` has kept, in place of stock"
            )
    for name, run, text in (
        (
            "record",
            _record,
            "keep what is on the disks of machines (files, packages), and the kernel they run, for `compare`",
        ),
        ("compare", _compare, "show what is not as `record` found it; exit code 1 where something is not"),
    ):
        add(name, run, text).add_argument("names", nargs="+", metavar="NAME")
    for name, run, text in (
        ("reboot", _reboot, "press the reset button, and wait for SSH"),
        ("power-off", _power_off, "pull the plug; `up` boots the machine from its disk again"),
        ("wait", _wait, "wait until the machine answers on SSH"),
    ):
        add(name, run, text).add_argument("name", metavar="NAME")

    command = add("keep", _keep, "keep a machine's memory and disk as they are now, for `reset --to`")
    command.add_argument("name", metavar="NAME")
    command.add_argument("moment", metavar="MOMENT")

    command = add(
        "offer",
        _offer,
        "have apt on a stock Debian find packages of Debian's archive, and all that they need, and nothing else",
    )
    command.add_argument("name", metavar="NAME")
    command.add_argument(
        "packages", nargs="+", metavar="PACKAGE", help="as apt-get install is given it: NAME or NAME=VERSION"
    )

    command = add("ssh", _ssh, "log in, or run a command")
    command.add_argument("--user", default="root", help="root (default) or ops, who may sudo and whose password is ops")
    command.add_argument("name", metavar="NAME")
    command.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD")

    command = add("console", _console, "what the machine wrote to its serial port")
    command.add_argument("--follow", "-f", action="store_true", help="go on as it is written, until interrupted")
    command.add_argument("name", metavar="NAME")

    command = add("inventory", _inventory, "the running machines for Ansible")
    command.add_argument("--list", action="store_true", help="as an inventory script answers (default)")
    command.add_argument(
        "--host", metavar="NAME", help="as an inventory script answers; --list says everything already"
    )
    command.add_argument("--yaml", metavar="FILE", type=Path, help="as a file; - is standard output")

    add(
        "clean",
        _clean,
        "take everything down and throw the cached images and snapshots away, those of other checkouts too; kernels stay",
    )

    command = add("mirror", _mirror, "the package mirror on 127.0.0.1; `up` starts it")
    command.add_argument("action", choices=("start", "stop", "url", "log"))
    return parser


def _up(options: argparse.Namespace) -> None:
    machines.up(options.names)


def _down(options: argparse.Namespace) -> None:
    machines.down(options.names)


def _reset(options: argparse.Namespace) -> None:
    machines.reset(options.names, options.to)


def _keep(options: argparse.Namespace) -> None:
    machines.keep(options.name, options.moment)


def _record(options: argparse.Namespace) -> None:
    disks.record(options.names)


def _compare(options: argparse.Namespace) -> None:
    disks.compare(options.names)


def _offer(options: argparse.Namespace) -> None:
    debian_packages.offer(options.name, options.packages)


def _status(options: argparse.Namespace) -> None:
    columns = {"name": 12, "state": 8, "ssh_port": 9, "pid": 8, "stock_kernel": 24, "dressed_as": 0}
    rows = machines.status(options.names)
    for row in ({column: column for column in columns}, *rows):
        print(" ".join(str(row[column] or "-").ljust(width) for column, width in columns.items()))
    print(f"mirror: {mirror.url() or 'not running'}")


def _reboot(options: argparse.Namespace) -> None:
    machines.reboot(options.name)
    machines.wait(options.name)


def _power_off(options: argparse.Namespace) -> None:
    machines.power_off(options.name)


def _wait(options: argparse.Namespace) -> None:
    machines.wait(options.name)


def _ssh(options: argparse.Namespace) -> None:
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    command = machines.ssh_command(options.name, words, options.user)
    os.execvp(command[0], command)


def _console(options: argparse.Namespace) -> None:
    path = machines.place(options.name) / "console.log"
    if not path.exists():
        raise LabError(f"{options.name} has not been started here: lab/lab up {options.name}")
    with open(path, "rb") as handle:
        while True:
            sys.stdout.buffer.write(handle.read())
            sys.stdout.buffer.flush()
            if not options.follow:
                return
            time.sleep(0.2)


def _inventory(options: argparse.Namespace) -> None:
    built = inventory.build(machines.running(), machines.known_hosts(), mirror.url())
    if options.host is not None:
        print(json.dumps(built["lab"]["hosts"].get(options.host, {})))
        return
    if not built["lab"]["hosts"]:
        raise LabError("no machine is running, so the inventory would be empty: lab/lab up")
    if options.yaml is None:
        print(inventory.as_list(built))
    elif str(options.yaml) == "-":
        print(inventory.as_yaml(built), end="")
    else:
        inventory.replace(options.yaml, inventory.as_yaml(built))


def _clean(_options: argparse.Namespace) -> None:
    machines.clean()


def _mirror(options: argparse.Namespace) -> None:
    if options.action == "start":
        machines.start_mirror()
    if options.action == "stop":
        mirror.stop()
    elif options.action == "log":
        log = mirror.directory() / "requests.jsonl"
        print(log.read_text(encoding="ascii") if log.exists() else "", end="")
    else:
        print(mirror.url() or "not running")
