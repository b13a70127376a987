# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An apt source for the machine ubuntu2204: a newer kernel, and bpftool as Ubuntu has it up to 24.04.

There `bpftool` is a script of linux-tools-common, which looks for the running kernel's own in /usr/lib/linux-tools/RELEASE; each kernel has a
package with that. The program itself is Debian's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab import debian_archive, kernels
from lab.paths import cache_dir, locked
from lab.progress import LabError, say

FOLDER = "ubuntu/22.04"
KERNELS = ("5.15.0-161-generic", "5.15.0-164-generic")

WRAPPER = """\
#!/bin/sh
# The tool of the running kernel, and of no other.
release=$(uname -r)
tool=/usr/lib/linux-tools/$release/${0##*/}
[ ! -x "$tool" ] || exec "$tool" "$@"
echo "WARNING: ${0##*/} not found for kernel $release" >&2
echo "  You may need to install the following packages for this specific kernel:" >&2
echo "    linux-tools-$release" >&2
exit 2
"""


def ensure() -> Path:
    """The folder of the mirror, made at most once for the packages that are in it."""
    place = kernels.mirror_dir() / FOLDER
    with locked(cache_dir() / "locks" / "ubuntu-archive"):
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place.parent, prefix=".making-") as scratch:
                made = Path(scratch) / "archive"
                made.mkdir(mode=0o755)
                _fill(made, Path(scratch))
                made.rename(place)
            say("ubuntu2204: apt source made")
    return place


def _fill(made: Path, scratch: Path) -> None:
    common = scratch / "linux-tools-common"
    _file(common / "usr/sbin/bpftool", WRAPPER.encode())
    _pack(common, made, "")
    bpftool = scratch / "bpftool"
    _run("dpkg-deb", "-x", str(debian_archive.package("bookworm", "bpftool")), str(bpftool))
    for release in KERNELS:
        tools = scratch / f"linux-tools-{release}"
        _file(tools / "usr/lib/linux-tools" / release / "bpftool", (bpftool / "usr/sbin/bpftool").read_bytes())
        _pack(tools, made, "linux-tools-common, libelf1, libcap2, zlib1g")
        image = kernels.ensure(release).image
        os.link(image, made / image.name)
    index = subprocess.run(["dpkg-scanpackages", "-m", "."], cwd=made, capture_output=True, check=True).stdout
    (made / "Packages").write_bytes(index)


def _file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    path.chmod(0o755)


def _pack(root: Path, made: Path, depends: str) -> None:
    """The package that a folder is named after."""
    fields = {"Package": root.name, "Version": "5.15.0-164.174", "Architecture": "amd64", "Maintainer": "realip.toa lab <lab@realip.invalid>",
              "Depends": depends, "Description": "bpftool of a kernel of the lab"}  # fmt: skip
    control = root / "DEBIAN" / "control"
    control.parent.mkdir(mode=0o755)
    control.write_text("".join(f"{name}: {value}\n" for name, value in fields.items() if value), "utf-8")
    _run("dpkg-deb", "--root-owner-group", "--build", str(root), str(made))
    shutil.rmtree(root)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{words[0]} failed: {done.stderr[-2000:]}")
