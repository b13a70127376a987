# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real rpms, and hosts to install them on: a directory with an rpm database and a shell, which the machine's own rpm and dnf take for the system."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

RUNNING = "3.10.0-1160.el7.x86_64"
RELEASE = "3.10.0-693.el7.centos.toa.x86_64"
# Debian's rpm keeps its database in the home of whoever calls it; Red Hat's family has it here.
MACROS = "%_dbpath /var/lib/rpm\n"


def build(
    folder: Path,
    name: str,
    version: str,
    release: str,
    files: dict[str, str],
    scripts: dict[str, str] | None = None,
    header: str = "",
    arch: str = "x86_64",
    directories: t.Sequence[str] = (),
) -> Path:
    """An .rpm with these files ({path: text}) and scripts ({"%post": body})."""
    work = folder / "rpmbuild"
    tree = work / "tree" / f"{name}-{version}-{release}"
    shutil.rmtree(tree, ignore_errors=True)
    for path, text in files.items():
        (tree / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tree / path.lstrip("/")).write_text(text)
    lines = [
        f"Name: {name}",
        f"Version: {version}",
        f"Release: {release}",
        "Summary: test",
        "License: GPL",
        *header.splitlines(),
        "%description",
        "test",
    ]
    lines += ["%install", "mkdir -p %{buildroot}", f"cp -a {tree}/. %{{buildroot}}/" if files else ":"]
    for script, body in (scripts or {}).items():
        lines += [script, body]
    lines += ["%files", *(f"%dir {path}" for path in directories), *files]
    spec = work / f"{name}-{version}-{release}.spec"
    spec.parent.mkdir(parents=True, exist_ok=True)
    spec.write_text("\n".join(lines) + "\n")
    options = [
        "--define",
        f"_topdir {work}",
        "--define",
        "_build_id_links none",
        "--define",
        "debug_package %{nil}",
        "--define",
        f"_rpmdir {folder}",
    ]
    options += ["--define", "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"]
    done = subprocess.run(
        ["rpmbuild", "-bb", "--quiet", "--target", arch, *options, spec], capture_output=True, text=True, check=False
    )
    path = folder / f"{name}-{version}-{release}.{arch}.rpm"
    assert done.returncode == 0 and path.exists(), done.stdout + done.stderr
    return path


def kernel(
    folder: Path,
    release: str = RELEASE,
    scripts: dict[str, str] | None = None,
    header: str = "",
    more: dict[str, str] | None = None,
) -> Path:
    """A kernel as rpms of Enterprise Linux 6 and 7 have it."""
    version, rest, arch = re.fullmatch(r"([^-]+)-(.*)\.([^.]+)", release).groups()
    files = {
        f"/boot/vmlinuz-{release}": "kernel" * 1000,
        f"/lib/modules/{release}/kernel/net/toa/toa.ko": "module",
        **(more or {}),
    }
    return build(
        folder,
        "kernel",
        version,
        rest,
        files,
        scripts,
        header,
        arch,
        [f"/lib/modules/{release}", f"/lib/modules/{release}/kernel"],
    )


PARTS = {
    "kernel-modules": "Requires: kernel-core = {v}",
    "kernel": "Requires: kernel-core = {v}\nRequires: kernel-modules = {v}",
}


def kernel_set(folder: Path, release: str) -> list[Path]:
    """A kernel as Enterprise Linux 8 has it: kernel-core with the kernel in it, kernel-modules, and a package without files that wants both."""
    version, rest, arch = re.fullmatch(r"([^-]+)-(.*)\.([^.]+)", release).groups()
    full = f"{version}-{rest}"
    only = "Provides: installonlypkg(kernel)\n"
    files = {f"/boot/vmlinuz-{release}": "kernel", f"/lib/modules/{release}/kernel/net/toa/toa.ko": "module"}
    made = [build(folder, "kernel-core", version, rest, files, header=only, arch=arch)]
    for name, header in PARTS.items():
        files = {f"/lib/modules/{release}/kernel/drivers/{name}.ko": "module"} if name != "kernel" else {}
        made.append(build(folder, name, version, rest, files, header=only + header.format(v=full), arch=arch))
    return made


def item(path: Path, url: str, release: str = RELEASE) -> dict[str, t.Any]:
    """The entry of a plan for a kernel's rpm that is served below `url`."""
    data = path.read_bytes()
    return {
        "name": re.sub(r"-[^-]+-[^-]+$", "", path.stem),
        "file": path.name,
        "url": f"{url}/{path.name}",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "format": "rpm",
        "role": "image",
        "release": release,
    }


def make_root(root: Path, folder: Path) -> Path:
    """A bare host: an rpm database, a shell with its libraries, a running kernel that rpm knows."""
    for name in (
        "boot",
        "run",
        "bin",
        "lib64",
        "proc",
        "etc",
        "lib/modules",
        "var/lib/rpm",
        "var/cache",
        "dev",
        "tmp",
        "var/tmp",
    ):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for tool in ("sh", "touch", "echo", "rm", "mkdir", "cat"):
        (root / "bin" / tool).symlink_to("busybox")
    listing = subprocess.run(["ldd", "/bin/busybox"], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"(/\S+)", listing):
        (root / library.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library.lstrip("/"))
    base = build(folder, "filesystem", "1", "1", {}, header="Provides: /bin/sh", arch="noarch")
    rpm(root, "-i", base, kernel(folder, RUNNING))
    return root


def rpm(root: Path, *arguments: str | Path) -> str:
    """What rpm says of the host at `root`."""
    done = subprocess.run(["rpm", "--root", root, *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def repository(folder: Path) -> None:
    """Make a folder of .rpms a repository for yum and dnf."""
    subprocess.run(["createrepo_c", "--quiet", folder], check=True, capture_output=True)
