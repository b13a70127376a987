# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TOA kernel, built on a build host as tencent-toa.txt lays it out: as rpm out of a source rpm, as deb or in place out of a source tree.

A build takes an hour, and a connection does not last as long. So each call goes on where the last one stopped and returns soon: what is quick
is done at once, what is long is started and left to run, and the next call finds it running, finished or failed. What was done is in the
folder of the build; the same request finds it again, another request has a folder of its own.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import glob
import json
import os
import re
import shutil

from ansible_collections.realip.toa.plugins.module_utils.building.kernel_install import take_away
from ansible_collections.realip.toa.plugins.module_utils.building.kernel_spec import (
    PATCH,
    add_patch,
    config_name,
    set_buildid,
)
from ansible_collections.realip.toa.plugins.module_utils.building.tree import build_failed, digest
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    LOCK_FILE,
    HostLock,
    TargetError,
    list_dir,
    make_dirs,
    read_bytes,
    read_line,
    read_text,
    remove_empty,
    run,
    start,
    to_text,
    which,
    write_atomic,
)
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine
from ansible_collections.realip.toa.plugins.module_utils.host.state import STATE_FILE, save_section, section
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under
from ansible_collections.realip.toa.plugins.module_utils.packaging.download import adopt, digest_of, matches

WORK = "/var/tmp/realip-toa-kernel"
# Of state.json: the kernel that was built on this host and installed here.
SECTION = "kernel_tree"
# KiB that a kernel's tree, its objects and its packages take.
ROOM = 12 << 20
A_KERNEL = "name the archive of a kernel's source"
OPTIONS = ("--with", "baseonly", "--without", "kabichk", "--with", "firmware", "--without", "debuginfo")
EDIT = re.compile(r"^(CONFIG_[A-Za-z0-9_]+)=(.+)$")
HUNK = re.compile(
    r"(?m)^((?:patching|checking) file .*|Hunk #\d+ FAILED.*|.*can't find file to patch.*|\d+ out of \d+ hunks? .*)$"
)
COMPILED = re.compile(b"(?m)^  (?:CC|AS|LD|AR)\\b")


def main(args):
    """args: format (rpm, deb, tree), source {url, sha256}, patches [{name, data (base64)}], config [CONFIG_X=y], config_file, buildid, arch, jobs, work,
    spec_options [words], release, room_kib, root, check; or state: absent. Returns {finished, step, number, of, detail, packages}; see
    plugins/modules/toa_source.py."""
    if args.get("state") == "absent":
        return absent(args)
    build = FORMATS[args["format"]](args)
    if args.get("check"):
        return build.answer(changed=not build.is_finished())
    return build.advance()


class Build:
    """One build in its folder. `steps`: (what it is, method); a method returns words of a command that takes long, or None."""

    def __init__(self, args):
        self.args = args
        self.source = args["source"]
        self.config = [_edit(line) for line in args.get("config") or []]
        self.arch = args.get("arch") or os.uname()[4]
        self.root = args.get("root") or "/"
        request = [
            args["format"],
            self.source,
            args.get("patches"),
            args.get("config"),
            args.get("config_file"),
            args.get("buildid"),
            self.arch,
            args.get("spec_options"),
        ]
        self.identity = digest(json.dumps(request, sort_keys=True))[:16]
        self.folder = os.path.join(args.get("work") or WORK, self.identity)
        self.steps = self.plan()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    # ---- going on

    def advance(self):
        make_dirs(self.folder, 0o755)
        began = len(self.done())
        while not self.is_finished():
            title, work = self.steps[len(self.done())]
            if os.path.exists(self.path("running")):
                if not self.has_ended():
                    return self.answer(changed=True)
                self.take_result(title)
            else:
                command = work()
                if command:
                    self.start(command)
                    return self.answer(changed=True)
            self.mark(title)
        return self.answer(changed=len(self.done()) > began)

    def done(self):
        return (read_text(self.path("done")) or "").splitlines()

    def is_finished(self):
        return len(self.done()) >= len(self.steps)

    def mark(self, title):
        write_atomic(self.path("done"), "".join(line + "\n" for line in self.done() + [title]))

    def start(self, command):
        """Run a command that outlives this call; its words go to `log`, its exit status to `status`."""
        for name in ("status", "status.new", "log"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        folder, words = command
        script = 'cd "$1" && shift && log=$1 && shift && { "$@"; echo $? >status.new; } >"$log/log" 2>&1; mv status.new "$log/status"'
        log = open(self.path("log"), "wb")
        null = open(os.devnull, "rb")
        environment = dict(os.environ, LC_ALL="C")
        child = start(
            ["sh", "-c", script, "sh", folder, self.folder] + list(words),
            stdin=null,
            stdout=log,
            stderr=log,
            preexec_fn=os.setsid,
            env=environment,
            cwd="/",
        )
        log.close()
        null.close()
        write_atomic(self.path("running"), "%d %s\n" % (child.pid, _started(child.pid)))

    def has_ended(self):
        """Whether the command of `running` is over: it left its status, or is there no more."""
        words = (read_line(self.path("running")) or "0").split()
        alive = len(words) == 2 and _started(words[0]) == words[1]
        return os.path.exists(self.path("status")) or not alive

    def take_result(self, title):
        status = read_line(self.path("status"))
        os.unlink(self.path("running"))
        output = read_text(self.path("log"), 64 << 20) or ""
        if status is None:
            raise TargetError(
                "build_interrupted",
                "%s was ended from outside" % title,
                "run again: the build goes on with this step",
                log=self.path("log"),
            )
        if status != "0":
            error = build_failed(title, output, self.folder)
            error.data["log"] = self.path("log")
            raise error

    def answer(self, changed):
        number = min(len(self.done()) + 1, len(self.steps))
        finished = self.is_finished()
        log = read_bytes(self.path("log"), 64 << 20) or b""
        lines = [line for line in to_text(log[-2000:]).splitlines() if line.strip()]
        return {
            "changed": changed,
            "finished": finished,
            "number": number,
            "of": len(self.steps),
            "step": self.steps[number - 1][0],
            "detail": ""
            if finished
            else "%d objects; %s" % (len(COMPILED.findall(log)), lines[-1].strip()[:120])
            if lines
            else "",
            "packages": self.packages() if finished else [],
            "folder": self.folder,
        }

    # ---- what every format does

    def fetch(self, name):
        """The source, checked; a copy of an earlier call is good enough."""
        free = os.statvfs(self.folder)
        wanted = self.args.get("room_kib") or ROOM
        if free.f_bavail * free.f_frsize // 1024 < wanted:
            raise TargetError(
                "disk_full",
                "%s has %d MiB free, and a kernel needs %d"
                % (self.folder, free.f_bavail * free.f_frsize >> 20, wanted >> 10),
                "make room there, name another folder (work), or say how much is enough (room)",
            )
        if not matches(self.path(name), self.source.get("sha256") or "-", 0):
            adopt(self.source["url"], self.path(name), name, self.source.get("sha256") or "", 0, 3600)

    def patch(self, folder):
        """Apply the patches; one that does not apply is named with its hunk, and the tree is as it was."""
        for patch in self.args.get("patches") or []:
            # As the specs of Enterprise Linux themselves: with more fuzz, a patch for another kernel finds a place that is not meant.
            words = ["patch", "-p1", "-F1", "-d", folder, "--no-backup-if-mismatch", "-N"]
            data = base64.b64decode(patch["data"])
            rc, out, err = run(words + ["--dry-run"], stdin=data)
            if rc != 0:
                said = HUNK.findall(out + err)
                failed = [
                    line
                    for index, line in enumerate(said)
                    if "FAILED" in line
                    or "can't find" in line
                    or (" file " in line and index + 1 < len(said) and "FAILED" in said[index + 1])
                ]
                raise TargetError(
                    "patch_failed",
                    "%s does not apply: %s"
                    % (patch["name"], "; ".join(failed or said or [(out + err).strip()[-300:]])),
                    "name a patch that was made for this source",
                )
            run(words, stdin=data)

    def edit_config(self, path):
        """Put the operator's lines in place of what a configuration says."""
        lines = (read_text(path, 8 << 20) or "").splitlines()
        for name, value in self.config:
            lines = [line for line in lines if not re.match(r"(# )?%s[= ]" % name, line)] + ["%s=%s" % (name, value)]
        write_atomic(path, "\n".join(lines) + "\n")

    def jobs(self):
        return "-j%d" % (self.args.get("jobs") or max(1, os.sysconf("SC_NPROCESSORS_ONLN")))

    def packages(self):
        return [_result(path) for path in sorted(self.files())]


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
        _require("rpmbuild", "rpm", "patch", "diff", "make")
        self.fetch("kernel.src.rpm")
        rc, _out, err = run(["rpm", "-i"] + self.define() + [self.path("kernel.src.rpm")], timeout=600)
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
        write_atomic(place, keep + text)

    def forget_config(self):
        for folder in (self.original(), self.new()):
            if os.path.exists(os.path.join(folder, ".config")):
                os.unlink(os.path.join(folder, ".config"))

    def compare(self):
        base, old = os.path.split(self.original())
        # A link that leads nowhere, as trees have them that were cut down, is an error to diff if it follows it; that of Enterprise Linux 6 always does.
        _rc, known, _err = run(["diff", "--help"])
        follow = "--no-dereference" if "--no-dereference" in known else ""
        script = 'cd "$1" && diff -uNr $5 "$2" "$3" >"$4"'
        rc, out, err = run(
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
        write_atomic(self.spec(), text)

    def build(self):
        options = self.args.get("spec_options")
        words = list(OPTIONS) if options is None else list(options)
        return self.folder, ["rpmbuild", "-bb"] + words + ["--target=" + self.arch] + self.define() + [self.spec()]

    def files(self):
        return glob.glob(self.path("RPMS", "*", "*.rpm"))


class SourceTree(Build):
    """The beginning that what is made of a source tree has in common: a whole tree with the patch already in, or a stock tree and a patch."""

    def plan(self):
        return [
            ("1 fetch the source", lambda: self.fetch("source.tar")),
            ("2 decompress it", self.unpack),
            ("2 apply the TOA patch", lambda: self.patch(self.tree())),
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
        _require("make", "gcc", "patch", "tar")
        shutil.rmtree(self.path("tree"), True)
        os.mkdir(self.path("tree"))
        return self.folder, ["tar", "-x", "-f", self.path("source.tar"), "-C", self.path("tree"), "--no-same-owner"]

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
        rc, out, err = run(["make", "-s", "-C", tree, "olddefconfig"], timeout=600)
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
            write_atomic(
                path, re.sub(r"(?m)^EXTRAVERSION[ \t]*=.*$", "EXTRAVERSION = %s" % self.args["buildid"], text, count=1)
            )
        if self.args.get("release"):
            rc, out, err = run(["make", "-s", "-C", self.tree(), "kernelrelease"], timeout=600)
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
        write_atomic(self.path("done"), "".join(line + "\n" for line in Build.done(self)[: len(self.steps) - 2]))

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


FORMATS = {"rpm": RpmBuild, "deb": DebBuild, "tree": TreeBuild}


def _edit(line):
    match = EDIT.match(line)
    if not match:
        raise TargetError(
            "bad_option", "%r is not a line of a kernel's configuration" % line, "write it as CONFIG_TOA=m"
        )
    return match.group(1), match.group(2)


def _started(pid):
    """When a process started, in ticks since boot: with the pid it names a process, and no later one of the same pid."""
    words = (read_text("/proc/%s/stat" % pid, 4096) or "").rsplit(")", 1)[-1].split()
    return words[19] if len(words) > 19 and words[0] != "Z" else ""


def _require(*commands):
    missing = [name for name in commands if not which(name)]
    if missing:
        raise TargetError(
            "compiler_missing",
            "this build host has no %s" % ", ".join(missing),
            "install rpm-build, gcc, make, patch and what the kernel's build needs",
        )


def _result(path):
    sha256, size = digest_of(path)
    return {"path": path, "file": os.path.basename(path), "size": size, "sha256": sha256, "release": _release_in(path)}


def _release_in(path):
    """The `uname -r` of the kernel in a package, "" where it holds none."""
    if path.endswith(".rpm"):
        _rc, out, _err = run(["rpm", "-qpl", path])
    elif path.endswith(".deb"):
        _rc, out, _err = run(["dpkg-deb", "-c", path])
    else:
        return os.path.basename(path).replace("vmlinuz-", "", 1)
    match = re.search(r"(?m)/boot/vmlinuz-(\S+)$", out)
    return match.group(1) if match else ""
