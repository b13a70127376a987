# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel that was built, entered where the next rollout looks: the lock file and toa.catalog.yml. Pure: texts in, texts out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from ansible_collections.realip.toa.plugins.plugin_utils import redaction
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import lockfile

# Keys of entries that a build has written begin so.
BUILT = "built-"
HEADER = """\
---
# TOA kernels that were built by realip.toa.build_kernel, as entries of the catalog (toa_catalog). toa_plan reads this file beside the lock file.
"""

_HEADERS = re.compile(r"(?:linux-headers-|kernel(?:-\w+)?-devel-)")
# Drivers of a kernel that is several packages: Enterprise Linux 8 and later, Ubuntu.
_MODULES = re.compile(
    r"(?P<kernel>kernel(?:-[a-z0-9]+)*?)-modules(?:-core|-extra)?-\d|linux-modules-(?:extra-)?(?P<release>\d[^_]*)_"
)
_FIRMWARE = re.compile(r"(?:kernel|linux)-firmware")


def packages(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The files of a build that a rollout may install, with their roles; raises CatalogError where no kernel is among them.

    What a build host says of its files names files on the controller, so nothing but the name of a package is taken from it.
    """
    chosen: list[dict[str, Any]] = []
    for result in results:
        role = (
            "image"
            if result["release"]
            else "headers"
            if _HEADERS.match(result["file"])
            else "firmware"
            if _FIRMWARE.match(result["file"])
            else "modules"
            if _MODULES.match(result["file"])
            else ""
        )
        if role:
            _check_file(result)
            chosen.append({"role": role, **{key: result[key] for key in ("file", "path", "size", "sha256", "release")}})
    images = [package["file"] for package in chosen if package["role"] == "image"]
    if len(images) != 1:
        raise catalog.CatalogError(
            f"the build made {len(images)} packages with a kernel ({', '.join(images) or 'none'}); exactly one can be rolled out"
        )
    return [
        package for package in chosen if package["role"] != "modules" or _belongs(package["file"], chosen, images[0])
    ]


def _belongs(file: str, chosen: Sequence[Mapping[str, Any]], image: str) -> bool:
    """Whether modules are those of the kernel in `image`: a build of Enterprise Linux also makes those of its debug kernel."""
    match = _MODULES.match(file)
    if not match:
        return False
    if match["release"]:
        return bool(match["release"] == next(package["release"] for package in chosen if package["file"] == image))
    core = catalog.CORE.match(image)
    return core is not None and core[1] == match["kernel"]


def _check_file(result: Mapping[str, Any]) -> None:
    """Refuse a file that is not called as a package is, or that lies under another name on the build host."""
    file, path = result["file"], result["path"]
    if not catalog.FILE.match(file) or not file.endswith((".rpm", ".deb")) or str(path).rsplit("/", 1)[-1] != file:
        raise catalog.CatalogError(
            f"the build host answers with a file {file!r:.120} at {path!r:.120}, which is no package that may come into the mirror"
        )
    if not re.fullmatch(r"[0-9a-f]{64}", str(result["sha256"])) or not isinstance(result["size"], int):
        raise catalog.CatalogError(f"the build host answers with no digest or no size of {file}")


def render_catalog(
    built: Sequence[Mapping[str, Any]], match: Mapping[str, Any], option_kinds: Sequence[str], source: str, before: str
) -> str:
    """toa.catalog.yml with an entry for this build, in place of one for the same kernel and distribution. Raises CatalogError."""
    image = next(package for package in built if package["role"] == "image")
    ids = [match["id"]] if isinstance(match["id"], str) else list(match["id"])
    key = re.sub(r"[^a-z0-9._-]+", "-", f"{BUILT}{'-'.join(ids)}-{image['release']}".lower())[:64]
    entry = {
        "key": key,
        "backend": "source_kernel",
        "match": {key: value for key, value in match.items() if value},
        "release": image["release"],
        "option_kinds": list(option_kinds),
        "format": image["file"].rsplit(".", 1)[-1],
        "packages": [
            {"role": package["role"], "file": package["file"], "size": package["size"], "sha256": package["sha256"]}
            for package in built
        ],
        "source": redaction.text(source),
    }
    entries = [item for item in read_catalog(before) if item.get("key") != key]
    _check_others(built, entries)
    text = HEADER + yaml.safe_dump([entry, *entries], sort_keys=False)
    catalog.load(yaml.safe_load(text))
    return text


def _check_others(built: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]) -> None:
    """Refuse files of an entry that somebody wrote by hand: its digests are reviewed, and a build host has no say in them."""
    for entry in entries:
        packages = entry.get("packages") if not str(entry.get("key")).startswith(BUILT) else None
        theirs = {item.get("file") for item in packages or () if isinstance(item, dict)}
        for package in built:
            if package["file"] in theirs:
                raise catalog.CatalogError(
                    f"the build host answers with {package['file']}, which the entry {entry.get('key')} of toa.catalog.yml has already; a build does "
                    "not replace it: give the kernel a name of its own (toa_kernel.buildid)"
                )


def render_lock(built: Sequence[Mapping[str, Any]], before: str) -> str:
    """The lock file with the digests of this build. What was built anew under the name it had is what the operator wants.

    A build adds. What a vendor publishes under this name, or what the lock file has an address for, was reviewed as somebody else's, and a
    build host has no say in it. Raises CatalogError.
    """
    vendors = {package.file for entry in catalog.load() for package in entry.packages}
    known = lockfile.read(before)
    for package in built:
        file = package["file"]
        if file in vendors or (file in known and known[file].url):
            raise catalog.CatalogError(
                f"the build host answers with {file}, which is a package of a vendor; a build does not replace it: give the kernel a name of its own "
                "(toa_kernel.buildid)"
            )
    fetched = [
        {
            "item": {"file": package["file"], "source": "", "url": ""},
            "stat": {"size": package["size"], "checksum": package["sha256"]},
        }
        for package in built
    ]
    return lockfile.render(fetched, before, update=True)


def read_catalog(text: str) -> list[dict[str, Any]]:
    """Entries of toa.catalog.yml; raises CatalogError for what is no list of entries."""
    try:
        content = yaml.safe_load(text) if text else None
    except yaml.YAMLError as problem:
        raise catalog.CatalogError(f"toa.catalog.yml cannot be read: {problem}") from problem
    if content is None:
        return []
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise catalog.CatalogError(
            "toa.catalog.yml is a list of entries of the catalog, as realip.toa.build_kernel writes it"
        )
    return content
