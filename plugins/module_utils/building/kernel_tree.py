# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TOA kernel out of a source tree: as deb, or built and installed in place; and the way back from the latter."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import glob
import os
import re
import shutil

from ansible_collections.realip.toa.plugins.module_utils.building.kernel_install import take_away
from ansible_collections.realip.toa.plugins.module_utils.building.stepwise import Build, require_commands
from ansible_collections.realip.toa.plugins.module_utils.building.tree import build_failed, make_harmless
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TargetError,
    list_dir,
    read_line,
    read_text,
)
from ansible_collections.realip.toa.plugins.module_utils.host.writing import remove_empty, write_own
from ansible_collections.realip.toa.plugins.module_utils.host.lock import LOCK_FILE, HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine
from ansible_collections.realip.toa.plugins.module_utils.host.state import STATE_FILE, save_section, section
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under

# Of state.json: the kernel that was built on this host and installed here.
SECTION = "kernel_tree"
A_KERNEL = "name the archive of a kernel's source"


class SourceTree(Build):
    """The beginning that what is made of a source tree has in common: a whole tree with the patch already in, or a stock tree and a patch."""

    def plan(self):
        return [
            ("1 fetch the source", lambda: self.fetch("source.tar")),
            ("2 decompress it", self.unpack),
            ("2 apply the TOA patch", self.patch_tree),
            ("3 edit .config", self.configure),
            ("4 describe it", self.describe),
        ]

    def tree(self):
        entries = [name for name in list_dir(self.path("tree")) if os.path.isdir(self.path("tree", name))]
        folder = (
            self.path("tree", entries[0])
            if len(entries) == 1 and not os.path.exists(self.path("tree", "Makefile"))
            else self.path("tree")
        )
        if not (os.path.exists(os.path.join(folder, "Makefile")) and os.path.exists(os.path.join(folder, "Kconfig"))):
            raise TargetError(
                "bad_source", "this is no source tree of a kernel: it has no Makefile and Kconfig at its top", A_KERNEL
            )
        return folder

    def unpack(self):
        require_commands("make", "gcc", "patch", "tar")
        shutil.rmtree(self.path("tree"), True)
        os.mkdir(self.path("tree"))
        return self.folder, [
            "tar",
            "-x",
            "-f",
            self.path("source.tar"),
            "-C",
            self.path("tree"),
            "--no-same-owner",
            "--no-same-permissions",
        ]

    def patch_tree(self):
        make_harmless(self.path("tree"))
        self.patch(self.tree())

    def configure(self):
        """The operator's configuration, else the tree's own, else the running kernel's; then the edits, held against Kconfig."""
        tree = self.tree()
        config = os.path.join(tree, ".config")
        given = self.args.get("config_file") or ("" if os.path.exists(config) else "/boot/config-" + os.uname()[2])
        if given:
            if not os.path.exists(given):
                raise TargetError("bad_source", "there is no configuration %s" % given, "name one in `config_file`")
            shutil.copy(given, config)
        self.edit_config(config)
        rc, out, err = self.command(["make", "-s", "-C", tree, "olddefconfig"], timeout=600)
        if rc != 0:
            raise build_failed("the configuration", err + out, self.folder)
        lines = (read_text(config, 8 << 20) or "").splitlines()
        lost = [
            "%s=%s" % edit
            for edit in self.config
            if "%s=%s" % edit not in lines and not (edit[1] == "n" and "# %s is not set" % edit[0] in lines)
        ]
        if lost:
            raise TargetError(
                "config_refused",
                "Kconfig does not take %s" % ", ".join(lost),
                "is the patch in the tree, and are its dependencies set?",
            )

    def describe(self):
        """A description of one's own in the Makefile, as step 4 allows: it becomes part of `uname -r`, which may be the one that is expected."""
        if self.args.get("buildid"):
            path = os.path.join(self.tree(), "Makefile")
            text = read_text(path, 4 << 20) or ""
            if not re.search(r"(?m)^EXTRAVERSION[ \t]*=", text):
                raise TargetError("bad_source", "the Makefile of this tree has no EXTRAVERSION", A_KERNEL)
            write_own(
                path, re.sub(r"(?m)^EXTRAVERSION[ \t]*=.*$", "EXTRAVERSION = %s" % self.args["buildid"], text, count=1)
            )
        if self.args.get("release"):
            rc, out, err = self.command(["make", "-s", "-C", self.tree(), "kernelrelease"], timeout=600)
            if rc != 0:
                raise build_failed("the kernel's name", err + out, self.folder)
            if out.split()[-1:] != [self.args["release"]]:
                raise TargetError(
                    "release_differs",
                    "this kernel would call itself %s, and %s is expected" % (out.strip(), self.args["release"]),
                    "correct the release, or the description that ends it (buildid)",
                    expected=self.args["release"],
                    got=out.strip(),
                )

    def release(self):
        return read_line(os.path.join(self.tree(), "include/config/kernel.release")) or ""


class TreeBuild(SourceTree):
    """ "Source Code Installation", steps 1 to 7, on the host that is to run the kernel."""

    def plan(self):
        return SourceTree.plan(self) + [
            ("5 make", lambda: (self.tree(), ["make", self.jobs()])),
            ("6 make modules_install", self.install_modules),
            ("7 make install", lambda: (self.tree(), ["make", "install"])),
        ]

    def done(self):
        """A kernel that was taken away since is compiled, and not installed."""
        titles = Build.done(self)
        return (
            titles
            if len(titles) < len(self.steps) or os.path.exists(self.files()[0])
            else titles[: len(self.steps) - 2]
        )

    def install_modules(self):
        release = self.release()
        if release == os.uname()[2]:
            raise TargetError(
                "running_kernel",
                "the kernel that was built calls itself %s, as the running one does" % release,
                "give it a description (buildid)",
            )
        save_section(SECTION, {"release": release, "folder": self.folder}, self.at(STATE_FILE))
        return self.tree(), ["make", "modules_install"]

    def take_result(self, title):
        """What was installed by halves is taken away again."""
        try:
            Build.take_result(self, title)
            if title[0] == "7" and not os.path.exists(self.files()[0]):
                raise TargetError(
                    "build_failed",
                    "make install did not install %s" % self.files()[0],
                    "see what /sbin/installkernel does on this host",
                )
            if title[0] == "7":
                # The boot loader sees it, even if the power goes now.
                Machine(self.root.rstrip("/")).settle([])
        except TargetError:
            if title[0] in "67":
                take_away(self.release(), self.root)
                save_section(SECTION, {}, self.at(STATE_FILE))
                self.go_back()
            raise

    def go_back(self):
        """To where the kernel is compiled, and not installed."""
        write_own(self.path("done"), "".join(line + "\n" for line in Build.done(self)[: len(self.steps) - 2]))

    def at(self, path):
        return under(self.root, path)

    def files(self):
        return [self.at("/boot/vmlinuz-" + self.release())]


class DebBuild(SourceTree):
    """The Debian way: the same tree, and `make bindeb-pkg` in place of installing it."""

    def plan(self):
        return SourceTree.plan(self) + [("5 make bindeb-pkg", self.build)]

    def build(self):
        for path in self.files():
            os.unlink(path)
        return self.tree(), [
            "make",
            self.jobs(),
            "KDEB_PKGVERSION=" + (self.args.get("package_version") or "1.0"),
            "bindeb-pkg",
        ]

    def files(self):
        return [
            path
            for path in glob.glob(os.path.join(os.path.dirname(self.tree()), "*.deb"))
            if "-dbg_" not in path and "linux-libc-dev" not in path
        ]


def absent(args):
    """Takes away the kernel that was built on this host, by the record of it, with the folder in which it was compiled."""
    root = args.get("root") or "/"
    place = under(root, STATE_FILE)
    record = section(SECTION, place)
    before = {"release": record.get("release", "")}
    if record and not args.get("check"):
        with HostLock(under(root, LOCK_FILE)):
            release = str(record.get("release", ""))
            if release == os.uname()[2]:
                raise TargetError("running_kernel", "kernel %s is running" % release, "boot another one first")
            take_away(release, root)
            if re.match(r"/.*/[0-9a-f]{16}$", str(record.get("folder"))):
                shutil.rmtree(record["folder"], True)
                remove_empty(os.path.dirname(record["folder"]))
            save_section(SECTION, {}, place)
    return {"changed": bool(record), "before": before, "after": {"release": ""}}
