# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that are dressed as hosts, for programs/persistence.py."""

from __future__ import absolute_import, division, print_function

import os

import pytest
from ansible_collections.realip.toa.plugins.module_utils.programs import persistence as persist
from ansible_collections.realip.toa.plugins.module_utils.startup.boot_places import find_places

RC_UNIT = "[Service]\nType=forking\nExecStart=%s start\n"
DEBIAN_RC = "#!/bin/sh -e\n#\n# rc.local\n\nlogger hello\nexit 0\n"


class Tree(object):
    """A directory that is dressed as a host."""

    def __init__(self, base):
        self.base = str(base)
        self.put("/run/.keep", "")
        self.put("/var/lib/.keep", "")

    def path(self, name):
        return self.base + name

    def put(self, name, text, mode=0o644):
        path = self.path(name)
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
        handle = open(path, "wb")
        handle.write(text if isinstance(text, bytes) else text.encode("utf-8"))
        handle.close()
        os.chmod(path, mode)

    def link(self, name, target):
        if not os.path.isdir(os.path.dirname(self.path(name))):
            os.makedirs(os.path.dirname(self.path(name)))
        os.symlink(target, self.path(name))

    def read(self, name):
        handle = open(self.path(name), "rb")
        try:
            return handle.read().decode("utf-8", "replace")
        finally:
            handle.close()

    def picture(self):
        """Every path with its mode and bytes, the lock file aside."""
        found = {}
        for folder, folders, files in os.walk(self.base):
            for name in folders + files:
                path = os.path.join(folder, name)
                below = path[len(self.base) :]
                if below.startswith("/run/realip-toa"):
                    continue
                mode = os.lstat(path).st_mode
                if os.path.islink(path):
                    found[below] = os.readlink(path)
                elif os.path.isdir(path):
                    found[below] = (mode,)
                else:
                    found[below] = (mode, self.read(below))
        return found

    def call(self, state="present", check=False, **more):
        return persist.main(
            dict({"name": "toa", "method": "auto", "state": state, "check": check, "root": self.base}, **more)
        )

    def effective(self):
        return [
            (place["path"], place["module"])
            for place in find_places(self.base, "5.0")
            if place["effective"] and place["ours"]
        ]


@pytest.fixture(name="tree")
def tree_of_host(tmpdir):
    return Tree(tmpdir.mkdir("host"))


def debian(tree, rc_local=DEBIAN_RC, mode=0o755):
    tree.put("/run/systemd/system/.keep", "")
    tree.put("/lib/systemd/system/rc-local.service", RC_UNIT % "/etc/rc.local")
    tree.put("/etc/modules-load.d/.keep", "")
    if rc_local is not None:
        tree.put("/etc/rc.local", rc_local, mode)
    return tree


def centos7(tree, rc_local="#!/bin/bash\ntouch /var/lock/subsys/local\n", mode=0o644):
    tree.put("/run/systemd/system/.keep", "")
    tree.put("/usr/lib/systemd/system/rc-local.service", RC_UNIT % "/etc/rc.d/rc.local")
    tree.put("/etc/rc.d/rc.local", rc_local, mode)
    tree.put("/etc/rc.d/init.d/functions", "")
    os.symlink("rc.d/rc.local", tree.path("/etc/rc.local"))
    return tree


def centos6(tree):
    tree.put("/proc/1/stat", "1 (init) S 0")
    tree.put("/etc/inittab", "id:3:initdefault:\n")
    tree.put(
        "/etc/rc.d/rc.sysinit",
        "for file in /etc/sysconfig/modules/*.modules ; do\n  [ -x $file ] && $file\ndone\n",
        0o755,
    )
    tree.put("/etc/rc.d/rc.local", "#!/bin/sh\ntouch /var/lock/subsys/local\n", 0o755)
    tree.put("/etc/rc.d/rc3.d/.keep", "")
    os.symlink("../rc.local", tree.path("/etc/rc.d/rc3.d/S99local"))
    os.symlink("rc.d/rc.local", tree.path("/etc/rc.local"))
    return tree


def debian_sysv(tree):
    tree.put("/proc/1/stat", "1 (init) S 0")
    tree.put("/etc/inittab", "id:2:initdefault:\n")
    tree.put(
        "/etc/init.d/kmod",
        "grep '^[^#]' /etc/modules | while read module args; do modprobe $module $args; done\n",
        0o755,
    )
    tree.put("/etc/modules", "# modules to load\nloop")
    return tree
