# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine as a host that tests may change: the same programs and files, in a mount namespace where every write goes elsewhere.

Each of /boot, /etc, /run, /usr and /var is an overlay, so that packages are installed with the machine's own dpkg, scripts and
shell, and the machine itself stays as it is. Files of ours that lie on the machine, because it is rolled out or a run left them, are not on
the stage. What was written can be listed. Needs root.
"""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

from sshd import Sshd

FOLDERS = ("boot", "etc", "run", "usr", "var")
SETUP = """
set -e
mount --make-rprivate /
for folder in {folders}; do
    mkdir -p "{base}/$folder/new" "{base}/$folder/work" "{base}/$folder/hidden"
    # To overlayfs a character device 0:0 in an upper layer says that the name is not there.
    find "/$folder" -xdev -name '*realip[-_]toa*' -prune -print | while read -r ours; do
        hidden="{base}/$folder/hidden${{ours#/"$folder"}}"
        mkdir -p "${{hidden%/*}}"
        mknod "$hidden" c 0 0
    done
    mount -t overlay overlay -o "lowerdir={base}/$folder/hidden:/$folder,upperdir={base}/$folder/new,workdir={base}/$folder/work" "/$folder"
done
echo ready
exec cat
"""


class Stage:
    """One such host, with an sshd in front of it on `address`."""

    NAMESPACES = ("-m",)
    """What a stage has of its own, as unshare(1) and nsenter(1) take it."""

    def __init__(self, folder: Path, address: str) -> None:
        self.base = folder / "stage"
        self.base.mkdir(parents=True)
        script = SETUP.format(folders=" ".join(FOLDERS), base=self.base)
        self.holder = subprocess.Popen(
            ["unshare", *self.NAMESPACES, "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self.holder.stdout.readline() != "ready\n":
            raise RuntimeError("no overlay file systems here")
        login = folder / "login"
        login.write_text(
            f'exec nsenter -t {self.holder.pid} {" ".join(self.NAMESPACES)} --wd=/ sh -c "$SSH_ORIGINAL_COMMAND"\n'
        )
        self.address = address
        self.sshd = Sshd(folder / "sshd", {address: [f"ForceCommand . {login}"]}, [])

    def __enter__(self) -> Stage:
        self.sshd.__enter__()
        return self

    def __exit__(self, *unused: object) -> None:
        self.sshd.__exit__()
        self.holder.stdin.close()
        self.holder.wait(30)

    def host(self, name: str = "web", **variables: t.Any) -> dict[str, t.Any]:
        return self.sshd.host(name, self.address, **variables)

    def sh(self, command: str) -> str:
        """Output of a command on the stage."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.holder.pid), *self.NAMESPACES, "sh", "-c", command],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def written(self) -> dict[str, str]:
        """Every file that is not as on the machine, with its content; "gone" for those that were removed."""
        found = {}
        for folder in FOLDERS:
            new = self.base / folder / "new"
            for path in sorted(new.rglob("*")):
                name = f"/{folder}/{path.relative_to(new)}"
                if path.is_symlink():
                    found[name] = "link " + str(path.readlink())
                elif path.is_char_device():
                    found[name] = "gone"
                elif path.is_file():
                    found[name] = path.read_bytes().decode("latin-1")
        return {name: text for name, text in found.items() if self._below(name) != text}

    def _below(self, name: str) -> str | None:
        """What the machine has under a name, as the stage sees it; None where that is nothing."""
        folder, _slash, rest = name[1:].partition("/")
        hidden = self.base / folder / "hidden" / rest
        machine = Path(name)
        if any(path.is_char_device() for path in (hidden, *hidden.parents)) or not machine.is_file():
            return None
        return machine.read_bytes().decode("latin-1")
