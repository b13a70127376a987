# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's archive, asked by apt on this machine about any suite: what there is, where it lies, and packages out of it, each fetched once."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
import urllib.parse
from pathlib import Path

from lab.paths import cache_dir, locked
from lab.progress import LabError, say

DEBIAN_MIRROR = os.environ.get("REALIP_LAB_DEBIAN_MIRROR", "http://deb.debian.org/debian")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Beside DEBIAN_MIRROR; kernels that are newer than those of the last point release are had there.
SECURITY_MIRROR = os.environ.get("REALIP_LAB_SECURITY_MIRROR", DEBIAN_MIRROR + "-security")

_URI = re.compile(r"^'([^']+)' (\S+) \d+ ?(\S*)$", re.M)


def package(suite: str, name: str) -> Path:
    """A suite's newest package of this name, alone."""
    with locked(cache_dir() / "locks" / f"apt-{suite}"):
        ((url, file),) = named(apt(suite, "", "apt-get", "--print-uris", "-qq", "download", name))
        return fetched(suite, url, file)


def named(answer: str) -> list[tuple[str, str]]:
    """(URL, file name) of what apt would fetch."""
    return [(url, file) for url, file, _digest in _URI.findall(answer)]


def apt(suite: str, status: str, command: str, *words: str) -> str:
    """What apt says about a suite; its lists are fetched once a cache's life, and again where they name what is gone."""
    home = cache_dir() / "apt" / f"{suite}-{_key_of_mirrors()}"
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


def _key_of_mirrors() -> str:
    return hashlib.sha256(f"{DEBIAN_MIRROR} {SECURITY_MIRROR}".encode()).hexdigest()[:16]


def _run(*words: str) -> str:
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise LabError(f"{words[0]} {words[-1]} failed:\n{done.stderr[-2000:]}{done.stdout[-2000:]}")
    return done.stdout


def fetched(suite: str, url: str, file: str) -> Path:
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
    stanza = apt(suite, "", "apt-cache", "show", f"{name}={version}").split("\n\n", 1)[0]
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
