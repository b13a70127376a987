# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source that the controller has or fetches - a directory, an archive, a commit of a git repository - as one archive with a digest.

Hosts are sent the archive, so they need neither git nor a way to where the source comes from. Equal contents give equal bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Sent with a call of the channel, in bytes; a module's source has some hundred kilobytes.
LIMIT = 8 << 20
# Seconds that one command of git may take.
TIME_LIMIT = 600
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst")

_REMOTE = re.compile(r"(?:https?|git|ssh|file)://|[\w.-]+@[\w.-]+:")
_REFERENCE = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
# What no build needs, and what an earlier one has left.
_LEFT_OUT = re.compile(
    r"(?:\.git|\.svn|\.tmp_versions|.*\.(?:o|ko|mod|mod\.c)|\..*\.cmd|modules\.order|Module\.symvers)\Z"
)


class SourceError(ValueError):
    """A source that cannot be had; the text names it and what was expected."""


@dataclass(frozen=True)
class Archive:
    """An archive and the SHA-256 (hex) of what is in it, under which the hosts and the plan know it."""

    data: bytes
    sha256: str


def checked_reference(reference: str) -> str:
    """What says which bytes of a source are meant: a SHA-256, or a commit of a git repository; SourceError for anything else."""
    if not reference or _REFERENCE.match(reference.lower()):
        return reference.lower()
    raise SourceError(
        f"toa_source.reference is {reference!r:.60}; expected a SHA-256 (64 hexadecimal digits), or the full name of a commit (40); branches and tags move"
    )


def sha256_and_commit(reference: str) -> tuple[str, str]:
    """Both, of which one is empty: they differ in length."""
    reference = checked_reference(reference)
    return ("", reference) if len(reference) == 40 else (reference, "")


def is_for_host(url: str, commit: str) -> bool:
    """Whether the host itself fetches this: an archive on a web server."""
    return bool(re.match(r"https?://", url)) and not commit


def take(url: str, commit: str = "", sha256: str = "", bases: Sequence[Path] = ()) -> Archive:
    """The archive of a source that is not for the host to fetch.

    `url`: a directory, an archive, a git repository on the controller, or a git URL. `commit`: full SHA-1 of the commit, for git.
    `bases`: what a relative path may be relative to; the first where it exists counts. `sha256` is checked where it is given. Raises SourceError.
    """
    archive = _from_git(url, commit, bases) if commit else _from_path(_path(url, bases))
    if sha256 and archive.sha256 != sha256.lower():
        raise SourceError(f"{url} is not what was reviewed: expected sha256 {sha256}, got {archive.sha256}")
    if len(archive.data) > LIMIT:
        raise SourceError(
            f"{url} makes an archive of {len(archive.data) >> 20} MiB, and {LIMIT >> 20} can be sent; put it on a web server"
        )
    return archive


def _path(url: str, bases: Sequence[Path]) -> Path:
    path = Path(url).expanduser()
    return next((base / path for base in bases if (base / path).exists()), path)


def _from_path(path: Path) -> Archive:
    if path.is_dir():
        return _packed(path)
    if path.is_file() and path.name.endswith(ARCHIVES):
        data = path.read_bytes()
        return Archive(data, hashlib.sha256(data).hexdigest())
    raise SourceError(f"{path} is neither a directory nor an archive ({', '.join(ARCHIVES)}) on the controller")


def _packed(folder: Path) -> Archive:
    """A directory, in an order and with times that do not depend on the machine; what links point at stands in their place."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in _files(folder):
            entry = tarfile.TarInfo(f"source/{path.relative_to(folder)}")
            data = path.read_bytes()
            entry.size, entry.mode = len(data), 0o755 if path.stat().st_mode & 0o100 else 0o644
            archive.addfile(entry, io.BytesIO(data))
    content = buffer.getvalue()
    return Archive(gzip.compress(content, 6, mtime=0), hashlib.sha256(content).hexdigest())


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if _LEFT_OUT.match(path.name):
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def _from_git(url: str, commit: str, bases: Sequence[Path]) -> Archive:
    """A commit names its content, whoever serves it: git itself checks that."""
    if not _COMMIT.match(commit):
        raise SourceError(
            f"{commit!r:.60} is not the full name of a commit (40 hexadecimal digits); branches and tags move"
        )
    with tempfile.TemporaryDirectory(prefix="realip-toa-") as folder:
        origin = url if _REMOTE.match(url) else str(_path(url, bases))
        _git(folder, "init", "-q", "--bare")
        try:
            _git(folder, "fetch", "-q", "--depth=1", origin, commit)
        except SourceError:
            # Servers may refuse to serve a commit by its name.
            _git(folder, "fetch", "-q", origin, "+refs/*:refs/origin/*")
        data = _git(folder, "archive", "--format=tar", "--prefix=source/", commit)
    return Archive(gzip.compress(data, 6, mtime=0), hashlib.sha256(data).hexdigest())


def _git(folder: str, *words: str) -> bytes:
    """One command of git, which asks nobody for anything and has ended when its time is over, with all that it has started."""
    asks_nobody = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": ""}
    environment = {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes", **os.environ, **asks_nobody}
    try:
        # In a session of its own it has no terminal to ask on, and its helpers can be ended with it.
        child = subprocess.Popen(
            ["git", "-C", folder, "-c", "core.askPass=", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise SourceError("git is not installed on the controller, and the source is a commit") from None
    with child:
        try:
            data, said = child.communicate(timeout=TIME_LIMIT)
        except BaseException as problem:
            os.killpg(child.pid, signal.SIGKILL)
            if isinstance(problem, subprocess.TimeoutExpired):
                raise SourceError(f"git {words[0]} did not end within {TIME_LIMIT} seconds") from None
            raise
    if child.returncode != 0:
        raise SourceError(f"git {words[0]}: {' '.join(said.decode(errors='replace').split())[-400:]}")
    return data
