# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back from `make modules_install` and `make install`: a kernel that no package owns goes, and the boot menu with it.

`make install` leaves the rest to the distribution's /sbin/installkernel, and so does this: the hooks and tools that it calls take a kernel away too.
`root` is "/" on a host, a made-up tree in tests.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import shutil

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, run, which
from ansible_collections.realip.toa.plugins.module_utils.host.writing import remove_file
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under

_RELEASE = re.compile(r"^[0-9][A-Za-z0-9._+~-]{0,127}\Z")
# What installkernel and the makers of initramfs images leave in /boot; with `.old` behind it, what they move aside.
FILES = ("vmlinuz-%s", "System.map-%s", "config-%s", "initrd.img-%s", "initramfs-%s.img", "initrd-%s.img")

# (what must be there, words): the hooks of Debian, then the tools of Enterprise Linux 6 and of 7 and later.
TOOLS = (
    ("/etc/kernel/postrm.d", ("run-parts", "--arg=%s", "--arg=/boot/vmlinuz-%s", "/etc/kernel/postrm.d")),
    ("/sbin/new-kernel-pkg", ("/sbin/new-kernel-pkg", "--rminitrd", "--rmmoddep", "--remove", "%s")),
    ("/bin/kernel-install", ("/bin/kernel-install", "remove", "%s", "/boot/vmlinuz-%s")),
)


def take_away(release, root="/"):
    """Remove a kernel's files and its boot entry; TargetError where it is a package's, or where the boot menu keeps it."""
    if not _RELEASE.match(release):
        raise TargetError("bad_option", "%r is no release of a kernel" % release, "name it as `uname -r` prints it")
    owner = _owner("/boot/vmlinuz-" + release) if root == "/" else ""
    if owner:
        raise TargetError(
            "kernel_of_package", "kernel %s belongs to the package %s" % (release, owner), "remove that package"
        )
    # Hooks look whether the kernel is still there, and write the menu without it where it is not.
    for name in FILES:
        for path in (name % release, name % release + ".old"):
            remove_file(under(root, "/boot/" + path))
    shutil.rmtree(under(root, "/lib/modules/" + release), True)
    for place, words in _tools(root):
        if os.path.exists(under(root, place)):
            rc, out, err = run([word.replace("%s", release) for word in words], timeout=1800)
            if rc != 0:
                raise TargetError(
                    "boot_menu_kept",
                    "kernel %s is gone, and %s failed: %s" % (release, words[0], " ".join((err or out).split())[-300:]),
                    "take its entry out of the boot menu by hand",
                )
            return


def _tools(root):
    """The distribution's own first: Enterprise Linux may have a folder of hooks too, and no run-parts that knows `--arg`; Debian, kernel-install."""
    return TOOLS if os.path.exists(under(root, "/etc/debian_version")) else TOOLS[1:] + TOOLS[:1]


def _owner(path):
    """The package that a file belongs to, "" where none owns it."""
    for words in (("dpkg-query", "-S", path), ("rpm", "-qf", path)):
        if which(words[0]):
            rc, out, _err = run(list(words))
            if rc == 0:
                return out.partition(":")[0].strip()
    return ""
