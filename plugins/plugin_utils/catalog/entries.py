# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels with TOA that exist as packages: data in catalog.yml, extended or overridden by the operator's `toa_catalog`.

Also the lock: the digests of those packages that the operator has reviewed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import yaml
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats
from ansible_collections.realip.toa.plugins.plugin_utils.facts import kernel_release

DATA = Path(__file__).with_name("catalog.yml")

# `tree` is the archive of a kernel's source, which a host compiles for itself.
FORMATS = ("deb", "rpm", "tree")
ROLES = ("firmware", "image", "modules", "headers")
# From Enterprise Linux 8 on a kernel is several packages; the one with the kernel in it has few drivers or none.
CORE = re.compile(r"(kernel(?:-[a-z0-9]+)*?)-core-\d")

_KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_:%^-]*\.(?:deb|rpm|tar|tgz|tar\.(?:gz|bz2|xz|zst))\Z")
_ARCHIVE = re.compile(r".*\.(?:tar|tgz|tar\.[a-z0-9]+)\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_RPM_NAME = re.compile(r"(.+)-[^-]+-[^-]+\.[^.]+\.rpm\Z")


class CatalogError(ValueError):
    """An entry of the catalog, or a lock file, that says something impossible; the text names it and what was expected."""


@dataclass(frozen=True)
class Package:
    """One file of an entry. `sha256` is "" and `size` (bytes) 0 where nobody has published them."""

    role: str
    file: str
    url: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """The package's own name, as every vendor writes it into the file name."""
        if self.file.endswith(".deb"):
            return self.file.split("_", 1)[0]
        match = _RPM_NAME.match(self.file)
        return match.group(1) if match else self.file.removesuffix(".rpm")


@dataclass(frozen=True)
class Entry:
    """One kernel with TOA and the hosts it is for."""

    key: str
    vendor: str
    backend: str
    """The backend that installs it; "" for the one of vendors' kernels. Whether there is such a backend is for the planner to say."""
    ids: tuple[str, ...]
    major: int
    versions: tuple[str, ...]
    arches: tuple[str, ...]
    release: str
    module: str
    option_kinds: tuple[str, ...]
    format: str
    packages: tuple[Package, ...]
    source: str
    notes: str
    # Name of the key that has signed the kernel, as /proc/keys has it where it is enrolled.
    signed_by: str = ""

    def is_for(self, os: Mapping[str, Any]) -> bool:
        """True where the distribution and its version match; the architecture is a question of its own."""
        if os["id"] not in self.ids:
            return False
        if self.versions:
            return os["version_id"] in self.versions
        return not self.major or os["major"] == self.major


@dataclass(frozen=True)
class Locked:
    """What the lock file says about one file."""

    file: str
    url: str
    size: int
    sha256: str


def load(extra: Sequence[Mapping[str, Any]] | None = None) -> list[Entry]:
    """The catalog, in order of preference: the operator's new entries first, then ours, overridden where `key` is the same.

    An override may name just the keys that change. Raises CatalogError.
    """
    if not extra:
        return list(_built_in())
    if isinstance(extra, (str, Mapping)) or not isinstance(extra, Sequence):
        raise CatalogError(f"toa_catalog is a list of entries; got {type(extra).__name__}")
    known = {item["key"]: item for item in _data()}
    added: dict[str, Mapping[str, Any]] = {}
    for index, item in enumerate(extra):
        where = f"toa_catalog[{index}]"
        _check(
            isinstance(item, Mapping),
            where,
            "an entry is a mapping with `key`, `match`, `release`, `packages` and so on",
        )
        key = _text(item, "key", where)
        if key in known:
            known[key] = {**known[key], **item}
        else:
            added[key] = {**added.get(key, {}), **item}
    return [_entry(item, f"toa_catalog entry {key}") for key, item in [*added.items(), *known.items()]]


def read_lock(lock: Any) -> dict[str, Locked]:
    """{file: Locked} out of the contents of toa.lock.yml; empty for None. Raises CatalogError."""
    if not lock:
        return {}
    packages = lock.get("packages") if isinstance(lock, Mapping) else None
    _check(
        isinstance(packages, list),
        "lock file",
        "it holds `packages`, a list of {file, url, size, sha256}, as the playbook realip.toa.lock writes it",
    )
    found = {}
    for index, item in enumerate(packages or []):
        where = f"lock file, packages[{index}]"
        _check(isinstance(item, Mapping), where, "an item is {file, url, size, sha256}")
        file = _text(item, "file", where, FILE)
        found[file] = Locked(
            file, _text(item, "url", where, default=""), _whole(item, "size", where), _digest(item, where, needed=True)
        )
        _check(
            not found[file].url or _is_address(found[file].url),
            where,
            f"{found[file].url!r:.120} is not a URL that hosts can fetch (http or https)",
        )
    return found


def mirrored(url: str, file: str, mirror: str) -> str:
    """Where to fetch a file: at `mirror` (scheme, host, optional path) under the path it has at the vendor, or under its bare name."""
    if not mirror:
        return url
    path = urlsplit(url).path if url else f"/{file}"
    return mirror.rstrip("/") + path


def parse_yaml(data: bytes) -> Any:
    """Plain YAML, by libyaml where it is there: ten times as fast. Raises yaml.YAMLError."""
    return yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # nosec B506 # a safe loader, the one in C where there is one


@functools.lru_cache(maxsize=1)
def _data() -> tuple[Mapping[str, Any], ...]:
    return tuple(parse_yaml(DATA.read_bytes()))


@functools.lru_cache(maxsize=1)
def _built_in() -> tuple[Entry, ...]:
    return tuple(_entry(item, f"{DATA.name} entry {item['key']}") for item in _data())


# ---- one entry, checked

_ENTRY_KEYS = {
    "key", "vendor", "backend", "match", "release", "module", "option_kinds", "format", "base_url", "packages", "source", "notes", "signed_by",
}  # fmt: skip
_MATCH_KEYS = {"id", "major", "version", "arch"}
_PACKAGE_KEYS = {"role", "file", "url", "sha256", "size"}


def _entry(item: Mapping[str, Any], where: str) -> Entry:
    _known_keys(item, _ENTRY_KEYS, where)
    match = cast("Mapping[str, Any]", item.get("match"))
    _check(isinstance(match, Mapping), where, "`match` is a mapping of id, major or version, and arch")
    _known_keys(match, _MATCH_KEYS, f"{where}, match")
    packaging = _choice(item, "format", FORMATS, where)
    entry = Entry(
        key=_text(item, "key", where, _KEY),
        vendor=_choice(item, "vendor", option_formats.VENDOR_CHOICES, where, default=option_formats.CUSTOM),
        backend=_text(item, "backend", where, _KEY, default=""),
        ids=tuple(name.lower() for name in _texts(match, "id", f"{where}, match")),
        major=_whole(match, "major", f"{where}, match"),
        versions=tuple(_texts(match, "version", f"{where}, match", needed=False)),
        arches=tuple(kernel_release.normal_arch(name) for name in _texts(match, "arch", f"{where}, match")),
        release=_release(item, where),
        module=_text(item, "module", where, re.compile(r"[A-Za-z0-9_-]{1,55}\Z"), default="toa"),
        option_kinds=_kinds(item, where),
        format=packaging,
        packages=_packages(item, packaging, where),
        source=_text(item, "source", where, default=""),
        notes=_text(item, "notes", where, default=""),
        signed_by=_text(item, "signed_by", where, default=""),
    )
    _check(
        bool(entry.major or entry.versions),
        where,
        "`match` needs `major` or `version`: a kernel is never for every release of a distribution",
    )
    return entry


def _packages(item: Mapping[str, Any], packaging: str, where: str) -> tuple[Package, ...]:
    given = item.get("packages")
    _check(
        isinstance(given, list) and bool(given),
        where,
        "`packages` is a list with at least the image: {role: image, file: NAME, sha256: DIGEST or null}",
    )
    base = _text(item, "base_url", where, default="")
    packages = [
        _package(package, base, packaging, f"{where}, packages[{index}]") for index, package in enumerate(given or [])
    ]
    _check([package.role for package in packages].count("image") == 1, where, "exactly one package has `role: image`")
    image = next(package.file for package in packages if package.role == "image")
    _check(
        not CORE.match(image) or "modules" in [package.role for package in packages],
        where,
        f"{image} has no drivers of its own: list kernel-modules (and kernel-modules-core where there is one) of the same release, with `role: modules`",
    )
    return tuple(sorted(packages, key=lambda package: ROLES.index(package.role)))


def _package(item: Any, base: str, packaging: str, where: str) -> Package:
    _check(isinstance(item, Mapping), where, "a package is a mapping of role, file, and perhaps url, sha256 and size")
    _known_keys(item, _PACKAGE_KEYS, where)
    file = _text(item, "file", where, FILE)
    fits = bool(_ARCHIVE.match(file)) if packaging == "tree" else file.endswith(f".{packaging}")
    _check(
        fits,
        where,
        f"`file` {file} is not {'a tar archive' if packaging == 'tree' else f'a .{packaging}'}, as the `format` of the entry says",
    )
    url = _text(item, "url", where, default="") or (f"{base.rstrip('/')}/{file}" if base else "")
    _check(not url or _is_address(url), where, f"{url!r:.120} is not a URL that hosts can fetch (http or https)")
    return Package(
        _choice(item, "role", ROLES, where, default="image"),
        file,
        url,
        _digest(item, where, needed=False),
        _whole(item, "size", where),
    )


def _is_address(url: str) -> bool:
    """Whether hosts fetch from there: the same schemes as packaging/download.py has."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _release(item: Mapping[str, Any], where: str) -> str:
    release = _text(item, "release", where)
    try:
        return str(kernel_release.parse_strict(release)["release"])
    except ValueError as problem:
        raise CatalogError(f"{where}: `release`: {problem}") from problem


def _kinds(item: Mapping[str, Any], where: str) -> tuple[str, ...]:
    try:
        kinds = tuple(option_formats.normalise(item.get("option_kinds")))
    except ValueError as problem:
        raise CatalogError(f"{where}: `option_kinds`: {problem}") from problem
    _check(bool(kinds), where, "`option_kinds` names at least one format that the module reads, as in ['200/8']")
    return kinds


def _check(fine: bool, where: str, expected: str) -> None:
    if not fine:
        raise CatalogError(f"{where}: {expected}")


def _known_keys(item: Mapping[str, Any], known: set[str], where: str) -> None:
    strange = sorted(str(key) for key in item if key not in known)
    _check(not strange, where, f"unknown key {', '.join(strange)}; expected some of {', '.join(sorted(known))}")


def _text(
    item: Mapping[str, Any], key: str, where: str, pattern: re.Pattern[str] | None = None, default: str | None = None
) -> str:
    value = item.get(key)
    if value in (None, "") and default is not None:
        return default
    _check(isinstance(value, str) and bool(value), where, f"`{key}` is missing or not a text")
    _check(
        pattern is None or bool(pattern.match(str(value))),
        where,
        f"`{key}` is {value!r:.120}, which is not a valid one",
    )
    return str(value)


def _texts(item: Mapping[str, Any], key: str, where: str, needed: bool = True) -> list[str]:
    value = item.get(key)
    listed = [value] if isinstance(value, str) else [] if value is None else value
    _check(
        isinstance(listed, list) and all(isinstance(text, str) and text for text in listed),
        where,
        f"`{key}` is a text or a list of texts (quote versions)",
    )
    _check(bool(listed) or not needed, where, f"`{key}` is missing")
    return list(listed)


def _choice(item: Mapping[str, Any], key: str, choices: Sequence[str], where: str, default: str | None = None) -> str:
    value = item.get(key, default)
    _check(value in choices, where, f"`{key}` is {value!r:.80}; expected one of {', '.join(choices)}")
    return str(value)


def _whole(item: Mapping[str, Any], key: str, where: str) -> int:
    value = item.get(key) or 0
    _check(
        isinstance(value, int) and not isinstance(value, bool) and value >= 0,
        where,
        f"`{key}` is {value!r:.80}; expected a whole number",
    )
    return int(value)


def _digest(item: Mapping[str, Any], where: str, needed: bool) -> str:
    value = item.get("sha256")
    if not value and not needed:
        return ""
    _check(
        isinstance(value, str) and bool(_SHA256.match(value.lower())),
        where,
        f"`sha256` is {value!r:.80}; expected 64 hexadecimal digits",
    )
    return str(value).lower()


def with_lock(package: Package, lock: Mapping[str, Locked]) -> Package:
    """The package with the digest, size and, where it has none of its own, address of the lock."""
    locked = lock.get(package.file)
    if locked is None:
        return package
    return replace(package, sha256=locked.sha256, size=locked.size or package.size, url=package.url or locked.url)
