# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TOA kernel as rpm out of a source rpm, in the nine steps of tencent-toa.txt."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import glob
import os
import re
import shutil

from ansible_collections.realip.toa.plugins.module_utils.building.kernel_spec import (
    PATCH,
    add_patch,
    config_name,
    set_buildid,
)
from ansible_collections.realip.toa.plugins.module_utils.building.stepwise import Build, require_commands
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TargetError,
    list_dir,
    read_line,
    read_text,
)
from ansible_collections.realip.toa.plugins.module_utils.host.writing import write_own

OPTIONS = ("--with", "baseonly", "--without", "kabichk", "--with", "firmware", "--without", "debuginfo")


class RpmBuild(Build):
    """ "Making a Kernel Package", steps 1 to 9; the tenth, installing, is a rollout."""

    def plan(self):
        return [
            ("1 install the source rpm", self.install_source),
            ("2 generate the kernel source directory (rpmbuild -bp)", self.prepare),
            ("3 copy the source directory", self.copy),
            ("4 apply the TOA patch to the copy", lambda: self.patch(self.new())),
            ("5 edit .config and copy it to SOURCES", self.configure),
            ("6 delete .config from the original", self.forget_config),
            ("7 generate the final patch", self.compare),
            ("8 edit kernel.spec", self.edit_spec),
            ("9 make the rpm package (rpmbuild -bb)", self.build),
        ]

    def spec(self):
        found = glob.glob(self.path("SPECS", "*.spec"))
        if len(found) != 1:
            raise TargetError(
                "bad_source", "the source rpm holds %d spec files" % len(found), "name the source rpm of a kernel"
            )
        return found[0]

    def define(self):
        return ["--define", "_topdir " + self.folder]

    def install_source(self):
        require_commands("rpmbuild", "rpm", "patch", "diff", "make")
        self.fetch("kernel.src.rpm")
        rc, _out, err = self.command(["rpm", "-i"] + self.define() + [self.path("kernel.src.rpm")], timeout=600)
        if rc != 0:
            raise TargetError(
                "bad_source",
                "the source rpm cannot be installed: %s" % err.strip()[-400:],
                "name the source rpm of a kernel",
            )
        self.spec()

    def prepare(self):
        shutil.rmtree(self.path("BUILD"), True)
        return self.folder, ["rpmbuild", "-bp", "--target=" + self.arch] + self.define() + [self.spec()]

    def original(self):
        """The source directory that %prep has made: the one with a Makefile and a Kconfig, however deep and whatever its name."""
        found = [
            os.path.dirname(path) for depth in ("*", "*/*") for path in glob.glob(self.path("BUILD", depth, "Kconfig"))
        ]
        found = [
            folder
            for folder in found
            if os.path.exists(os.path.join(folder, "Makefile")) and not folder.endswith("_new")
        ]
        if not found:
            raise TargetError(
                "bad_source", "rpmbuild -bp made no kernel source directory", "name the source rpm of a kernel"
            )
        return sorted(found)[0]

    def new(self):
        return self.original() + "_new"

    def copy(self):
        shutil.rmtree(self.new(), True)
        return self.folder, ["cp", "-a", self.original(), self.new()]

    def configure(self):
        config = os.path.join(self.new(), ".config")
        name = self.args.get("config_file") or config_name(
            read_text(self.spec(), 8 << 20) or "", list_dir(self.path("SOURCES")), self.arch
        )
        place = self.path("SOURCES", name)
        if not os.path.exists(config):
            shutil.copy(place, config)
        self.edit_config(config)
        # The specs of Enterprise Linux 7 read the architecture out of the first line.
        head = read_line(place) or ""
        text = read_text(config, 8 << 20) or ""
        keep = head + "\n" if re.match(r"# \w+$", head) and not text.startswith(head + "\n") else ""
        write_own(place, keep + text)

    def forget_config(self):
        for folder in (self.original(), self.new()):
            if os.path.exists(os.path.join(folder, ".config")):
                os.unlink(os.path.join(folder, ".config"))

    def compare(self):
        base, old = os.path.split(self.original())
        # A link that leads nowhere, as trees have them that were cut down, is an error to diff if it follows it; that of Enterprise Linux 6 always does.
        _rc, known, _err = self.command(["diff", "--help"])
        follow = "--no-dereference" if "--no-dereference" in known else ""
        script = 'cd "$1" && diff -uNr $5 "$2" "$3" >"$4"'
        rc, out, err = self.command(
            ["sh", "-c", script, "sh", base, old, old + "_new", self.path("SOURCES", PATCH), follow], timeout=3600
        )
        if rc not in (0, 1):
            raise TargetError("build_failed", "diff: %s" % (err or out).strip()[-400:], "see the folder %s" % base)
        if rc == 0 and self.args.get("patches"):
            raise TargetError(
                "patch_failed", "the patches changed nothing", "name a patch that is not in this source already"
            )

    def edit_spec(self):
        text = add_patch(read_text(self.spec(), 8 << 20) or "")
        if self.args.get("buildid"):
            text = set_buildid(text, self.args["buildid"])
        write_own(self.spec(), text)

    def build(self):
        options = self.args.get("spec_options")
        words = list(OPTIONS) if options is None else list(options)
        return self.folder, ["rpmbuild", "-bb"] + words + ["--target=" + self.arch] + self.define() + [self.spec()]

    def files(self):
        return glob.glob(self.path("RPMS", "*", "*.rpm"))
