# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's lock file and catalog of built kernels, each parsed once: Ansible forks a worker for every host, which would parse them anew."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from ansible_collections.realip.toa.plugins.plugin_utils import places
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import built_kernels
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog

LOCKFILE = "toa.lock.yml"
# Kernels that were built by realip.toa.build_kernel.
CATALOG_FILE = "toa.catalog.yml"
# A lock file of a large fleet has some kilobytes; what has more is something else, in bytes.
LOCKFILE_LIMIT = 1 << 20

T = TypeVar("T")


def _once(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """read(path), remembered for as long as the file is the same. What raises is raised again."""

    @functools.lru_cache(maxsize=16)
    def remembered(path: Path, stamp: tuple[int, ...]) -> T:
        return read(path)

    def wrapped(path: Path) -> T:
        try:
            found = path.stat()
        except OSError:
            return read(path)  # which says so in its own words
        return remembered(path, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))

    return wrapped


@_once
def lock(path: Path) -> Mapping[str, catalog.Locked]:
    """The packages of a lock file, by file. Raises CatalogError for one that cannot be read."""
    try:
        if path.stat().st_size > LOCKFILE_LIMIT:
            raise catalog.CatalogError(f"lock file {path} has more than {LOCKFILE_LIMIT} bytes; that is no lock file")
        content = catalog.parse_yaml(path.read_bytes())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as problem:
        raise catalog.CatalogError(f"lock file {path} cannot be read: {problem}") from problem
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise catalog.CatalogError(f"lock file {path} holds no `packages`; write it with the playbook realip.toa.lock")
    return catalog.read_lock(content)


@_once
def kernels(path: Path) -> list[dict[str, Any]]:
    """The entries of toa.catalog.yml. Raises CatalogError."""
    return built_kernels.read_catalog(path.read_text(encoding="utf-8"))


@_once
def with_kernels(path: Path) -> list[catalog.Entry]:
    """The catalog of the collection with these entries in it. Raises CatalogError."""
    return catalog.load(kernels(path))


def read_ahead(playbooks: Iterable[str], inventories: Iterable[str]) -> None:
    """Parse what lies under the usual names where a run looks for it. What is wrong with a file is said by the task that needs it."""
    for playbook in [*playbooks, ""]:
        where = places.folders({
            "playbook_dir": str(Path(playbook).absolute().parent) if playbook else None,
            "ansible_inventory_sources": list(inventories),
        })  # fmt: skip
        for name, read in ((LOCKFILE, lock), (CATALOG_FILE, with_kernels)):
            path = places.found(name, where)
            if path:
                with contextlib.suppress(catalog.CatalogError, OSError, UnicodeDecodeError):
                    read(path)
