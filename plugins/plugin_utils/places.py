# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where files of the operator are: one answer for what is read and for what is written (reports, lock file, catalog, mirror, hooks).

A name may be relative to where the run was started, to the playbook, or to the inventory. Where a daemon starts Ansible, its own folder is none
of them: `$PWD` may be that of the daemon's own start, or unset, and `/` is nobody's project.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

COLLECTION = Path(__file__).resolve().parents[2]


def folders(variables: Mapping[str, Any]) -> list[Path]:
    """What a relative name may be relative to, in this order; `variables` are those of a task."""
    sources = variables.get("ansible_inventory_sources") or []
    named = [variables.get("playbook_dir"), *map(_folder_of, sources), variables.get("inventory_dir")]
    started = _started()
    found = [*([started] if started else []), *(Path(str(name)) for name in named if name)]
    return list(dict.fromkeys(found))


def _started() -> Path | None:
    """The folder of this process; None where it is gone, or is the root folder."""
    try:
        here = Path.cwd()
    except OSError:
        return None
    return here if here != Path(here.anchor) else None


def _folder_of(source: Any) -> Path | None:
    """The folder of an inventory as `-i` names it; a list of hosts has none."""
    path = Path(str(source))
    if "," in str(source) or not path.exists():
        return None
    return path if path.is_dir() else path.parent


def candidates(name: str, where: Iterable[Path]) -> list[Path]:
    """Every path that a name may stand for, in order, absolute."""
    given = Path(name).expanduser()
    return [given] if given.is_absolute() else [(folder / given).absolute() for folder in where]


def found(name: str, where: Iterable[Path]) -> Path | None:
    """What is there under a name; None where nothing is."""
    return next((path for path in candidates(name, where) if path.exists()), None)


def target(name: str, where: Sequence[Path]) -> Path:
    """Where something of this name is written: where it is read from, or where it does not exist yet, in the first folder that lets us."""
    paths = candidates(name, where)
    ours = [path for path in paths if not path.resolve().is_relative_to(COLLECTION) or not _is_installed()]
    there = found(name, where)
    if there:
        return there
    return next((path for path in ours if _lets_us_write(path)), (ours or paths or [Path(name).absolute()])[0])


def problem(path: Path, folder: bool = False) -> str:
    """Why a file (or the files of a folder) cannot be written, found by writing one; "" where it can. What was made for it is taken away again."""
    inside = path if folder else path.parent
    made = [parent for parent in [inside, *inside.parents] if not parent.exists()]
    try:
        if not folder and path.exists() and not path.is_file():
            return f"{path} is no file"
        inside.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=inside, prefix=".toa-trial.") as file:
            file.write(b"a trial of realip.toa\n")
            file.flush()
    except OSError as error:
        return f"{inside} cannot be written: {error.strerror or error}"
    finally:
        for parent in made:
            _remove_empty(parent)
    return ""


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return


def _is_installed() -> bool:
    """Whether the collection was installed; in a checkout, its own folder is the operator's project."""
    return not (COLLECTION / "galaxy.yml").exists()


def _lets_us_write(path: Path) -> bool:
    near = next((parent for parent in path.parents if parent.exists()), path.parent)
    return os.access(near, os.W_OK)
