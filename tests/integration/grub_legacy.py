# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB legacy itself, in a machine without a host: a disk made from a folder, booted by GNU's GRUB 0.97 as Debian has it.

Its kernels are 1.5 KiB long: each says its release and its command line on the serial line, and resets the machine.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
from pathlib import Path

PACKAGES = ("grub-legacy", "libc6-i386")
PARTITION_AT, PARTITION_SIZE = 1 << 20, 8 << 20
NAME_ROOM = 120

# The real mode part of the Linux boot protocol (Documentation/x86/boot.rst, version 2.06), which is as far as this kernel goes.
KERNEL = f"""
.code16
.org 0x1f1
.byte 1
.word 0
.long 32
.word 0, 0xffff, 0, 0xaa55
.byte 0xeb, start - header
header: .ascii "HdrS"
.word 0x0206
.long 0
.word 0x1000, 0
.byte 0, 1
.word 0x8000
.long 0x100000, 0, 0, 0
.word 0x9000, 0
cmdline: .long 0, 0x37ffffff
.long 0x100000, 0, 2047
start:
    movw %cs, %ax
    subw $0x20, %ax
    movw %ax, %ds
    movw $name, %si
    call say
    movl cmdline, %eax
    movw %ax, %si
    andw $15, %si
    shrl $4, %eax
    movw %ax, %ds
    call say
    movw %cs, %ax
    subw $0x20, %ax
    movw %ax, %ds
    movw $end, %si
    call say
    movb $0xfe, %al
    outb %al, $0x64
stop: hlt
    jmp stop
say:
    lodsb
    testb %al, %al
    jz said
    movb %al, %ah
busy:
    movw $0x3fd, %dx
    inb %dx, %al
    testb $0x20, %al
    jz busy
    movb %ah, %al
    movw $0x3f8, %dx
    outb %al, %dx
    jmp say
said: ret
end: .asciz " END\\n"
name: .ascii "KERNEL "
release: .skip {NAME_ROOM}
.org 0x800
"""


class Grub:
    """The packages' files, unpacked, and a kernel; both are made once."""

    def __init__(self, cache: Path, scratch: Path) -> None:
        self.files = cache / "grub-legacy"
        self.scratch = scratch
        if not (self.files / "done").exists():
            self._fetch()
        source = scratch / "kernel.S"
        source.write_text(KERNEL)
        subprocess.run(["clang", "-m32", "-c", source, "-o", scratch / "kernel.o"], check=True)
        subprocess.run(["llvm-objcopy", "-O", "binary", scratch / "kernel.o", scratch / "kernel.bin"], check=True)
        self._kernel = (scratch / "kernel.bin").read_bytes()

    def _fetch(self) -> None:
        self.files.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *PACKAGES], cwd=self.files, check=True
        )
        for package in self.files.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, self.files], check=True)
        (self.files / "done").touch()

    def stage2(self) -> bytes:
        return (self.files / "usr/lib/grub/x86_64-pc/stage2").read_bytes()

    def kernel(self, release: str) -> bytes:
        name = release.encode() + b" "
        place = self._kernel.index(b"KERNEL ") + len(b"KERNEL ")
        return self._kernel[:place] + name + b"\0" + self._kernel[place + len(name) + 1 :]

    def disk(self, tree: Path, prefix: str) -> Path:
        """A disk with `tree` on its first partition and GRUB in its first sectors; `prefix` is GRUB's folder in the tree."""
        disk = self.scratch / "disk"
        for name in ("stage1", "stage2", "e2fs_stage1_5"):
            (tree / prefix.lstrip("/") / name).write_bytes((self.files / "usr/lib/grub/x86_64-pc" / name).read_bytes())
        entry = struct.pack("<8B2I", 0x80, 1, 1, 0, 0x83, 254, 255, 255, PARTITION_AT // 512, PARTITION_SIZE // 512)
        disk.write_bytes((b"\0" * 446 + entry).ljust(510, b"\0") + b"\x55\xaa")
        os.truncate(disk, PARTITION_AT + PARTITION_SIZE)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext2", "-I", "128", "-O", "none,filetype,sparse_super", "-E", f"offset={PARTITION_AT}", "-d", tree, disk,
                        f"{PARTITION_SIZE >> 20}M"], check=True, capture_output=True)  # fmt: skip
        devices = self.scratch / "device.map"
        devices.write_text(f"(hd0) {disk}\n")
        libraries = self.files / "lib32"
        done = subprocess.run([libraries / "ld-linux.so.2", "--library-path", libraries, self.files / "usr/sbin/grub", "--batch", "--no-floppy",
                               f"--device-map={devices}"], input=f"root (hd0,0)\nsetup --prefix={prefix} (hd0)\nquit\n", text=True,
                              capture_output=True, timeout=60)  # fmt: skip
        assert "Done." in done.stdout, done.stdout + done.stderr
        return disk

    def boot(self, disk: Path) -> tuple[str, str]:
        """Power on until the kernel resets the machine: (release, command line)."""
        said = self.scratch / "serial"
        subprocess.run(["qemu-system-x86_64", "-accel", "tcg", "-m", "64", "-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot",
                        "-serial", f"file:{said}", "-drive", f"file={disk},format=raw,if=ide"], check=True, timeout=60, stdin=subprocess.DEVNULL)  # fmt: skip
        match = re.search(r"KERNEL (\S*) (.*) END", said.read_text(errors="replace"))
        assert match, said.read_text(errors="replace")
        return match.group(1), match.group(2)

    @staticmethod
    def read(disk: Path, name: str) -> bytes | None:
        done = subprocess.run(
            ["debugfs", "-R", f"cat {name}", f"{disk}?offset={PARTITION_AT}"], check=True, capture_output=True
        )
        return None if b"File not found" in done.stderr else done.stdout
