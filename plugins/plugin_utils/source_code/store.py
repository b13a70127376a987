# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller keeps of sources: archives of commits, and the modules that a host has built for its twins.

Workers of one run, and runs of one user, share the folder: whoever writes holds the lock beside the file.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import typing as t
from collections.abc import Iterator, Mapping
from pathlib import Path

from ansible_collections.realip.toa.plugins.plugin_utils.source_code import archive as source_archive


def archive(url: str, commit: str, sha256: str, where: list[Path], store: Path) -> source_archive.Archive:
    """The archive of a source. A commit is asked for once, not for each host: it never changes."""
    if not commit:
        return source_archive.take(url, "", sha256, where)
    place = store / f"source-{hashlib.sha256(f'{url} {commit}'.encode()).hexdigest()[:16]}.json"
    with locked(place):
        with contextlib.suppress(OSError, ValueError, KeyError):
            kept = json.loads(place.read_text())
            if not sha256 or kept["sha256"] == sha256:
                return source_archive.Archive(base64.b64decode(kept["data"]), kept["sha256"])
        taken = source_archive.take(url, commit, sha256, where)
        _write(
            place, json.dumps({"sha256": taken.sha256, "data": base64.b64encode(taken.data).decode("ascii")}).encode()
        )
        return taken


def key(wanted: Mapping[str, t.Any], host: t.Any) -> str:
    """Names a module by its source, how it is built, who signs it, and the kernel it is for to the last word of `uname -v`."""
    parts = host if isinstance(host, dict) else {}
    kernel = [str(parts.get(name) or "") for name in ("release", "arch", "version")]
    built = [wanted[name] for name in ("module", "subdirectory", "variables", "signing_certificate")]
    source = wanted["source"]["sha256"] or wanted["source"]["url"]
    digest = hashlib.sha256(json.dumps([kernel, source, built], sort_keys=True).encode()).hexdigest()[:24]
    return f"{wanted['module']}-{digest}"


def keep(place: Path, answer: Mapping[str, t.Any], host: str) -> None:
    """Store a module that a host has built, with a word on where it comes from."""
    with contextlib.suppress(ValueError, TypeError):
        data = base64.b64decode(answer.get("built") or "", validate=True)
        if data and hashlib.sha256(data).hexdigest() == answer.get("built_sha256"):
            origin = {"host": host, "kernel": answer.get("key"), "source": (answer.get("after") or {}).get("source")}
            _write(place.with_suffix(".json"), json.dumps(origin).encode())
            _write(place, data)


def _write(place: Path, data: bytes) -> None:
    handle, draft = tempfile.mkstemp(dir=place.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.replace(draft, place)


@contextlib.contextmanager
def locked(place: Path) -> Iterator[None]:
    """Hold the lock beside a file of the store; waits for whoever has it. The kernel frees it where a worker dies."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(place.with_suffix(".lock"), "a", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
