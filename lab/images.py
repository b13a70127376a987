# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From Debian's archive to a machine that is up and waiting: root images, and each host's stock snapshot.

Everything made here lies in the cache under a key of what went into it, is made once, under a lock, in a temporary
place, and appears under its name only when it is whole.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import hashlib
import io
import json
import os
import shlex
import shutil
import stat
import struct
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from lab import grub_modules, kernels, qemu, release_rpm, ssh, uefi
from lab.debian_archive import DEBIAN_MIRROR
from lab.hosts import IMAGES, SETTLED, Host, Image, dress, layered
from lab.paths import HERE, cache_dir, locked
from lab.progress import LabError, say, wait_until

# Scripts of lab/guest/ that begin with another one, whose functions they use.
AFTER = {"grub2_bls": "grub2_el", "grub2_partuuid": "grub2", "rpm_set": "rpm"}

# Where the root partition begins, in sectors: the gap before it holds GRUB's core image.
FIRST_SECTOR = 2048
SECTOR = 512
# Of the second partition, where an image has one.
SECOND_MIB = 256

# A file system out of an archive: $1 directory to unpack in, $2 archive, $3 features, $4 offset, $5 disk, $6 size.
# Devices come from the kernel (devtmpfs); who is not root could not unpack any.
_MAKE_DISK = """\
set -e
trap 'rm -rf "$1"' EXIT
mkdir "$1"
tar -xf "$2" -C "$1" --numeric-owner --exclude './dev/*'
mke2fs -q -F -t ext4 -O "$3" -m 1 -E "offset=$4" -d "$1" "$5" "$6"
"""

# A source of apt's on the disk itself: $1 is the root file system, the rest of the words are packages.
_OFFER = """\
offer() {
    set -e
    cd "$1" && mkdir srv/packages && cd srv/packages
    shift
    APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -qq download "$@"
    dpkg-scanpackages . >Packages
    echo "deb [trusted=yes] file:/srv/packages ./" >../../etc/apt/sources.list
}
offer "$1"\
"""

# What a console says where nobody will ever answer on SSH.
HOPELESS = (b"Kernel panic", b"(initramfs)", b"grub rescue>", b"grub>")

_BOOTSTRAP = (
    "mount -o remount,rw / && mount -t tmpfs tmpfs /run && tar -xf /dev/vdb -C / && exec /bin/sh /run/lab/install.sh"
)


def content_key(*parts: object) -> str:
    """A name for what is made of `parts`: text, numbers, bytes, and lists and dicts of them."""
    text = json.dumps(parts, sort_keys=True, default=lambda part: hashlib.sha256(part).hexdigest())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def partition_table(image: Image) -> bytes:
    """A master boot record with an active Linux partition from FIRST_SECTOR on, the image's second one behind it, and no code."""
    kind, second = (image.second, SECOND_MIB) if image.second else (0, 0)
    end = (image.size_mib - second) * 2048
    # 0xfeffff: "too far for cylinders, heads and sectors", which nobody reads any more.
    far = b"\xfe\xff\xff"
    entries = struct.pack("<B3sB3sII", 0x80, far, 0x83, far, FIRST_SECTOR, end - FIRST_SECTOR)
    if second:
        entries += struct.pack("<B3sB3sII", 0, far, kind, far, end, second * 2048)
    return bytes(446) + entries.ljust(64, b"\0") + b"\x55\xaa"


@contextmanager
def _making(path: Path) -> Iterator[Path | None]:
    """Lock `path`; None where it exists already, else a temporary directory beside it to make it in.

    What is called `path.name` in that directory afterwards is moved into place.
    """
    with locked(cache_dir() / "locks" / path.name):
        if path.exists():
            yield None
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=path.parent) as scratch:
            yield Path(scratch)
            os.rename(Path(scratch) / path.name, path)


def _run(what: str, words: list[str], **options: object) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    except FileNotFoundError as error:
        raise LabError(f"{words[0]} is not installed; lab/apt-packages.txt lists what the lab needs") from error
    if done.returncode != 0:
        raise LabError(
            f"{what} failed ({words[0]} answered {done.returncode}):\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )


# -- root images ------------------------------------------------------------------------------------------------------------


def root_image(name: str) -> Path:
    """A directory with what all hosts on the image `name` begin with: disk.qcow2, partitioned, a Debian on it, no boot loader yet.

    Where the image brings the distribution's own kernel, vmlinuz-RELEASE and initrd.img-RELEASE lie beside it.
    """
    image = IMAGES[name]
    recipe = [_install_words(image, Path("scratch")), _initramfs_files(), _MAKE_DISK, partition_table(image)]
    key = content_key("root", _described(image), *recipe)
    path = cache_dir() / "roots" / f"{name}-{key}"
    with _making(path) as scratch:
        if scratch:
            say(f"{name}: installing the root image with mmdebstrap")
            made = scratch / path.name
            made.mkdir()
            for inside, (mode, content) in _initramfs_files().items():
                file = scratch / "initramfs-tools" / inside
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
                file.chmod(mode)
            _run(f"installing the root image of {image.suite}", _install_words(image, scratch))
            _take_kernel(scratch / "root.tar", made)
            _make_disk(image, scratch / "root.tar", scratch / "disk.raw")
            qemu.image_tool("convert", "-f", "raw", "-O", "qcow2", scratch / "disk.raw", made / "disk.qcow2")
            say(f"{name}: root image made")
    return path


def _described(image: Image) -> dict[str, object]:
    """What an image is made after, without what it has not: a new field of another image is no reason to make it again."""
    described = dataclasses.asdict(image)
    return described if image.second else {name: value for name, value in described.items() if name != "second"}


def _install_words(image: Image, scratch: Path) -> list[str]:
    """The command that installs a Debian into `scratch`/root.tar."""
    packages = [*image.packages, *([image.kernel] if image.kernel else [])]
    words = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}"]
    words += [f"--dpkgopt=path-exclude={path}" for path in image.left_out]
    if image.kernel:
        # There before the kernel, which makes its initramfs as it is installed.
        tools = shlex.quote(str(scratch / "initramfs-tools"))
        words.append(
            f'--essential-hook=mkdir -p "$1/etc/initramfs-tools" && cp -R --no-preserve=ownership {tools}/. "$1/etc/initramfs-tools"'
        )
    words += [
        f'--customize-hook=for unit in {" ".join(image.masked)}; do ln -sf /dev/null "$1/etc/systemd/system/$unit"; done'
    ]
    if image.offered:
        words.append(f"--customize-hook={_OFFER} {' '.join(image.offered)}")
    return [*words, image.suite, str(scratch / "root.tar"), DEBIAN_MIRROR]


def _initramfs_files() -> dict[str, tuple[int, bytes]]:
    """What an initramfs is made after, below /etc/initramfs-tools."""
    folder = "etc/initramfs-tools/"
    return {
        path.removeprefix(folder): file
        for path, file in layered("common", "stock").files.items()
        if path.startswith(folder)
    }


def _take_kernel(archive: Path, folder: Path) -> None:
    """Put the kernel of a root image, and its initramfs, where QEMU can load them from."""
    with tarfile.open(archive) as root:
        for member in root:
            name = member.name.rpartition("/")[2]
            content = (
                root.extractfile(member) if member.isfile() and name.startswith(("vmlinuz-", "initrd.img-")) else None
            )
            if content:
                (folder / name).write_bytes(content.read())


def _make_disk(image: Image, archive: Path, disk: Path) -> None:
    """An ext4 file system out of a tar archive, inside a partition, without a loop device."""
    with open(disk, "wb") as handle:
        handle.write(partition_table(image))
        handle.truncate(image.size_mib << 20)
    offset = FIRST_SECTOR * SECTOR
    end = image.size_mib - (SECOND_MIB if image.second else 0)
    size = f"{(end << 10) - offset // 1024}k"
    words = [
        "sh",
        "-c",
        _MAKE_DISK,
        "sh",
        str(disk.with_name("root")),
        str(archive),
        image.features,
        str(offset),
        str(disk),
        size,
    ]
    if os.geteuid() != 0:
        # Files of root's and of everybody else's, owned by a range of numbers that is lent to this user (subuid(5)).
        words = ["unshare", "--map-auto", "--map-root-user", "--", *words]
    _run(
        f"making the disk of {image.suite}",
        words,
        env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"},
    )


# -- stock snapshots --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class StockKernel:
    """What QEMU loads for a machine's very first start. packages: what installs it there, where the root image has not got it."""

    release: str
    image: Path
    initrd: Path | None = None
    packages: tuple[Path, ...] = ()


def stock_kernel(host: Host) -> StockKernel:
    """The kernel that a host begins with: the one that the lab builds under that name, or the distribution's own out of the root image."""
    if not IMAGES[host.image].kernel:
        built = kernels.ensure(host.kernel)
        return StockKernel(built.release, built.bzimage, packages=built.installs)
    image = next(root_image(host.image).glob("vmlinuz-*"))
    release = image.name.removeprefix("vmlinuz-")
    return StockKernel(release, image, initrd=image.with_name(f"initrd.img-{release}"))


def stock(host: Host) -> Path:
    """The directory with what `host` starts from: disk.qcow2 and memory, taken of the running machine when it had nothing left to do."""
    with ThreadPoolExecutor() as pool:
        # One waits for the network, the other for the processor.
        base, kernel = pool.submit(root_image, host.image), pool.submit(stock_kernel, host)
    return _stock(host, base.result() / "disk.qcow2", kernel.result())


def _stock(host: Host, base: Path, kernel: StockKernel) -> Path:
    accelerator = qemu.accelerator(lambda: kernel.image)
    payload = _payload(host, kernel)
    version = subprocess.run([qemu.BINARY, "--version"], capture_output=True, text=True, check=False).stdout
    shape = qemu.command("", Path("/"), host.memory_mib, accelerator, qemu.Network(0, 0), cpu=host.cpu, uefi=host.uefi)
    # The disk names the root image it lies over by its whole path, so a cache that was moved makes it anew.
    more = [uefi.recipe()] if host.uefi else []
    key = content_key("stock", str(base), payload, version, shape, SETTLED[host.init], *more)
    path = cache_dir() / "stock" / f"{host.name}-{key}"
    with _making(path) as scratch:
        if scratch:
            machine = scratch / path.name
            machine.mkdir()
            _install(host, machine, base, kernel, payload, accelerator)
            _first_start(host, machine, accelerator)
    return path


def _payload(host: Host, kernel: StockKernel) -> dict[str, tuple[int, bytes]]:
    """What the machine needs on its very first start, below /run/lab: in memory, so that nothing of it stays."""
    host_key = ssh.host_key(host.name)
    files = {
        "install.sh": (HERE / "guest" / "install.sh").read_bytes(),
        "loader.sh": _guest("loader", host.loader),
        "packages.sh": _guest("packages", host.packages),
        "settings": f"HOST={host.name}\nKERNEL={kernel.release}\n".encode(),
        "authorized_keys": f"{ssh.public(ssh.login_key())} realip-toa-lab\n".encode(),
        "ssh_host_ed25519_key": host_key.read_bytes(),
        "ssh_host_ed25519_key.pub": f"{ssh.public(host_key)}\n".encode(),
    }
    files.update((f"kernel/{package.name}", package.read_bytes()) for package in kernel.packages)
    if host.loader == "grub2_bls":
        files.update((f"grub/{name}", content) for name, content in grub_modules.files().items())
    if host.release_package:
        release = release_rpm.ensure(host.release_package)
        files[f"release/{release.name}"] = release.read_bytes()
    dressed = dress(host)
    files["absent"] = "".join(f"{path}\n" for path in dressed.absent).encode()
    payload = {name: (0o600, content) for name, content in files.items()}
    payload.update((f"dress/{name}", file) for name, file in dressed.files.items())
    return {f"run/lab/{name}": file for name, file in payload.items()}


def _guest(kind: str, name: str) -> bytes:
    names = [AFTER[name], name] if name in AFTER else [name]
    return b"".join((HERE / "guest" / kind / f"{one}.sh").read_bytes() for one in names)


def tar_of(files: dict[str, tuple[int, bytes]]) -> bytes:
    """An archive of `{path: (mode, content)}`, owned by root; a symbolic link's content is where it leads."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, (mode, content) in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.mode, entry.mtime = stat.S_IMODE(mode), qemu.now()
            if stat.S_ISLNK(mode):
                entry.type, entry.linkname = tarfile.SYMTYPE, content.decode()
            else:
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _install(
    host: Host, machine: Path, base: Path, kernel: StockKernel, payload: dict[str, tuple[int, bytes]], accelerator: str
) -> None:
    """The very first start: no boot loader yet, so QEMU loads the stock kernel; guest/install.sh is process 1."""
    say(f"{host.name}: installing {kernel.release} and its boot loader inside the machine")
    qemu.overlay(base, machine / "disk.qcow2")
    archive = machine / "payload.tar"
    archive.write_bytes(tar_of(payload))
    extra = [
        "-drive",
        f"file={archive},format=raw,if=none,id=payload,readonly=on",
        "-device",
        "virtio-blk-pci,drive=payload",
    ]
    extra += ["-kernel", str(kernel.image)]
    if kernel.initrd:
        extra += ["-initrd", str(kernel.initrd)]
    extra += ["-append", f'console=ttyS0 root=/dev/vda1 ro panic=-1 quiet norandmaps init=/bin/sh -- -c "{_BOOTSTRAP}"']
    qemu.launch(
        machine, qemu.command(host.name, machine, host.memory_mib, accelerator, extra=extra, cpu=host.cpu), resets=False
    )
    try:
        wait_until(lambda: not qemu.alive(machine), f"{host.name} to install itself")
    finally:
        qemu.kill(machine)
    console = (machine / "console.log").read_text(encoding="utf-8", errors="replace")
    if "lab-install: done" not in console:
        raise LabError(f"{host.name} could not install itself:\n{qemu.tail(machine / 'console.log', 40)}")
    archive.unlink()


def _first_start(host: Host, machine: Path, accelerator: str) -> None:
    """Boot from the machine's own disk through its own boot loader, wait until it is idle, and keep that moment."""
    say(f"{host.name}: first start through its own boot loader")
    port = ssh.free_port()
    if host.uefi:
        uefi.make_variables(machine / qemu.VARIABLES)
    known = machine / "known_hosts"
    known.write_text(ssh.known_hosts({host.name: port}), encoding="ascii")
    # Nobody asks the mirror for anything before the machine is in use.
    network = qemu.Network(port, 9)
    qemu.launch(
        machine,
        qemu.command(host.name, machine, host.memory_mib, accelerator, network, cpu=host.cpu, uefi=host.uefi),
        resets=False,
    )
    try:
        wait_for_ssh(host.name, machine, port, hopeless=HOPELESS)
        release = ssh.run(
            port, known, f"{SETTLED[host.init]}; python3 -c 'import json, ctypes, zlib, base64'; sync; uname -r"
        ).split()[-1]
        if not fnmatch.fnmatchcase(release, host.kernel):
            raise LabError(f"{host.name} came up with kernel {release}, not with {host.kernel}")
        say(f"{host.name}: up; taking the stock snapshot")
        qemu.save(machine, machine / "memory")
    finally:
        qemu.kill(machine)
    for leftover in (known, machine / "qmp.sock", machine / "pid"):
        leftover.unlink(missing_ok=True)


def wait_for_ssh(name: str, machine: Path, port: int, hopeless: tuple[bytes, ...] = ()) -> None:
    """Wait until the machine's SSH server greets; LabError at once when QEMU ends, or the console says something hopeless, instead."""

    def greeted() -> bool:
        if any(sign in (machine / "console.log").read_bytes() for sign in hopeless):
            raise LabError(f"{name} did not start:\n{qemu.tail(machine / 'console.log')}")
        if not qemu.alive(machine):
            raise LabError(
                f"{name}: QEMU ended: {qemu.tail(machine / 'qemu.log')}\n{qemu.tail(machine / 'console.log')}"
            )
        return ssh.greets(port)

    wait_until(greeted, f"{name} to answer on SSH")


def clean() -> None:
    """Throw the root images and stock snapshots of every checkout away; keys and kernels stay."""
    for folder in ("roots", "stock"):
        shutil.rmtree(cache_dir() / folder, ignore_errors=True)
