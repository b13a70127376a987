# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A room to work on an image in: namespaces of our own, in which nothing of the build host can be seen.

The program has come here by chroot, whoever did that (a connection plugin, or the channel for a folder). Whatever was mounted there for it, the room
has its own /proc, /sys, /dev and /run, no name, no boot id, no modules; of the host's devices only the harmless ones and the disks that the image is
on. All of it goes with the process, also where that is killed.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os
import re
import stat

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, run
from ansible_collections.realip.toa.plugins.module_utils.host.writing import write_own

try:
    import ctypes
except ImportError:  # of a minimal Python
    ctypes = None

# linux/sched.h, linux/mount.h, linux/prctl.h
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID = 0x00020000, 0x04000000, 0x08000000, 0x20000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 0x1000, 0x4000, 1 << 18
PR_SET_PDEATHSIG, SIGKILL = 1, 9

_NEEDED = ("dev", "proc", "sys")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2"))
# On the room's own /dev, which nobody looks through.
_STORE = "/dev/.realip-toa"
# What makes one machine another one. Copies of an image find out themselves who they are.
_IDENTITIES = ("/etc/machine-id", "/var/lib/dbus/machine-id", "/etc/hostname")
_MOST = 1 << 20


class Room:
    """`look`: nothing will be run here; then what the kernel says in /proc is nothing but what `cover` puts there."""

    def __init__(self, look):
        self.look = look
        self.identities = {}

    def enter(self):
        """This process goes on in the room, as a child of the one that came here. TargetError where there is no room to be had."""
        if ctypes is None:
            raise TargetError(
                "no_ctypes", "this image's Python has no ctypes", "install the distribution's whole Python in the image"
            )
        path, names = _outside()
        try:
            _unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID)
            # What the host's sees of our mounts is nothing.
            _mount(None, "/", None, MS_REC | MS_PRIVATE)
            child = os.fork()
            if child:
                _wait(child)
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
            _furnish(path, self.look, names)
        finally:
            os.chroot(path)
            os.chdir("/")
        _name_disks()
        self.identities = dict((name, _bytes(name)) for name in _IDENTITIES)

    def cover(self, texts):
        """{file below /proc: what it says here}."""
        for number, name in enumerate(sorted(texts)):
            place = "/proc/" + name
            if self.look:
                _make_folder(os.path.dirname(place))
                _write(place, texts[name])
            elif os.path.exists(place):
                _bind_text(texts[name], "%d" % number, place)

    def leave(self):
        """Whoever this image becomes was not found out here."""
        for name in _IDENTITIES:
            before = self.identities[name]
            if _bytes(name) == before:
                continue
            if before is None:
                os.unlink(name)
            else:
                write_own(name, before)


def _outside():
    """(path of the image as the build host sees it, its resolv.conf): leave the chroot, as every root can. TargetError where this is no image."""
    image, here = os.open("/", os.O_RDONLY), os.stat("/")
    try:
        os.chroot("/usr")
        for _step in range(64):
            os.chdir("..")
        os.chroot(".")
        there = os.stat("/")
        if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
            raise TargetError(
                "image_is_running",
                "this is the running system, not the root file system of an image",
                "name the image's folder in toa_image_root, or use a connection that works in a chroot",
            )
        names = _bytes("/etc/resolv.conf")
        os.fchdir(image)
        return os.getcwd(), names
    finally:
        os.close(image)


def _furnish(path, look, names):
    """Mount what the room has, as seen from outside: we are not in the image yet."""
    missing = [name for name in _NEEDED if not _is_folder("%s/%s" % (path, name))]
    if missing:
        raise TargetError(
            "image_incomplete",
            "%s is no root file system: it has no folder %s" % (path, ", ".join("/" + name for name in missing)),
            "name the folder that the distribution was installed in",
        )
    if os.stat(path).st_dev == os.stat(os.path.dirname(path)).st_dev:
        # Tools look for the file system of / in the list of mounts.
        _mount(path, path, None, MS_BIND | MS_REC)
    _tmpfs(path + "/dev", "0755", MS_NOSUID)
    for name in _DEVICES:
        _bind_device("/dev/" + name, path)
    for source in _disks_below(path):
        _bind_device(source, path)
    for name, target in _LINKS:
        os.symlink(target, "%s/dev/%s" % (path, name))
    os.mkdir("%s/dev/shm" % path, 0o1777)
    os.mkdir(path + _STORE, 0o700)
    _tmpfs(path + "/sys", "0755", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    if _is_folder(path + "/run"):
        _tmpfs(path + "/run", "0755", MS_NOSUID | MS_NODEV)
    if look:
        _tmpfs(path + "/proc", "0755", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    else:
        _mount("proc", path + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        _name_servers(path, names)
    ctypes.CDLL(None).sethostname(b"localhost", 9)


def _disks_below(path):
    """Devices of the file systems that the image is on."""
    found = []
    for line in (_bytes("/proc/self/mountinfo") or b"").decode("utf-8", "replace").split("\n"):
        words = line.split()
        if "-" not in words or len(words) < words.index("-") + 3:
            continue
        point, source = words[4], words[words.index("-") + 2]
        if (point == path or point.startswith(path + "/")) and _is_disk(source) and source not in found:
            found.append(source)
    return found


def _is_disk(source):
    try:
        return source.startswith("/dev/") and ".." not in source and stat.S_ISBLK(os.stat(source).st_mode)
    except OSError:
        return False


def _bind_device(source, path):
    """A device of the host's, under its own name; but that of a whole loop device would have GRUB's generator leave out every Linux."""
    if not os.path.exists(source):
        return
    place = path + source
    _make_folder(os.path.dirname(place))
    if source.startswith("/dev/loop") and source[len("/dev/loop") :].isdigit():
        other = "/dev/image" + source[len("/dev/loop") :]
        os.symlink(other, place)
        place = path + other
    _write(place, b"")
    _mount(source, place, None, MS_BIND)


def _name_servers(path, text):
    """Names are found as on the build host, for packages; the image's own file stays what it is."""
    name, run_folder = path + "/etc/resolv.conf", path + "/run/"
    if text is None or not os.path.lexists(name):
        return
    if not os.path.islink(name):
        _write(path + _STORE + "/resolv.conf", text)
        _mount(path + _STORE + "/resolv.conf", name, None, MS_BIND)
        return
    target = os.path.normpath(path + os.path.join("/etc", os.readlink(name)))
    if target.startswith(run_folder) and os.path.isdir(run_folder):
        _make_folder(os.path.dirname(target))
        _write(target, text)


def _name_disks():
    """By their UUIDs, as udev does: a menu that is generated without them names the build host's device."""
    folder = "/dev/disk/by-uuid"
    for root, _folders, files in os.walk("/dev"):
        for name in files:
            device = os.path.join(root, name)
            if not stat.S_ISBLK(os.lstat(device).st_mode):
                continue
            code, said, _err = run(["blkid", "-o", "value", "-s", "UUID", device], timeout=30)
            if code == 0 and re.match(r"[0-9A-Fa-f-]+$", said.strip()):
                _make_folder(folder)
                os.symlink(device, "%s/%s" % (folder, said.strip()))


def _bind_text(text, name, place):
    source = "%s/%s" % (_STORE, name)
    _write(source, text)
    _mount(source, place, None, MS_BIND)


def _wait(child):
    """All that the process has to do that came here: what ends in the room, ends."""
    while True:
        try:
            os.waitpid(child, 0)
            break
        except OSError as problem:
            if problem.errno != errno.EINTR:
                break
    os._exit(0)


# -- the kernel ----------------------------------------------------------------------------------------------------------


def _tmpfs(place, mode, flags):
    _mount("tmpfs", place, "tmpfs", flags, "mode=" + mode)


def _mount(source, place, kind, flags, data=None):
    words = [None if word is None else word.encode("utf-8") for word in (source, place, kind, data)]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]) != 0:
        raise _refused("mount(%s)" % place)


def _unshare(flags):
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        raise _refused("unshare")


def _refused(what):
    return TargetError(
        "image_room_refused",
        "the build host does not let this work be shut off from it: %s: %s" % (what, os.strerror(ctypes.get_errno())),
        "run as root with CAP_SYS_ADMIN (a container: privileged), as chroot and mkosi need it too",
    )


# -- files, without Python's help: outside of the image its library is another one ----------------------------------------


def _is_folder(path):
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _make_folder(path):
    if not os.path.isdir(path):
        _make_folder(os.path.dirname(path))
        os.mkdir(path, 0o755)


def _bytes(path):
    """All of a small file, None where there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        text = b""
        while len(text) < _MOST:
            more = os.read(handle, 65536)
            if not more:
                break
            text += more
        return text
    finally:
        os.close(handle)


def _write(path, text):
    """A new file, in a file system that the room has just mounted."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        while text:
            text = text[os.write(handle, text) :]
    finally:
        os.close(handle)
