# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Linux as operators get it: Debian's source tree, a TOA patch for it, the source rpm of a distribution. realip.toa.build_kernel builds from these.

    from lab import kernel_source
    tree = kernel_source.stock_tree(folder)            # half a minute: unpacked and configured, without TOA
    kernel_source.source_rpm(tree, folder)             # what "Making a Kernel Package" begins with
    kernel_source.packed(tree, folder / "linux.tar")   # what "Source Code Installation" begins with, together with
    kernel_source.toa_patch()                          # ... this
    kernel_source.compiled_tree(folder)                # TOA in it, and compiled: make has only to link

The configuration is the lab's small one, which takes minutes to compile, with IPv6 as a module: it is for the document's steps to change that.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from lab import kernel_tree
from lab.kernel_tree import ENVIRONMENT, LEFT_OUT, SOURCE_ARCHIVE, SOURCE_PACKAGE, SOURCES
from lab.paths import cache_dir, locked
from lab.progress import LabError

# Of net/toa, what a vendor's kernel carries; the lab's other modules are for its own tests.
MODULE = ("Kconfig", "counters.h", "hookers.h", "hooks.h", "option.h", "toa.c")
# REUSE-IgnoreStart
MAKEFILE = "# SPDX-License-Identifier: GPL-2.0-or-later\nobj-$(CONFIG_TOA) += toa.o\n"
# REUSE-IgnoreEnd
# What a link makes anew, or what tells make that it was another kernel's.
LINKED = ("vmlinux", "vmlinux.o", ".tmp_vmlinux*", "System.map", "arch/x86/boot/bzImage", "arch/x86/boot/compressed/vmlinux",
          "arch/x86/boot/compressed/vmlinux.bin*", "*.ko")  # fmt: skip
OBJTOOL = re.compile(r"(?m)^\S+: \$\(wildcard \./tools/objtool/objtool\)\n")
# Where folders without an object in or below them hold nothing that was compiled; their Makefiles and Kconfigs are read all the same.
UNUSED = ("drivers", "fs", "samples", "sound")


def toa_patch() -> str:
    """The patch that puts TOA into a stock tree, for `patch -p1`."""
    parts = [(SOURCES / "tree.patch").read_text("utf-8")]
    files = {name: (SOURCES / "toa" / name).read_text("utf-8") for name in MODULE}
    for name, text in sorted({**files, "Makefile": MAKEFILE}.items()):
        lines = text.splitlines(keepends=True)
        added = "".join(f"+{line}" for line in lines)
        parts.append(f"--- /dev/null\n+++ b/net/toa/{name}\n@@ -0,0 +1,{len(lines)} @@\n{added}")
    return "".join(parts)


def version(tree: Path) -> str:
    """6.1.192: what a tree calls itself in its Makefile."""
    text = (tree / "Makefile").read_text("utf-8")
    numbers = [re.search(rf"^{word} = (\d+)$", text, re.M) for word in ("VERSION", "PATCHLEVEL", "SUBLEVEL")]
    return ".".join(match[1] for match in numbers if match)


def stock_tree(folder: Path) -> Path:
    """folder/linux-VERSION, as a distribution has it: configured, without TOA and with IPv6 as a module; what nothing here compiles is left out."""
    tree = folder / "linux"
    tree.mkdir()
    left_out = [f"--exclude={SOURCE_PACKAGE}/{pattern}" for pattern in LEFT_OUT]
    _run(
        folder,
        "tar",
        "-x",
        "-f",
        str(SOURCE_ARCHIVE),
        "-C",
        str(tree),
        "--strip-components=1",
        "--no-same-owner",
        "--wildcards",
        *left_out,
    )
    fragment = (
        (SOURCES / "fragment.config")
        .read_text("utf-8")
        .replace("CONFIG_IPV6=y\n", "CONFIG_IPV6=m\n")
        .replace("CONFIG_TOA=m\n", "")
    )
    # Configured elsewhere, so that the tree stays as it was unpacked.
    elsewhere = folder / "configured"
    _run(tree, "make", "-s", f"O={elsewhere}", "tinyconfig")
    with open(elsewhere / ".config", "a", encoding="utf-8") as config:
        config.write(fragment)
    _run(tree, "make", "-s", f"O={elsewhere}", "olddefconfig")
    shutil.copy(elsewhere / ".config", tree / ".config")
    shutil.rmtree(elsewhere)
    return tree.rename(folder / f"linux-{version(tree)}")


def packed(tree: Path, path: Path) -> Path:
    """The tree as an archive, compressed by what the name of `path` says."""
    _run(tree.parent, "tar", "-c", "-a", "-f", str(path), "--owner=0", "--group=0", tree.name)
    return path


def source_rpm(tree: Path, folder: Path) -> Path:
    """kernel-VERSION-1.el7.src.rpm of a stock tree: source, configuration, and a kernel.spec of the shape of Enterprise Linux."""
    top, name = folder / "rpmbuild", version(tree)
    sources = top / "SOURCES"
    sources.mkdir(parents=True)
    packed(tree, sources / f"linux-{name}-1.el7.tar")
    shutil.copy(tree / ".config", sources / "config-x86_64-generic")
    for empty in ("config-x86_64-debug", "linux-kernel-test.patch"):
        (sources / empty).touch()
    spec = top / "kernel.spec"
    spec.write_text((SOURCES / "kernel.spec").read_text("utf-8").replace("@VERSION@", name), "utf-8")
    _run(
        top, "rpmbuild", "-bs", "--target=x86_64", "--define", f"_topdir {top}", "--dbpath", str(top / "db"), str(spec)
    )
    made = next((top / "SRPMS").iterdir()).rename(folder / f"kernel-{name}-1.el7.src.rpm")
    shutil.rmtree(top)
    return made


def compiled_tree(path: Path) -> Path:
    """An archive of the lab's own tree, TOA in it and compiled: as long as nobody changes it, make has only to link. `path` says how it is compressed.

    The lab's tree is there once a kernel of the lab was built on this machine; LabError where it is not.
    """
    tree = cache_dir() / "kernel" / kernel_tree.key() / "tree"
    copy = path.parent / "linux"
    with locked(cache_dir() / "kernel" / "lock"):
        if not (tree / "vmlinux").exists():
            raise LabError("no kernel was compiled here yet: python3 lab/kernels.py 4.4.87.toa")
        _run(path.parent, "cp", "-a", "--reflink=auto", str(tree), str(copy))
    for pattern in LINKED:
        for file in copy.glob(pattern) if "/" in pattern or not pattern.startswith("*") else copy.rglob(pattern):
            file.unlink()
    (copy / "net/toa/Makefile").write_text(MAKEFILE, "utf-8")
    for file in copy.rglob(".*.cmd"):
        # objtool is built anew wherever the tree comes to lie, and everything that it has checked would be compiled again because of that.
        text = file.read_text("utf-8")
        if OBJTOOL.search(text):
            file.write_text(OBJTOOL.sub("", text), "utf-8")
    compiled = {parent for part in UNUSED for made in (copy / part).rglob("*.o") for parent in made.parents}
    for folder in (
        folder for part in UNUSED for folder, _folders, _names in os.walk(copy / part) if Path(folder) not in compiled
    ):
        for file in (*Path(folder).glob("*.c"), *Path(folder).glob("*.h")):
            file.unlink()
    packed(copy, path)
    shutil.rmtree(copy)
    return path


def _run(place: Path, *words: str) -> None:
    done = subprocess.run(
        words,
        cwd=place,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise LabError(f"`{' '.join(words[:4])}` failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
