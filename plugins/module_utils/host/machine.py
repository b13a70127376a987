# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine as the boot modules see it: files below a root, a few commands, and what the running kernel says of itself.

`root` is "" on a host. Tests give a folder made to look like one, and their own `runner` and `finder`.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import struct

from ansible_collections.realip.toa.plugins.module_utils.host.disk_sync import settle
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TargetError,
    open_to_read,
    read_line,
    read_text,
    run,
    which,
)
from ansible_collections.realip.toa.plugins.module_utils.host.writing import (
    make_dirs,
    remove_file,
    write_atomic,
    write_own,
)

# GRUB reads these through the filesystem and can write a block of theirs back in place (GRUB manual, "Environment block").
_WRITABLE_FILESYSTEMS = ("ext2", "ext3", "ext4", "xfs", "vfat", "msdos", "jfs", "reiserfs")
_MULTIPATH_UUID = re.compile(r"(part[0-9]+-)?mpath-")


class Machine:
    """Files, commands and identity of one host."""

    def __init__(self, root="", runner=run, finder=which):
        self.root = root.rstrip("/")
        self.run = runner
        self.finder = finder

    @property
    def live(self):
        """True on a host, False in a folder: daemons are told about changes only on a host."""
        return self.root == ""

    def path(self, name):
        return self.root + name

    def read(self, name):
        return read_text(self.path(name))

    def read_bytes(self, name, limit=-1):
        """A file's bytes (all, or the first `limit`), or None: for what is to be put back, or rewritten without touching a byte that is not ours."""
        try:
            handle = open_to_read(self.path(name))
        except (IOError, OSError):
            return None
        try:
            return handle.read(limit)
        finally:
            handle.close()

    def read_latin(self, name):
        """A file with each byte as one character ("" where there is none); `write_latin` gives the same bytes back."""
        return (self.read_bytes(name) or b"").decode("latin-1")

    def write_latin(self, name, text):
        self.write(name, text.encode("latin-1"), shared=True)

    def exists(self, name):
        return os.path.exists(self.path(name))

    def is_dir(self, name):
        return os.path.isdir(self.path(name))

    def size(self, name):
        """Bytes in a file; 0 where there is none."""
        try:
            return os.path.getsize(self.path(name))
        except OSError:
            return 0

    def image_problem(self, image, initramfs, running_has):
        """What of a kernel's files is not there, or "": its image, and the initramfs files of its menu entry, which the running kernel may not need."""
        if running_has and not initramfs:
            return "its menu entry has no initramfs, and the running kernel's has one"
        for name in [image] + initramfs:
            if not self.size(name):
                return "%s is missing or empty" % name
        whole = self._size_of_image(image)
        if self.size(image) < whole:
            return "%s is cut off: it has %d of %d bytes" % (image, self.size(image), whole)
        return ""

    def _size_of_image(self, name):
        """Bytes that a bzImage says it has (Linux boot protocol 2.04 and later: setup_sects, syssize); 0 for other images. GRUB starts what is there of one."""
        head = self.read_bytes(name, 0x208) or b""
        if len(head) < 0x208 or head[0x202:0x206] != b"HdrS" or struct.unpack("<H", head[0x206:0x208])[0] < 0x0204:
            return 0
        sectors, units = struct.unpack("<B2xI", head[0x1F1:0x1F8])
        return ((sectors or 4) + 1) * 512 + units * 16

    def write(self, name, text, mode=None, shared=False):
        """`shared`: a file of the distribution or the boot loader, which may be a link."""
        make_dirs(os.path.dirname(self.path(name)))
        (write_atomic if shared else write_own)(self.path(name), text, mode)

    def write_at(self, name, offset, data):
        """Bytes in the middle of a file, in place: for what a boot loader finds by its place on the disk."""
        handle = open(self.path(name), "r+b")
        try:
            handle.seek(offset)
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        finally:
            handle.close()

    def set_kernel_setting(self, name, value):
        """A file below /proc/sys/kernel, which can be written and not replaced."""
        handle = open(self.path("/proc/sys/kernel/" + name), "w")
        try:
            handle.write(value + "\n")
        finally:
            handle.close()

    def remove(self, name):
        return remove_file(self.path(name))

    def settle(self, names):
        """What was written to these files and to /boot is what a boot loader reads, even if the power goes now."""
        if self.live:
            paths = [os.path.dirname(os.path.realpath(self.path(name))) for name in ["/boot/."] + list(names)]
            settle([(path, self._mount_of(path)[1]) for path in paths])

    def command(self, *names):
        """Path of the first of these commands that the host has, or None."""
        for name in names:
            found = self.finder(name)
            if found:
                return found
        return None

    def must_run(self, argv, code, what, timeout=120, env=None):
        """Run a command that has to succeed; TargetError(code) with its own words where it does not."""
        rc, out, err = self.run(argv, timeout=timeout, env=env)
        if rc != 0:
            said = (err.strip() or out.strip() or "nothing")[-400:]
            raise TargetError(
                code,
                "%s failed: `%s` ended with %d and said: %s" % (what, " ".join(argv), rc, said),
                "run the command by hand on the host, repair what it complains about, then run again",
            )
        return out

    @property
    def release(self):
        """`uname -r` of the running kernel."""
        return read_line(self.path("/proc/sys/kernel/osrelease")) or ""

    @property
    def boot_id(self):
        return read_line(self.path("/proc/sys/kernel/random/boot_id")) or ""

    def grub_write_problem(self, name, outside_of_files=False):
        """Why GRUB could not write to this file while booting, or "" where it can.

        It cannot on LVM, mdraid, an encrypted disk, Btrfs or ZFS: there a one-shot entry would stay for ever. SUSE's GRUB has a place
        on Btrfs for it outside of all files (`outside_of_files`).
        """
        device, filesystem = self._mount_of(os.path.realpath(self.path(name)))
        if not device:
            return "the filesystem that holds %s cannot be found in /proc/self/mountinfo" % name
        if filesystem not in _WRITABLE_FILESYSTEMS and not (outside_of_files and filesystem == "btrfs"):
            return "%s is on %s, which GRUB cannot write to" % (name, filesystem)
        block = "/sys/dev/block/" + device
        mapped = read_line(self.path(block + "/dm/uuid"))
        if mapped is not None and not _MULTIPATH_UUID.match(mapped):
            return "%s is on a device-mapper volume (%s), which GRUB cannot write to" % (
                name,
                mapped.split("-")[0] or "unnamed",
            )
        folder = os.path.realpath(self.path(block))
        for place in (folder, os.path.dirname(folder)):
            if os.path.isdir(os.path.join(place, "md")):
                return "%s is on software RAID (mdraid), which GRUB cannot write to" % name
        return ""

    def read_only_problem(self, name):
        """Why we could not write to this file, though GRUB could, or ""."""
        mount = self._mount_line(os.path.realpath(self.path(name)))
        if mount and "ro" in mount[5].split(",") + mount[-1].split(","):
            return "%s is mounted read-only" % mount[4]
        return ""

    def _mount_of(self, path):
        """(major:minor, filesystem type) of the mount that holds a path, two empty texts where it cannot be found."""
        words = self._mount_line(path)
        return (words[2], words[words.index("-") + 1]) if words else ("", "")

    def _mount_line(self, path):
        """Words of the line of /proc/self/mountinfo that is about a path, or None."""
        best = None
        for line in (self.read("/proc/self/mountinfo") or "").split("\n"):
            words = line.split()
            if "-" not in words or len(words) < words.index("-") + 2:
                continue
            point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), words[4])
            point = self.root + point.rstrip("/")
            # The last of equals is on top of the others.
            if (path == point or path.startswith(point + "/")) and (best is None or len(point) >= best[0]):
                best = (len(point), words)
        return best[1] if best else None
