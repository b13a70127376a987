# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB 2 with blscfg, which Debian has from 2.14 on: the modules of another suite's grub-pc-bin, for a boot loader whose tools are those of the image.

Enterprise Linux's GRUB has had that command as a patch of its own; what became of it in 2.14 reads the same files and orders them alike.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from lab import debian_archive
from lab.progress import LabError

SUITE, PACKAGE = "forky", "grub-pc-bin"
FOLDER = "usr/lib/grub/i386-pc"


def files() -> dict[str, bytes]:
    """{name: content} of GRUB's folder i386-pc; fetched once."""
    package = debian_archive.package(SUITE, PACKAGE)
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(["dpkg-deb", "-x", str(package), scratch], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"{package.name} cannot be unpacked: {done.stderr}")
        found = {path.name: path.read_bytes() for path in sorted(Path(scratch, FOLDER).iterdir())}
    if "blsuki.mod" not in found:
        raise LabError(f"{package.name} of {SUITE} has no blscfg")
    return found
