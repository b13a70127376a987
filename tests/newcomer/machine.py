# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of somebody who is new here: an account, a home with nothing in it, and what is typed there.

Needs root: the machine is a folder with mounts of its own, which nobody else sees and which end with the last process in it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

USER, ID = "newcomer", 1000

# $1 the folder, $2 the account, $3 a script; the rest are NAME=VALUE. $SHARED: folders of this machine that it has too, and cannot change.
_ENTER = """\
set -e
root=$1 account=$2 script=$3
shift 3
for folder in $SHARED; do
    mkdir -p "$root$folder"
    mount --bind "$folder" "$root$folder"
    mount -o remount,bind,ro "$root$folder"
done
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
exec chroot --userspec="$account" "$root" /usr/bin/env -i "$@" /bin/bash "$script" </dev/null 2>&1
"""
MARK = "@@ typed "


@dataclass(frozen=True)
class Typed:
    """A command, its exit code and everything that it said."""

    command: str
    code: int
    output: str


class Machine:
    """A context manager; what was in it is gone afterwards."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "machine"
        self.home = self.root / "home" / USER
        self.shared: list[Path] = []
        self.environment = {
            "HOME": f"/home/{USER}", "USER": USER, "LOGNAME": USER, "SHELL": "/bin/bash", "LANG": "C.UTF-8", "TERM": "dumb",
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games", "DEBIAN_FRONTEND": "noninteractive",
        }  # fmt: skip

    def __enter__(self) -> t.Self:
        self.make()
        self.home.mkdir(parents=True)
        self.own()
        return self

    def __exit__(self, *unused: object) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    def make(self) -> None:
        """Everything but the home."""
        raise NotImplementedError

    def write(self, name: str, content: str | bytes, mode: int = 0o644) -> None:
        """A file below the home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        self.own()

    def own(self) -> None:
        """What was put into the home belongs to whom it is of."""
        subprocess.run(["chown", "-R", f"{ID}:{ID}", str(self.home)], check=True)

    def type(self, commands: t.Sequence[str], time_limit: float = 600, **environment: str) -> list[Typed]:
        """Commands one after the other, in one shell; those behind one that left the shell are missing in the answer."""
        script = "cd\n" + "".join(f'{command}\necho "\n{MARK}{number} $?"\n' for number, command in enumerate(commands))
        self.write(".typed.sh", script)
        settings = [f"{name}={value}" for name, value in {**self.environment, **environment}.items()]
        words = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--propagation",
            "private",
            "sh",
            "-c",
            _ENTER,
            "sh",
        ]
        words += [str(self.root), f"{ID}:{ID}", f"/home/{USER}/.typed.sh", *settings]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=time_limit, check=False,
                              env={**os.environ, "SHARED": " ".join(map(str, self.shared))})  # fmt: skip
        print("+", shlex.join(commands), done.stdout, sep="\n")
        typed, output = [], ""
        for line in done.stdout.splitlines(keepends=True):
            if line.startswith(MARK):
                number, code = line.removeprefix(MARK).split()
                typed.append(Typed(commands[int(number)], int(code), output))
                output = ""
            else:
                output += line
        return typed


class CleanMachine(Machine):
    """A Debian 12 with nothing on it but what every installation has. It reaches Debian's archive, PyPI and loopback."""

    SUITE = "bookworm"
    MIRROR = os.environ.get("REALIP_LAB_DEBIAN_MIRROR", "http://deb.debian.org/debian")
    PACKAGES = ("ca-certificates", "sudo")

    # How this machine reaches PyPI: through whom, and whom it believes.
    NETWORK = (
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "PIP_INDEX_URL",
        "PIP_CERT",
    )

    def make(self) -> None:
        words = [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--include={','.join(self.PACKAGES)}",
            self.SUITE,
            str(self.root),
            self.MIRROR,
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stderr
        subprocess.run(
            ["chroot", str(self.root), "useradd", "--uid", str(ID), "--shell", "/bin/bash", USER], check=True
        )
        # For anything else sudo wants a password, which nobody is there to type: on the controller nothing but an installation may ask for it.
        (self.root / "etc/sudoers.d/newcomer").write_text(f"{USER} ALL=(ALL) NOPASSWD: /usr/bin/apt-get\n")
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        self.environment |= {name: os.environ[name] for name in self.NETWORK if name in os.environ}
        if "PIP_CERT" in os.environ:
            believed = self.root / os.environ["PIP_CERT"].lstrip("/")
            believed.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.environ["PIP_CERT"], believed)


class BorrowedMachine(Machine):
    """The programs of this machine and an Ansible that is installed already, at the price of some mounts. sudo is of no use to anybody."""

    def __init__(self, folder: Path, venv: Path) -> None:
        super().__init__(folder)
        self.venv = venv
        self.environment["PATH"] = f"{venv}/bin:{self.environment['PATH']}"

    def make(self) -> None:
        base = subprocess.run(
            [self.venv / "bin/python", "-c", "import sys; print(sys.base_prefix)"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        self.shared = [Path("/usr"), Path("/etc/alternatives"), self.venv]
        if not base.startswith("/usr"):
            self.shared.append(Path(base.strip()))
        for name in ("dev", "etc", "proc", "run", "tmp", "var/tmp"):
            (self.root / name).mkdir(parents=True)
        for name in ("tmp", "var/tmp"):
            (self.root / name).chmod(0o1777)
        for name in ("bin", "lib", "lib64", "sbin"):
            (self.root / name).symlink_to(f"usr/{name}")
        (self.root / "etc/passwd").write_text(
            f"root:x:0:0::/root:/bin/sh\n{USER}:x:{ID}:{ID}::/home/{USER}:/bin/bash\n"
        )
        (self.root / "etc/group").write_text(f"root:x:0:\n{USER}:x:{ID}:\n")
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n")
