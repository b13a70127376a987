# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A trial that GRUB itself cannot load, in GRUB 2.06 itself: it goes on with the old kernel, and the next boot is the old kernel too.

A host is armed in a folder; its /boot becomes the disk of a machine in QEMU. A kernel there is 60 bytes long: it says its command line
on the serial port and presses the reset button.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "target"))
from boot_samples import Host, UbuntuCloud
from el_samples import El8

MODULES = "biosdisk ext2 normal configfile echo test true serial terminal loadenv linux minicmd reboot"
# mov edx,0x3f8; mov ebx,[esi+0x228]; say: mov al,[ebx]; test al,al; jz end; out dx,al; inc ebx; jmp say;
# end: mov al,10; out dx,al; mov al,0xfe; out 0x64,al; hlt
CODE = bytes.fromhex("baf8030000 8b9e28020000 8a03 84c0 7404 ee 43 ebf6 b00a ee b0fe e664 f4 ebfd".replace(" ", ""))


def kernel() -> bytes:
    """An image by the boot protocol 2.06: one sector of setup, and the code behind it."""
    head = bytearray(1024)
    head[0x1F1] = 1
    struct.pack_into("<H", head, 0x1FE, 0xAA55)
    head[0x200:0x202] = b"\xeb\x66"
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x206, 0x0206)
    head[0x211] = 1
    struct.pack_into("<I", head, 0x214, 0x100000)
    struct.pack_into("<I", head, 0x22C, 0x37FFFFFF)
    struct.pack_into("<I", head, 0x1F4, 64)
    struct.pack_into("<II", head, 0x234, 0, 2047)
    return bytes(head) + CODE.ljust(1024, b"\xf4")


class Disk:
    """What the host's GRUB boots from, and the machine that it is in."""

    def __init__(self, host: Any, folder: Path) -> None:
        self.host, self.folder, self.tree = host, folder, folder / "tree"
        grub = self.tree / host.GRUB.lstrip("/")
        grub.mkdir(parents=True)
        for release in (host.stock, host.new):
            self.put(f"boot/vmlinuz-{release}", kernel())
            for name in (f"initrd.img-{release}", f"initramfs-{release}.img"):
                self.put(f"boot/{name}", b"x" * 4096)
        (grub / "grub.cfg").write_text(self.menu(host.text(host.GRUB + "/grub.cfg")))
        (grub / "custom.cfg").write_text(self.menu(host.text(host.GRUB + "/custom.cfg")))
        (grub / "grubenv").write_bytes(host.read(host.GRUB + "/grubenv"))

    def put(self, name: str, data: bytes | None) -> None:
        for path in {self.tree / name, self.tree / name.replace("boot/", "", 1)}:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if data is not None:
                path.write_bytes(data)

    def menu(self, text: str) -> str:
        """Its grub.cfg, without what finds disks by their names; and blscfg, which Debian's GRUB has not, written out as it does it."""
        text = re.sub(r"(?m)^[ \t]*(?:set root=|search |insmod |load_video|gfxmode|loadfont).*$", "true", text)
        text = re.sub(r"(?m)^[ \t]*set timeout=.*$", "set timeout=0", text)
        text = re.sub(r"(?m)^[ \t]*(?:terminal_output|terminal_input) .*$", "true", text)
        entries = []
        for entry in self.host.bls():
            initrd = re.search(r"(?m)^initrd (\S+)", self.host.text(f"/boot/loader/entries/{entry['id']}.conf"))
            assert initrd
            entries.append(
                f"menuentry '{entry['title']}' --id '{entry['id']}' {{\n\tlinux {entry['image']} {entry['options']}\n\tinitrd {initrd.group(1)}\n}}\n"
            )
        return re.sub("(?m)^blscfg$", lambda _match: "".join(entries), text)

    def make(self) -> None:
        core, disk, self.files = (self.folder / name for name in ("core.img", "disk", "files"))
        early = self.folder / "early.cfg"
        prefix = f"(hd1){self.host.GRUB}"
        early.write_text(
            "serial --unit=0 --speed=115200\nterminal_output serial\nterminal_input serial\nset root=hd1\n"
            f"set prefix={prefix}\nconfigfile {prefix}/grub.cfg\n"
        )
        subprocess.run(
            ["grub-mkimage", "-O", "i386-pc", "-o", core, "-p", prefix, "-c", early, *MODULES.split()], check=True
        )
        boot = Path("/usr/lib/grub/i386-pc/boot.img").read_bytes()
        disk.write_bytes((boot + core.read_bytes()).ljust(2 << 20, b"\0"))
        self.files.write_bytes(b"")
        subprocess.run(["mke2fs", "-q", "-t", "ext2", "-d", self.tree, self.files, "256M"], check=True)
        self.disk = disk

    def power_on(self) -> list[str]:
        """Command lines of the kernels that this boot started; none where GRUB stays in its menu."""
        said = self.folder / "serial"
        machine = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-m", "96", "-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot",
             "-serial", f"file:{said}", "-drive", f"file={self.disk},format=raw,if=ide", "-drive", f"file={self.files},format=raw,if=ide"],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            machine.wait(60)
        except subprocess.TimeoutExpired:
            machine.kill()
            machine.wait()
        self.said = said.read_text(errors="replace")
        return re.findall(r"BOOT_IMAGE=(.*)", self.said)


def nothing(_disk: Disk) -> None:
    """The trial is as it should be."""


def is_missing(disk: Disk) -> None:
    disk.put(f"boot/vmlinuz-{disk.host.new}", None)


def is_no_kernel(disk: Disk) -> None:
    disk.put(f"boot/vmlinuz-{disk.host.new}", b"<html>502 Bad Gateway</html>" * 100)


def is_truncated(disk: Disk) -> None:
    disk.put(f"boot/vmlinuz-{disk.host.new}", kernel()[:700])


def has_no_initramfs(disk: Disk) -> None:
    for name in (f"initrd.img-{disk.host.new}", f"initramfs-{disk.host.new}.img"):
        disk.put(f"boot/{name}", None)


def needs_too_much_memory(disk: Disk) -> None:
    for name in (f"initrd.img-{disk.host.new}", f"initramfs-{disk.host.new}.img"):
        disk.put(f"boot/{name}", b"\0")
        for path in (disk.tree / "boot" / name, disk.tree / name):
            with path.open("r+b") as handle:
                handle.truncate(120 << 20)


# What GRUB does not start at all; and what it starts without the rest of it: that kernel finds no root, panics, and was told to reboot.
NOT_STARTED: list[Callable[[Disk], None]] = [is_missing, is_no_kernel, is_truncated]
FAULTS = [*NOT_STARTED, has_no_initramfs, needs_too_much_memory]


@pytest.fixture
def armed(tmp_path: Path) -> Callable[[type], Disk]:
    def arm(kind: type) -> Disk:
        host = kind(tmp_path / "host")
        host.do("default", host.stock)
        host.install(host.new)
        host.do("armed", host.new)
        return Disk(host, tmp_path)

    (tmp_path / "host").mkdir()
    return arm


CASES = [(kind, fault) for kind in (Host, UbuntuCloud, El8) for fault in (nothing, is_no_kernel)] + [
    *((Host, fault) for fault in FAULTS if fault is not is_no_kernel),
    (El8, needs_too_much_memory),
]


@pytest.mark.parametrize(("kind", "fault"), CASES, ids=[f"{kind.__name__}-{fault.__name__}" for kind, fault in CASES])
def test_grub_cannot_load_the_trial(armed: Callable[[type], Disk], kind: type, fault: Callable[[Disk], None]) -> None:
    disk = armed(kind)
    fault(disk)
    disk.make()
    started = disk.power_on()
    assert len(started) == 1, disk.said[-1500:]
    if fault not in NOT_STARTED:
        assert (
            f"vmlinuz-{disk.host.new} " in started[0]
            and "realip_toa.trial=" in started[0]
            and " panic=30 " in started[0]
        )
    else:
        assert f"vmlinuz-{disk.host.stock} " in started[0] and "realip_toa.trial" not in started[0], disk.said[-1500:]
    (again,) = disk.power_on()
    assert f"vmlinuz-{disk.host.stock} " in again and "realip_toa.trial" not in again
