# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's own kernels, as they come from the archive, with Debian's own Python and bpftool in memory: enough to run target code on them.

No disk, no boot loader, no SSH: programs go in with the initramfs, answers come out on the serial console. The archive of each release is
made once and lies in the lab's cache.
"""

from __future__ import annotations

import gzip
import json
import re
import stat
import subprocess
import tarfile
import typing as t
from pathlib import Path

from ansible_collections.realip.toa.plugins.plugin_utils import bundle

from lab import qemu
from lab.images import DEBIAN_MIRROR, content_key
from lab.paths import cache_dir, locked

TARGET = Path(__file__).resolve().parents[1] / "integration" / "target"
PACKAGES = ("bpftool", "iproute2", "kmod", "linux-image-cloud-amd64", "python3")
WORDS = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
WORDS += [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "info", "locale", "man")]

# systemd's own files are not there; what tells that it started the host is, and so is a systemctl that has nothing to say.
INIT = """#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run; mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /run/systemd/system
printf '#!/bin/sh\\n' >/usr/local/sbin/systemctl; chmod 755 /usr/local/sbin/systemctl
modprobe tun; ip link set lo up
echo "KERNEL $(uname -r)"
for program in /work/*; do echo "PROGRAM $program"; python3 - <$program; done
echo "LEFT $(find /sys/fs/bpf /var/lib/realip-toa /etc/systemd -name '*realip*' 2>/dev/null | tr '\\n' ' ')"
echo o >/proc/sysrq-trigger; sleep 60
"""


def run(suite: str, folder: Path, steps: t.Sequence[tuple[str, dict[str, t.Any]]]) -> tuple[str, list[dict[str, t.Any]], str]:
    """Run target modules, one after the other, on the kernel of a Debian release: (uname -r, their answers, what is left of them)."""
    kernel, archive = _parts(suite)
    files = {"init": (0o755, INIT.encode())}
    for number, (entry, args) in enumerate(steps):
        program = bundle.build(entry, (str(TARGET),)).render({"check": False, **args}, "stock", 300)
        files[f"work/{number:02}-{entry}"] = (0o644, program)
    initrd = folder / "initrd"
    initrd.write_bytes(archive.read_bytes() + gzip.compress(_cpio(_entries(files)), 1))
    # Without cx16: QEMU 7.2 spoils the flags in an emulated cmpxchg16b now and then, and 6.12 uses it in every kmalloc().
    words = [qemu.BINARY, "-accel", "tcg", "-cpu", f"{qemu.CPU},-cx16", "-m", "2048", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    words += ["-serial", "stdio", "-kernel", str(kernel), "-initrd", str(initrd), "-append", "console=ttyS0 quiet panic=-1"]
    console = subprocess.run(words, capture_output=True, timeout=900, check=False, stdin=subprocess.DEVNULL).stdout.decode(errors="replace")
    answers = [json.loads(text) for text in re.findall(r"@realip-toa stock \d+ (.*) @end stock", console)]
    told = re.search(r"KERNEL (\S+)", console), re.search(r"LEFT (.*)", console)
    assert told[0] and told[1] and len(answers) == len(steps), console[-6000:]
    return told[0][1], answers, told[1][1].strip()


def _parts(suite: str) -> tuple[Path, Path]:
    """The kernel of a release, and a compressed cpio archive of all the rest."""
    folder = cache_dir() / "stock-kernels" / f"{suite}-{content_key(WORDS, _members.__doc__)}"
    kernel, archive = folder / "vmlinuz", folder / "archive"
    with locked(cache_dir() / "locks" / folder.name):
        if not archive.exists():
            folder.mkdir(parents=True, exist_ok=True)
            tar = folder / "root.tar"
            subprocess.run([*WORDS, suite, str(tar), DEBIAN_MIRROR], check=True, timeout=1200)
            with tarfile.open(tar) as contents:
                kernel.write_bytes(next(_content(contents, member) for member in contents if "/boot/vmlinuz-" in member.name))
                archive.with_suffix(".new").write_bytes(gzip.compress(_cpio(_members(contents)), 1))
            archive.with_suffix(".new").rename(archive)
            tar.unlink()
    return kernel, archive


Entry = tuple[str, int, bytes]


def _members(contents: tarfile.TarFile) -> t.Iterator[Entry]:
    """Files, folders and links, without /boot, /dev and all kernel modules but tun."""
    for member in contents:
        name = member.name.removeprefix("./")
        module = re.search(r"lib/modules/[^/]+/kernel/.*\.ko", name)
        if not name or name.startswith(("boot/", "dev/")) or (module and "/tun.ko" not in name):
            continue
        if member.issym():
            yield name, stat.S_IFLNK | 0o777, member.linkname.encode()
        elif member.isdir():
            yield name, stat.S_IFDIR | member.mode, b""
        elif member.isfile() or member.islnk():
            yield name, stat.S_IFREG | member.mode, _content(contents, member)


def _content(contents: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    handle = contents.extractfile(member)
    assert handle is not None
    return handle.read()


def _entries(files: dict[str, tuple[int, bytes]]) -> t.Iterator[Entry]:
    for folder in sorted({name.rpartition("/")[0] for name in files} - {""}):
        yield folder, stat.S_IFDIR | 0o755, b""
    for name, (mode, content) in files.items():
        yield name, stat.S_IFREG | mode, content


def _cpio(entries: t.Iterable[Entry]) -> bytes:
    """An archive as the kernel unpacks it into memory: the "newc" form of cpio(5)."""
    pieces = []
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        path = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(path), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        pieces += [head, bytes(-len(head) % 4), content, bytes(-len(content) % 4)]
    return b"".join(pieces)
