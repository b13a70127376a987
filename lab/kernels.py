#!/usr/bin/env python3
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's kernels: one source tree, linked under the release names of the distributions and vendors, as real packages.

    from lab import kernels
    built = kernels.ensure("4.4.0-210-generic")     # builds at most once; minutes the first time, seconds for the next release
    built.bzimage, built.image, built.headers       # paths
    kernels.ensure_vtoa()                           # the repository with the package vtoa
    kernels.mirror_dir()                            # what a vendor's download server would serve, under the documents' names

    python3 lab/kernels.py --list
    python3 lab/kernels.py [RELEASE...]             # without names: all that the table marks as wanted now

What is real and what is dressed: every kernel is Linux 6.1 with this project's own TOA code; only the name (`uname -r`, the
packages) is the distribution's. Names of the TOA packages: tencent-toa.txt ("Kernel Package Installation Steps").
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from lab import kernel_packages, kernel_sets, kernel_tree, vtoa_rpm
from lab.paths import cache_dir, locked
from lab.progress import LabError, say


@dataclass(frozen=True)
class Release:
    """One row of the table.

    release: `uname -r`. format: "deb", "rpm" or "rpms", the set of Enterprise Linux from 8 on. toa: whether it carries toa.ko; such
    packages are the vendor's and go to the mirror, unless (in_tree) the distribution itself ships the module. version: of the Debian
    package ("" for an rpm, whose version is part of the release). headers: whether a headers package is made too. wanted: built when no
    release is named.
    """

    release: str
    format: str
    toa: bool
    version: str = ""
    headers: bool = False
    wanted: bool = True
    in_tree: bool = False

    @property
    def vendors(self) -> bool:
        """Whether its package is to be had from a vendor's server, and so from the mirror."""
        return self.toa and not self.in_tree

    @property
    def image_file(self) -> str:
        """File name of the package that holds the kernel."""
        if self.format == "deb":
            return f"linux-image-{self.release}_{self.version}_amd64.deb"
        if self.format == "rpms":
            return kernel_sets.files(self.release)[1]
        plain, plus, flavour = self.release.partition("+")
        package = f"{plain.removesuffix('.x86_64')}.x86_64.rpm"
        return f"kernel-{flavour}-{package}" if plus else f"kernel-{package}"

    @property
    def headers_file(self) -> str | None:
        """File name of the package that holds what it takes to build modules, or None where there is none."""
        return f"linux-headers-{self.release}_{self.version}_amd64.deb" if self.headers else None


RELEASES = {
    row.release: row
    for row in (
        # Ubuntu 16.04: the last stock kernel, and the vendor's
        Release("4.4.0-210-generic", "deb", toa=False, version="4.4.0-210.242"),
        Release("4.4.87.toa", "deb", toa=True, version="1.0", headers=True),
        # Debian 8
        Release("3.16.0-11-amd64", "deb", toa=False, version="3.16.84-1"),
        Release("3.16.43.toa", "deb", toa=True, version="1.0", headers=True),
        # CentOS 6
        Release("2.6.32-754.35.1.el6.x86_64", "rpm", toa=False, wanted=False),
        Release("2.6.32-220.23.1.el6.toa.x86_64", "rpm", toa=True, wanted=False),
        # CentOS 7
        Release("3.10.0-1160.119.1.el7.x86_64", "rpm", toa=False, wanted=False),
        Release("3.10.0-693.el7.centos.toa.x86_64", "rpm", toa=True, wanted=False),
        # Alibaba Cloud Linux 3: too old for vtoa, old enough for getpeername only, and current
        Release("5.10.134-14.1.al8.x86_64", "rpm", toa=False, wanted=False),
        Release("5.10.134-16.3.al8.x86_64", "rpm", toa=False, wanted=False),
        Release("5.10.134-18.al8.x86_64", "rpm", toa=False),
        # Those that vtoa is refused on: the debug build, and Anolis 8 with the same base
        Release("5.10.134-18.al8.x86_64+debug", "rpm", toa=False, wanted=False),
        Release("5.10.134-15.an8.x86_64", "rpm", toa=False, wanted=False),
        # Rocky Linux 8 and AlmaLinux 9, and what their owner has built of the same sources
        Release("4.18.0-553.123.1.el8_10.x86_64", "rpms", toa=False, wanted=False),
        Release("4.18.0-553.123.1.el8_10.toa.x86_64", "rpms", toa=True, wanted=False),
        Release("5.14.0-611.5.1.el9_7.x86_64", "rpms", toa=False, wanted=False),
        Release("5.14.0-611.5.1.el9_7.toa.x86_64", "rpms", toa=True, wanted=False),
        # Ubuntu 22.04: what its image came with, and a kernel with TOA of the owner's
        Release("5.15.0-161-generic", "deb", toa=False, version="5.15.0-161.171", wanted=False),
        Release("5.15.199.toa", "deb", toa=True, version="1.0", wanted=False),
        # TencentOS Server 3: the name has no architecture, the package has
        Release("5.4.119-19.0009.28", "rpm", toa=True, in_tree=True, wanted=False),
    )
}

# The kernels that the package vtoa has modules for, and where in its server's tree Alibaba Cloud Linux 3 keeps what is not part of it.
VTOA_KERNELS = ("5.10.134-16.3.al8.x86_64", "5.10.134-18.al8.x86_64")
VTOA_REPOSITORY = "alinux/3/plus/x86_64"


@dataclass(frozen=True)
class Built:
    """What `ensure` answers with: everything of one release, in one directory of the cache that never changes again.

    packages: the set, where it is one.
    modules: a directory with every module of net/toa for this kernel, whatever its package carries; `dressed` is in no package.
    """

    release: str
    directory: Path
    bzimage: Path
    image: Path
    headers: Path | None
    modules: Path
    packages: tuple[Path, ...] = ()

    @property
    def installs(self) -> tuple[Path, ...]:
        """What installs it: its package, or all packages of its set."""
        return self.packages or (self.image,)


def _hash(*parts: object) -> str:
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[:16]


def _key(row: Release) -> str:
    """Names what a release is made of; an equal key is the same kernel."""
    packing = kernel_sets if row.format == "rpms" else kernel_packages
    code = [Path(module.__file__ or "").read_text("utf-8") for module in (kernel_tree, packing)]
    return _hash(
        kernel_tree.key(), *code, *kernel_tree.toa_sources().values(), row.image_file, row.headers_file, row.toa
    )


def _place(row: Release) -> Path:
    return cache_dir() / "kernels" / f"{row.release}-{_key(row)}"


def _built(row: Release) -> Built:
    place = _place(row)
    headers = place / row.headers_file if row.headers_file else None
    packages = tuple(place / name for name in kernel_sets.files(row.release)) if row.format == "rpms" else ()
    return Built(row.release, place, place / "bzImage", place / row.image_file, headers, place / "modules", packages)


def mirror_dir() -> Path:
    """The directory that stands for the vendors' servers: the TOA packages and the repository of vtoa, as far as they are built.

    It is another directory for other contents, so that two checkouts never see each other's packages.
    """
    directory = cache_dir() / "mirror" / _hash(_vtoa_key(), *(_key(row) for row in RELEASES.values() if row.vendors))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _publish(built: Built) -> None:
    """Hard-link the packages of a TOA kernel into the mirror."""
    for package in (*built.installs, built.headers):
        if package is None or (mirror_dir() / package.name).exists():
            continue
        partial = mirror_dir() / f".{package.name}.{os.getpid()}"
        os.link(package, partial)
        os.replace(partial, mirror_dir() / package.name)


def _build(row: Release, place: Path) -> None:
    """Make `place`, or leave nothing. Under the lock, so that what another build has left half done can go."""
    place.parent.mkdir(parents=True, exist_ok=True)
    for abandoned in place.parent.glob(".*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{row.release}-", dir=place.parent))
    try:
        linked = kernel_tree.link(row.release, toa=row.toa, stage=work / "stage")
        out = work / "out"
        out.mkdir()
        shutil.copy2(linked.bzimage, out / "bzImage")
        shutil.copytree(linked.loose, out / "modules")
        if row.format == "deb":
            kernel_packages.image_deb(linked, row.version, out / row.image_file)
            if row.headers_file:
                kernel_packages.headers_deb(linked, row.version, out / row.headers_file)
        elif row.format == "rpms":
            kernel_sets.image_rpms(linked, out)
        else:
            kernel_packages.image_rpm(linked, out / row.image_file)
        os.rename(out, place)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def ensure(release: str) -> Built:
    """The kernel called `release`, built if this content was never built before; LabError for a name not in the table."""
    row = RELEASES.get(release)
    if row is None:
        raise LabError(f"no such kernel: {release}; the lab has {', '.join(RELEASES)}")
    place = _place(row)
    if not place.exists():
        with locked(cache_dir() / "kernel" / "lock"):
            if not place.exists():
                _build(row, place)
                say(f"kernel {release}: built")
    built = _built(row)
    if row.vendors:
        _publish(built)
    return built


def _vtoa_key() -> str:
    recipe = Path(vtoa_rpm.__file__ or "").read_text("utf-8")
    return _hash(recipe, *(_key(RELEASES[release]) for release in VTOA_KERNELS))


def ensure_vtoa() -> Path:
    """The repository with the package vtoa, built at most once, and where the mirror serves it from."""
    place = mirror_dir() / VTOA_REPOSITORY
    if not place.exists():
        modules = {release: ensure(release).modules for release in VTOA_KERNELS}
        with (
            locked(cache_dir() / "locks" / "vtoa"),
            tempfile.TemporaryDirectory(prefix=".vtoa-", dir=cache_dir() / "mirror") as scratch,
        ):
            if not place.exists():
                made = Path(scratch) / "repository"
                made.mkdir()
                vtoa_rpm.repository(modules, made)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.rename(made, place)
                say("vtoa: repository made")
    return place


def main(argv: list[str]) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="lab/kernels.py", description="Build the lab's kernels, once, into the lab's cache."
    )
    parser.add_argument("--list", action="store_true", help="show the table and what is built, and build nothing")
    parser.add_argument(
        "release", nargs="*", metavar="RELEASE", help="uname -r of a row of the table; without any, those wanted now"
    )
    options = parser.parse_args(argv)
    try:
        if options.list:
            for row in RELEASES.values():
                state = "built" if _place(row).exists() else "wanted" if row.wanted else ""
                print(f"{row.release:34} {row.image_file:52} {'toa' if row.toa else 'stock':6} {state}".rstrip())
            return 0
        for release in options.release or [row.release for row in RELEASES.values() if row.wanted]:
            built = ensure(release)
            print(built.image)
        if not options.release:
            print(ensure_vtoa() / vtoa_rpm.FILE)
    except LabError as error:
        print(f"lab/kernels.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
