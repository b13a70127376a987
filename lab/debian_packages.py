# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's own packages for a machine that reaches nothing but the lab's mirror: what it would install, and all that this needs, as an apt source.

    from lab import debian_packages
    debian_packages.offer("debian12", ["dkms", "linux-headers-6.1.0-56-cloud-amd64"], ["linux-image-cloud-amd64"])

What has to come along is worked out by apt on this machine from what the other has installed, so that no more is fetched than it lacks.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab import debian_archive, kernels, machines, qemu
from lab.hosts import HOSTS, IMAGES
from lab.images import content_key
from lab.paths import cache_dir, locked
from lab.progress import LabError


def offer(name: str, *wishes: Sequence[str]) -> list[str]:
    """Have the mirror serve packages to the running machine `name`, and make that its only apt source. Returns the files' names.

    Each wish is what one call of `apt-get install` is given: NAME or NAME=VERSION, so that several versions of a package can be offered.

    The machine's apt lists are fresh afterwards. Raises LabError for a package that Debian does not have.
    """
    suite = IMAGES[HOSTS[name].image].suite
    status = machines.run(name, "cat /var/lib/dpkg/status")
    with locked(cache_dir() / "locks" / f"apt-{suite}"):
        wanted = dict(item for packages in wishes for item in _wanted(suite, status, packages))
        files = [debian_archive.fetched(suite, url, file) for url, file in wanted.items()]
        folder = _published(suite, files)
    source = f"deb [trusted=yes] http://{qemu.MIRROR_ADDRESS}/{folder} ./"
    machines.run(name, f"rm -rf /etc/apt/sources.list.d/*; echo '{source}' >/etc/apt/sources.list; apt-get -qq update")
    return [file.name for file in files]


def fetch(name: str, packages: Sequence[str]) -> list[Path]:
    """These packages and all that they need, on this machine, for the suite of the host `name`; each is given as to apt-get install."""
    suite = IMAGES[HOSTS[name].image].suite
    with locked(cache_dir() / "locks" / f"apt-{suite}"):
        return [debian_archive.fetched(suite, url, file) for url, file in _wanted(suite, "", packages)]


def newest(name: str, package: str) -> str:
    """The version that Debian has of a package today, for the machine's suite."""
    suite = IMAGES[HOSTS[name].image].suite
    with locked(cache_dir() / "locks" / f"apt-{suite}"):
        answer = debian_archive.apt(suite, "", "apt-cache", "policy", package)
    found = re.search(r"Candidate: (\S+)", answer)
    if not found or found[1] == "(none)":
        raise LabError(f"Debian has no {package} in {suite}")
    return found[1]


def _wanted(suite: str, status: str, packages: Sequence[str]) -> list[tuple[str, str]]:
    """(URL, file name) of these packages, and of what they depend on and the machine has not got."""
    answer = debian_archive.apt(
        suite, status, "apt-get", "--print-uris", "-qq", "--no-install-recommends", "install", *packages
    )
    return debian_archive.named(answer)


def _published(suite: str, files: Sequence[Path]) -> str:
    """A directory of the mirror with these packages and their index, made once. Returns its name."""
    name = f"debian/{suite}-{content_key(sorted(file.name for file in files))}"
    place = kernels.mirror_dir() / name
    if not place.exists():
        place.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".making-") as scratch:
            made = Path(scratch) / "made"
            made.mkdir(mode=0o755)
            for file in files:
                os.link(file, made / file.name)
            index = subprocess.run(["dpkg-scanpackages", "-m", "."], cwd=made, capture_output=True, check=True).stdout
            (made / "Packages").write_bytes(index)
            shutil.move(str(made), place)
    return name
