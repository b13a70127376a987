# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A long build, step by step: each call goes on where the last one stopped, and returns soon.

What is quick is done at once, what is long is started and left to run. The next call finds it running, finished or failed.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import json
import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.own_folder import (
    BUILDS,
    check_folder,
    own_folder,
    runs_programs,
)
from ansible_collections.realip.toa.plugins.module_utils.building.tree import build_failed, digest
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    COMMAND_PATH,
    TargetError,
    read_bytes,
    read_line,
    read_text,
    run,
    start,
    to_text,
    which,
)
from ansible_collections.realip.toa.plugins.module_utils.host.writing import write_own
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under
from ansible_collections.realip.toa.plugins.module_utils.packaging.download import adopt, digest_of, matches

# KiB that a kernel's tree, its objects and its packages take.
ROOM = 12 << 20
EDIT = re.compile(r"^(CONFIG_[A-Za-z0-9_]+)=(.+)$")
HUNK = re.compile(
    r"(?m)^((?:patching|checking) file .*|Hunk #\d+ FAILED.*|.*can't find file to patch.*|\d+ out of \d+ hunks? .*)$"
)
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.+~_:%^-]*\Z")
COMPILED = re.compile(b"(?m)^  (?:CC|AS|LD|AR)\\b")


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
        self.folder = os.path.join(args.get("work") or under(self.root, BUILDS), self.identity)
        # A folder of somebody else would tell of steps that we have not done.
        check_folder(self.folder)
        self.steps = self.plan()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    # ---- going on

    def advance(self):
        own_folder(self.folder)
        if not runs_programs(self.folder):
            raise TargetError(
                "build_noexec",
                "%s is on a file system that is mounted noexec, and a kernel's tree builds programs that it then runs"
                % self.folder,
                "name a folder elsewhere (toa_kernel.work), or mount that file system without noexec",
            )
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
        write_own(self.path("done"), "".join(line + "\n" for line in self.done() + [title]))

    def start(self, command):
        """Run a command that outlives this call; its words go to `log`, its exit status to `status`."""
        for name in ("status", "status.new", "log"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        folder, words = command
        script = 'umask 022; cd "$1" && shift && log=$1 && shift && { "$@"; echo $? >status.new; } >"$log/log" 2>&1; mv status.new "$log/status"'
        log = open(self.path("log"), "wb")
        null = open(os.devnull, "rb")
        environment = dict(self.environment(), PATH=COMMAND_PATH, LC_ALL="C", LANG="C")
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
        write_own(self.path("running"), "%d %s\n" % (child.pid, _started(child.pid)))

    def environment(self):
        """No file of the caller's home (.rpmmacros, .gitconfig) has a say in a build; of the rest of his environment, run() passes nothing on."""
        return {"HOME": self.folder}

    def command(self, words, timeout=120, stdin=None):
        """A short command of a build; returns (rc, out, err)."""
        return run(words, timeout=timeout, stdin=stdin, env=self.environment())

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
            rc, out, err = self.command(words + ["--dry-run"], stdin=data)
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
            self.command(words, stdin=data)

    def edit_config(self, path):
        """Put the operator's lines in place of what a configuration says."""
        lines = (read_text(path, 8 << 20) or "").splitlines()
        for name, value in self.config:
            lines = [line for line in lines if not re.match(r"(# )?%s[= ]" % name, line)] + ["%s=%s" % (name, value)]
        write_own(path, "\n".join(lines) + "\n")

    def jobs(self):
        return "-j%d" % (self.args.get("jobs") or max(1, os.sysconf("SC_NPROCESSORS_ONLN")))

    def packages(self):
        return [result_of(path) for path in sorted(self.files())]


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


def require_commands(*commands):
    missing = [name for name in commands if not which(name)]
    if missing:
        raise TargetError(
            "compiler_missing",
            "this build host has no %s" % ", ".join(missing),
            "install rpm-build, gcc, make, patch and what the kernel's build needs",
        )


def result_of(path):
    """What was built, by a name that can be a file's name everywhere: sources choose it, and a link could be any file of this host."""
    name = os.path.basename(path)
    if not NAME.match(name) or os.path.islink(path) or not os.path.isfile(path):
        raise TargetError(
            "bad_package",
            "the build left %r, which is not a plain file with the name of a package" % name,
            "see what this source is",
        )
    sha256, size = digest_of(path)
    return {"path": path, "file": name, "size": size, "sha256": sha256, "release": _release_in(path)}


def _release_in(path):
    """The `uname -r` of the kernel in a package, "" where it holds none."""
    if path.endswith(".rpm"):
        _rc, out, _err = run(["rpm", "-qpl", path], env={"HOME": "/"})
    elif path.endswith(".deb"):
        _rc, out, _err = run(["dpkg-deb", "-c", path])
    else:
        return os.path.basename(path).replace("vmlinuz-", "", 1)
    match = re.search(r"(?m)/boot/vmlinuz-([A-Za-z0-9][A-Za-z0-9._+~-]*)$", out)
    return match.group(1) if match else ""
