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
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from lab import kernels, machines, qemu
from lab.hosts import HOSTS, IMAGES
from lab.images import DEBIAN_MIRROR, content_key
from lab.paths import cache_dir, locked
from lab.progress import LabError, say

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Beside DEBIAN_MIRROR; kernels that are newer than those of the last point release are had there.
SECURITY_MIRROR = os.environ.get("REALIP_LAB_SECURITY_MIRROR", DEBIAN_MIRROR + "-security")

_URI = re.compile(r"^'([^']+)' (\S+) \d+ ?(\S*)$", re.M)


def offer(name: str, *wishes: Sequence[str]) -> list[str]:
    """Have the mirror serve packages to the running machine `name`, and make that its only apt source. Returns the files' names.

    Each wish is what one call of `apt-get install` is given: NAME or NAME=VERSION, so that several versions of a package can be offered.

    The machine's apt lists are fresh afterwards. Raises LabError for a package that Debian does not have.
    """
    suite = IMAGES[HOSTS[name].image].suite
    status = machines.run(name, "cat /var/lib/dpkg/status")
    with locked(cache_dir() / "locks" / f"apt-{suite}"):
        wanted = dict(item for packages in wishes for item in _wanted(suite, status, packages))
        files = [_fetched(suite, url, file) for url, file in wanted.items()]
        folder = _published(suite, files)
    source = f"deb [trusted=yes] http://{qemu.MIRROR_ADDRESS}/{folder} ./"
    machines.run(name, f"rm -rf /etc/apt/sources.list.d/*; echo '{source}' >/etc/apt/sources.list; apt-get -qq update")
    return [file.name for file in files]


def newest(name: str, package: str) -> str:
    """The version that Debian has of a package today, for the machine's suite."""
    suite = IMAGES[HOSTS[name].image].suite
    with locked(cache_dir() / "locks" / f"apt-{suite}"):
        answer = _apt(suite, "", "apt-cache", "policy", package)
    found = re.search(r"Candidate: (\S+)", answer)
    if not found or found[1] == "(none)":
        raise LabError(f"Debian has no {package} in {suite}")
    return found[1]


def _wanted(suite: str, status: str, packages: Sequence[str]) -> list[tuple[str, str]]:
    """(URL, file name) of these packages, and of what they depend on and the machine has not got."""
    answer = _apt(suite, status, "apt-get", "--print-uris", "-qq", "--no-install-recommends", "install", *packages)
    return [(url, file) for url, file, _digest in _URI.findall(answer)]


def _apt(suite: str, status: str, command: str, *words: str) -> str:
    """What apt says about a suite; its lists are fetched once a cache's life, and again where they name what is gone."""
    home = cache_dir() / "apt" / f"{suite}-{content_key(DEBIAN_MIRROR, SECURITY_MIRROR)}"
    for folder in ("lists/partial", "cache/archives/partial", "etc"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    trusted = f"[signed-by={KEYRING} arch=amd64]"
    (home / "etc/sources.list").write_text(
        f"deb {trusted} {DEBIAN_MIRROR} {suite} main\ndeb {trusted} {SECURITY_MIRROR} {suite}-security main\n",
        encoding="ascii",
    )
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as installed:
        installed.write(status)
        installed.flush()
        options = [f"Dir::State={home}", f"Dir::State::lists={home}/lists", f"Dir::State::status={installed.name}", f"Dir::Cache={home}/cache",
                   f"Dir::Etc::sourcelist={home}/etc/sources.list", "Dir::Etc::sourceparts=-", "Dir::Etc::preferencesparts=-",
                   "Dir::Etc::parts=-", "APT::Architecture=amd64", "APT::Architectures=amd64", "Acquire::Languages=none"]  # fmt: skip
        flags = [word for option in options for word in ("-o", option)]
        if not list((home / "lists").glob("*Packages*")):
            say(f"{suite}: fetching apt lists")
            _run("apt-get", *flags, "-qq", "update")
        return _run(command, *flags, *words)


def _run(*words: str) -> str:
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise LabError(f"{words[0]} {words[-1]} failed:\n{done.stderr[-2000:]}{done.stdout[-2000:]}")
    return done.stdout


def _fetched(suite: str, url: str, file: str) -> Path:
    """A package in the cache, which other runs share. apt has named it; its digest is apt's to check when the machine installs it."""
    path = cache_dir() / "debs" / suite / file
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{os.getpid()}-{len(file)}")
        try:
            _run("curl", "-fsSL", "--retry", "3", "-o", str(partial), url)
        except LabError:
            _make_empty(suite, file, partial)
        partial.replace(path)
    return path


def _make_empty(suite: str, file: str, path: Path) -> None:
    """A meta-package that the archive's index names and the archive has not (a suite at its end): all there is to it stands in the index.

    LabError where the package is not such a one.
    """
    name, version = urllib.parse.unquote(file).split("_")[:2]
    stanza = _apt(suite, "", "apt-cache", "show", f"{name}={version}").split("\n\n", 1)[0]
    if not re.search(r"^Description(-en)?:.*\(meta-?package\)", stanza, re.M):
        raise LabError(f"Debian's archive for {suite} names {file} and has it not")
    kept = [
        line
        for line in stanza.splitlines()
        if line.startswith(("Package:", "Version:", "Architecture:", "Maintainer:", "Depends:", "Description:"))
    ]
    with tempfile.TemporaryDirectory() as folder:
        control = Path(folder, "DEBIAN", "control")
        control.parent.mkdir(mode=0o755)
        control.write_text("\n".join(kept) + "\n", encoding="utf-8")
        _run("dpkg-deb", "--root-owner-group", "--build", folder, str(path))


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
