# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The source tree of the lab's kernels: unpacked, patched, configured and compiled once, linked anew for each release name.

It is Debian's linux-source-6.1 with lab/kernel/{tree.patch,fragment.config,toa}. The tree stays in the cache, because a
kernel with another `uname -r` then costs seconds (`make KERNELRELEASE=...` compiles only what the name is part of); where it
is gone it is made again.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab.paths import HERE, cache_dir
from lab.progress import LabError, say

SOURCES = HERE / "kernel"
SOURCE_PACKAGE = "linux-source-6.1"
SOURCE_ARCHIVE = Path("/usr/src/linux-source-6.1.tar.xz")

# What nothing here compiles, and what makes two thirds of the archive; Kconfig and Makefile files stay.
OTHER_ARCHES = (
    "alpha",
    "arc",
    "arm",
    "arm64",
    "csky",
    "hexagon",
    "ia64",
    "loongarch",
    "m68k",
    "microblaze",
    "mips",
    "nios2",
    "openrisc",
    "parisc",
    "powerpc",
    "riscv",
    "s390",
    "sh",
    "sparc",
    "um",
    "xtensa",
)
OTHER_DRIVERS = (
    "comedi",
    "gpu",
    "hwmon",
    "iio",
    "infiniband",
    "media",
    "mtd",
    "net/ethernet",
    "net/wireless",
    "pinctrl",
    "scsi",
    "staging",
    "usb",
)
LEFT_OUT = (
    "Documentation/[a-z]*",
    "tools/testing",
    "tools/perf",
    "sound/*.[ch]",
    *(f"arch/{name}/*.[chS]" for name in OTHER_ARCHES),
    *(f"arch/{name}/boot/dts" for name in OTHER_ARCHES),
    *(f"drivers/{name}/*.[ch]" for name in OTHER_DRIVERS),
)

CONFIGURE = (
    ("make", "-s", "tinyconfig"),
    ("scripts/kconfig/merge_config.sh", "-m", ".config", "fragment.config"),
    ("make", "-s", "olddefconfig"),
)

# One time and one name for everything that is built, so that equal sources give equal bytes.
EPOCH = 1500000000
ENVIRONMENT = {
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    "SOURCE_DATE_EPOCH": str(EPOCH),
    "KBUILD_BUILD_TIMESTAMP": time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(EPOCH)),
    "KBUILD_BUILD_USER": "realip",
    "KBUILD_BUILD_HOST": "lab",
    "KBUILD_BUILD_VERSION": "1",
}

_COMPILED = re.compile(r"^  (CC|AS|LD|AR)\b")


@dataclass(frozen=True)
class Linked:
    """One linked kernel. `stage` holds lib/modules/RELEASE as it is to be installed; `tree` is what the headers come from.

    `loose` is the directory of all modules of net/toa, those that the kernel's own package leaves out as well.
    """

    release: str
    tree: Path
    bzimage: Path
    system_map: Path
    config: Path
    stage: Path
    loose: Path


def toa_sources() -> dict[str, str]:
    """The files of net/toa, by name."""
    return {path.name: path.read_text("utf-8") for path in sorted((SOURCES / "toa").iterdir()) if path.is_file()}


def _answer(*command: str) -> str:
    """What a command prints; LabError naming the package list where it cannot be had."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, env=ENVIRONMENT
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise LabError(
            f"`{' '.join(command)}` failed ({error}); install the packages of lab/apt-packages.txt"
        ) from error
    return done.stdout.strip()


@cache
def key() -> str:
    """Names the compiled tree: source package, compiler, configuration and patch. net/toa is not part of it: it is synced."""
    source = _answer("dpkg-query", "-W", "-f", "${Version}", SOURCE_PACKAGE)
    compiler = _answer("gcc", "-dumpfullversion")
    content = [(SOURCES / name).read_text("utf-8") for name in ("fragment.config", "tree.patch")]
    text = "\0".join((source, compiler, repr(CONFIGURE), *content))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _home() -> Path:
    return cache_dir() / "kernel" / key()


def _elapsed(since: float) -> str:
    seconds = int(time.monotonic() - since)
    return f"{seconds // 60}m{seconds % 60:02d}s" if seconds >= 60 else f"{seconds}s"


def run_logged(command: tuple[str, ...], directory: Path, what: str, tell_every: float = 15.0) -> None:
    """Run a build step, its output going to build.log, with a line of progress now and then; LabError with its last lines."""
    log = _home() / "build.log"
    begin = told = time.monotonic()
    objects = 0
    tail: deque[str] = deque(maxlen=15)
    with open(log, "a", encoding="utf-8", buffering=1) as sink:
        sink.write(f"$ {' '.join(command)}\n")
        try:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env=ENVIRONMENT,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            raise LabError(
                f"{what}: {command[0]}: {error.strerror}; install the packages of lab/apt-packages.txt"
            ) from error
        with process:
            for line in process.stdout or ():
                sink.write(line)
                tail.append(line)
                objects += bool(_COMPILED.match(line))
                if time.monotonic() - told >= tell_every:
                    say(f"{what} {_elapsed(begin)}, {objects} objects")
                    told = time.monotonic()
    if process.returncode:
        raise LabError(f"{what}: `{' '.join(command)}` failed with {process.returncode}; see {log}\n{''.join(tail)}")


def _write_if_new(path: Path, text: str) -> None:
    """make goes by times: a file that says the same must not look newer."""
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def _sync_toa(tree: Path) -> None:
    """net/toa as this checkout has it."""
    target = tree / "net" / "toa"
    target.mkdir(exist_ok=True)
    for name, text in toa_sources().items():
        _write_if_new(target / name, text)


def _check_config(config: Path) -> None:
    """Kconfig drops without a word what cannot be; a lab kernel must have all that its fragment says."""
    have = set(config.read_text("utf-8").splitlines())
    for line in (SOURCES / "fragment.config").read_text("utf-8").splitlines():
        off = re.match(r"# (CONFIG_\w+) is not set$", line)
        held = not any(entry.startswith(f"{off.group(1)}=") for entry in have) if off else line in have
        if (off or line.startswith("CONFIG_")) and not held:
            raise LabError(
                f"lab/kernel/fragment.config: `{line}` did not survive `make olddefconfig`; something else decides it"
            )


def _prepare(tree: Path) -> None:
    """Unpack, patch and configure into `tree`, or leave nothing."""
    if not SOURCE_ARCHIVE.exists():
        raise LabError(f"{SOURCE_ARCHIVE} is missing; install {SOURCE_PACKAGE} (lab/apt-packages.txt)")
    for abandoned in tree.parent.glob(".tree-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    say(f"kernel: unpacking {SOURCE_ARCHIVE.name}")
    partial = Path(tempfile.mkdtemp(prefix=".tree-", dir=tree.parent))
    try:
        left_out = tuple(f"--exclude={SOURCE_PACKAGE}/{pattern}" for pattern in LEFT_OUT)
        unpack = (
            "tar",
            "-x",
            "-f",
            str(SOURCE_ARCHIVE),
            "--strip-components=1",
            "--no-same-owner",
            "--wildcards",
            *left_out,
        )
        run_logged(unpack, partial, "kernel: unpacking")
        run_logged(("patch", "-s", "-p1", "-i", str(SOURCES / "tree.patch")), partial, "kernel: patching")
        _sync_toa(partial)
        shutil.copy(SOURCES / "fragment.config", partial / "fragment.config")
        for command in CONFIGURE:
            run_logged(command, partial, "kernel: configuring")
        _check_config(partial / ".config")
        os.chmod(partial, 0o755)
        os.rename(partial, tree)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _forget_other_trees() -> None:
    """A tree is a gigabyte, and only kernels not yet built need one."""
    for other in (cache_dir() / "kernel").iterdir():
        if other.is_dir() and other != _home():
            shutil.rmtree(other, ignore_errors=True)


def link(release: str, toa: bool, stage: Path) -> Linked:
    """Link the kernel called `release`; its modules go below `stage`. The caller holds the lab's kernel lock."""
    tree = _home() / "tree"
    tree.parent.mkdir(parents=True, exist_ok=True)
    if not tree.exists():
        _prepare(tree)
    _sync_toa(tree)
    make = ("make", f"KERNELRELEASE={release}")
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    run_logged((*make, jobs, "bzImage", "modules"), tree, f"kernel {release}: compiling")
    run_logged((*make, f"INSTALL_MOD_PATH={stage}", "modules_install"), tree, f"kernel {release}: modules")
    modules = stage / "lib" / "modules" / release
    for pointer in ("build", "source"):
        (modules / pointer).unlink(missing_ok=True)
    loose = stage.with_name("loose")
    shutil.move(modules / "kernel" / "net" / "toa", loose)
    if toa:
        (modules / "kernel" / "net" / "toa").mkdir()
        shutil.copy2(loose / "toa.ko", modules / "kernel" / "net" / "toa")
    run_logged(("depmod", "-b", str(stage), "-F", str(tree / "System.map"), release), tree, f"kernel {release}: depmod")
    _forget_other_trees()
    return Linked(release, tree, tree / "arch/x86/boot/bzImage", tree / "System.map", tree / ".config", stage, loose)
