# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every package that the plans of a run name, with the address to fetch it from. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.looked_at import left_out
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.records import looked


def wanted_packages(hostvars: Mapping[str, Any], mirror: str, only: str = "") -> list[dict[str, str]]:
    """Every package that a plan names, once: [{file, source, url}], the vendor's address and the one the controller fetches it from.

    `only`: JMESPath expression that chooses hosts. Raises SelectionError, and CatalogError for a package without an address.
    """
    found: dict[str, dict[str, str]] = {}
    skipped = left_out(hostvars, only)
    for host in hostvars:
        if host in skipped:
            continue
        plan = (looked(hostvars[host]) or {}).get("plan") or {}
        files = {package["file"] for package in plan.get("packages") or [] if package["file"]} - set(found)
        if files:
            addresses = _addresses(hostvars[host].get("toa_catalog"))
            found.update((file, _package(file, addresses.get(file, ""), mirror)) for file in files)
    return [found[file] for file in sorted(found)]


def _addresses(extra: Any) -> dict[str, str]:
    return {package.file: package.url for entry in catalog.load(extra) for package in entry.packages}


def _package(file: str, source: str, mirror: str) -> dict[str, str]:
    url = catalog.mirrored(source, file, mirror)
    if not url:
        raise catalog.CatalogError(
            f"no address is known for {file}: set toa_lock_mirror to a server that has it, or give its entry a base_url in toa_catalog"
        )
    return {"file": file, "source": source, "url": url}
