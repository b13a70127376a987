# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa.lock.yml: which bytes a rollout may install. Written once, reviewed, committed. Pure: texts in, texts out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from ansible_collections.realip.toa.plugins.plugin_utils import redaction
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog

HEADER = """\
---
# Packages that realip.toa may install, and the digests their bytes must have. Written by realip.toa.lock;
# review it and commit it. Nobody but you vouches for these packages: most vendors publish no digest.
"""


def render(fetched: Iterable[Mapping[str, Any]], before: str, update: bool) -> str:
    """The lock file's text: what it held before, and what was fetched.

    `fetched`: results of a loop of stat over wanted_packages(). Raises CatalogError for a package whose bytes are not those that were
    reviewed, unless `update` says that this is known.
    """
    packages = {
        file: {"url": item.url, "size": item.size, "sha256": item.sha256} for file, item in read(before).items()
    }
    for result in fetched:
        package, stat = result["item"], result["stat"]
        known = packages.get(package["file"])
        if known and known["sha256"] != stat["checksum"] and not update:
            raise catalog.CatalogError(
                f"{package['file']} is not the file that was reviewed: the lock file says sha256 {known['sha256']}, {package['url']} now gives "
                f"{stat['checksum']}; find out why, then run again with toa_lock_update=true to take it"
            )
        packages[package["file"]] = {
            "url": redaction.text(package["source"]),
            "size": stat["size"],
            "sha256": stat["checksum"],
        }
    entries = [{"file": file, **packages[file]} for file in sorted(packages)]
    return HEADER + yaml.safe_dump({"packages": entries}, sort_keys=False)


def read(text: str) -> Mapping[str, catalog.Locked]:
    """The entries of a lock file's text, by file. Raises CatalogError."""
    try:
        return catalog.read_lock(yaml.safe_load(text) if text else None)
    except yaml.YAMLError as problem:
        raise catalog.CatalogError(f"the lock file cannot be read: {problem}") from problem
