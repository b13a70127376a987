# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where reports are kept: KIND/TIME/KIND.html for every run, and KIND.html (and the link KIND/latest) for the last one of the whole fleet.

A dry run, and a run of some hosts, are kept beside it and take nobody's place.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from ansible_collections.realip.toa.plugins.plugin_utils.report import changes, writers

Report: TypeAlias = Mapping[str, Any]

# Runs of these change hosts, so that a dry run is something else.
CHANGING = ("rollout", "rollback", "remove")
# The report of before is read whole; what is larger is none of ours.
LARGEST = 256 << 20
LATEST = "latest"

_RUN = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(-\d+)?")


def read(path: Path) -> dict[str, Any] | None:
    """A report that an earlier run wrote; None where there is none. One that is damaged is the same as none: nothing but a comparison depends on it."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    whole = (
        isinstance(content, dict) and content.get("schema") == changes.SCHEMA and isinstance(content.get("hosts"), list)
    )
    return content if whole else None


def takes_place_of(new: Report, old: Report | None, known: Container[str]) -> bool:
    """Whether a report becomes the latest: it is no dry run, and about all hosts that the latest is about, as far as they are still `known`."""
    if old is None:
        return True
    if new["kind"] in CHANGING and bool(new["check"]) != bool(old.get("check")):
        return not new["check"]
    hosts = {entry["host"] for entry in new["hosts"]}
    before = {str(entry["host"]) for entry in old["hosts"] if isinstance(entry, Mapping) and entry.get("host")}
    return all(host in hosts for host in before if host in known)


def store(folder: Path, report: Report, formats: list[str], latest: bool, keep: int) -> tuple[Path, list[str]]:
    """Write a report; (the folder of its run, the files that somebody will look at). Of each kind the last `keep` are kept, 0 is all. OSError."""
    kind = str(report["kind"])
    place = _new_folder(folder / kind, str(report["at"]))
    texts = {f"{kind}.{ending}": text(report) for ending, text in _writers(formats)}
    for name, text in texts.items():
        write(place / name, text)
    if latest:
        for name, text in texts.items():
            write(folder / name, text)
        _point(folder / kind / LATEST, place)
    _forget(folder / kind, keep, place)
    return place, [str((folder if latest else place) / name) for name in texts]


def rewrite(folder: Path, report: Report, formats: list[str]) -> list[str]:
    """Other files of the latest report."""
    files = []
    for ending, text in _writers(formats):
        path = folder / f"{report['kind']}.{ending}"
        write(path, text(report))
        files.append(str(path))
    return files


def write(path: Path, text: str) -> None:
    """The file is there in whole, new or old, at every moment: somebody may be looking at it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _writers(formats: list[str]) -> list[tuple[str, Callable[[Report], str]]]:
    return [writers.FORMATS[name] for name in formats]


def _new_folder(parent: Path, at: str) -> Path:
    """A folder for the run of this moment, with a number behind it where another one has the name."""
    name = at[:19].replace(":", "-") + "Z"
    for number in range(1, 1000):
        path = parent / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            if not path.is_dir():
                raise
            continue
        return path
    raise FileExistsError(f"{parent} has a thousand reports of {name}")


def _point(link: Path, place: Path) -> None:
    """`latest`, in one step; a copy where the file system has no links."""
    fresh = link.with_name(f".{LATEST}.{os.getpid()}")
    try:
        fresh.symlink_to(place.name)
        if link.is_dir() and not link.is_symlink():
            shutil.rmtree(link)
        fresh.replace(link)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        link.mkdir(exist_ok=True)
        for file in place.iterdir():
            shutil.copyfile(file, link / file.name)


def _forget(parent: Path, keep: int, newest: Path) -> None:
    """Remove the oldest runs. Nothing but folders of this shape, and never what the latest report is; what cannot be removed stays."""
    if not keep:
        return
    spared = {newest.resolve(), (parent / LATEST).resolve()}
    runs = sorted((path for path in parent.iterdir() if _RUN.fullmatch(path.name) and not path.is_symlink()), key=_age)
    for path in [path for path in runs[:-keep] if path.resolve() not in spared]:
        with contextlib.suppress(OSError):
            for file in [file for file in path.iterdir() if file.name.rpartition(".")[0] == parent.name]:
                file.unlink()
            path.rmdir()


def _age(path: Path) -> tuple[str, int]:
    time, _dash, number = path.name.partition("Z-")
    return time.rstrip("Z"), int(number or 1)
