# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller keeps of sources: archives of commits, and the modules that a builder has built.

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

from ansible_collections.realip.toa.plugins.plugin_utils.action import ToaError
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import archive as source_archive


def archive(url: str, commit: str, sha256: str, where: list[Path], store: Path) -> source_archive.Archive:
    """The archive of a source. A commit is asked for once, not for each host: it never changes."""
    if not commit:
        return source_archive.take(url, "", sha256, where)
    place = store / f"source-{hashlib.sha256(f'{url} {commit}'.encode()).hexdigest()[:16]}.json"
    with locked(place):
        with contextlib.suppress(OSError, ValueError, KeyError):
            kept = json.loads(place.read_text())
            data = base64.b64decode(kept["data"], validate=True)
            # What lies in a folder for months is looked at again whenever it is read.
            if hashlib.sha256(data).hexdigest() == kept["stored"] and (not sha256 or kept["sha256"] == sha256):
                return source_archive.Archive(data, kept["sha256"])
        taken = source_archive.take(url, commit, sha256, where)
        stored = {"sha256": taken.sha256, "stored": hashlib.sha256(taken.data).hexdigest()}
        _write(place, json.dumps({**stored, "data": base64.b64encode(taken.data).decode("ascii")}).encode())
        return taken


def key(wanted: Mapping[str, t.Any], host: t.Any) -> str:
    """Names a module by its source, how it is built, who signs it, and the kernel it is for to the last word of `uname -v`."""
    parts = host if isinstance(host, dict) else {}
    kernel = [str(parts.get(name) or "") for name in ("release", "arch", "version")]
    built = [wanted[name] for name in ("module", "subdirectory", "variables", "signing_certificate")]
    source = wanted["source"]["sha256"] or wanted["source"]["url"]
    digest = hashlib.sha256(json.dumps([kernel, source, built], sort_keys=True).encode()).hexdigest()[:24]
    return f"{wanted['module']}-{digest}"


def bytes_of(answer: Mapping[str, t.Any]) -> bytes:
    """The module in the answer of a builder; raises ToaError where it does not have its digest."""
    with contextlib.suppress(ValueError, TypeError):
        data = base64.b64decode(answer.get("built") or "", validate=True)
        if data and hashlib.sha256(data).hexdigest() == answer.get("built_sha256"):
            return data
    raise ToaError("bad_answer", "the builder's module does not have its digest", "look at the builder, then run again")


def keep(place: Path, module: bytes, origin: Mapping[str, t.Any]) -> None:
    """Store a module with its digest and a word on where it comes from."""
    _write(place, module)
    _write(place.with_suffix(".json"), json.dumps({**origin, "sha256": hashlib.sha256(module).hexdigest()}).encode())


def take(place: Path) -> bytes | None:
    """A module of the store; None where there is none, or where it is not what was put there."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        module = place.read_bytes()
        if json.loads(place.with_suffix(".json").read_bytes())["sha256"] == hashlib.sha256(module).hexdigest():
            return module
    return None


def _write(place: Path, data: bytes) -> None:
    handle, draft = tempfile.mkstemp(dir=place.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.replace(draft, place)


@contextlib.contextmanager
def locked(place: Path) -> Iterator[None]:
    """Hold the lock beside a file of the store; waits for whoever has it. The kernel frees it where a worker dies."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = place.parent.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ToaError(
            "unsafe_folder",
            f"others may write to {place.parent}, from where modules go to hosts",
            "remove it, or name a folder that is yours alone (toa_build_store)",
        )
    with open(place.with_suffix(".lock"), "a", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
