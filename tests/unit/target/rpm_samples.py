# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An rpm, a dnf and a yum that are made up, for the programs that call them."""

from __future__ import absolute_import, division, print_function

import os
import re

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.packaging import repository, rpm, wanted
from ansible_collections.realip.toa.plugins.module_utils.programs import package as packages

RUNNING = "2.6.32-754.35.1.el6.x86_64"
RELEASE = "2.6.32-220.23.1.el6.toa.x86_64"
STOCK, TOA = "kernel-" + RUNNING, "kernel-" + RELEASE


def split(identity):
    return re.match(r"(.+)-([^-]+-[^-]+)\.([^.]+)$", identity).groups()


class FakeRpm(object):
    """A host with rpm 4.8: what is installed, what the files in its cache hold, and what its tools are told to say."""

    def __init__(self, root):
        self.root = root
        self.installed = {}
        # What a repository brings beside what it was asked for; {package: those that it needs}.
        self.along, self.needs = [], {}
        self.contents = {}
        self.calls = []
        self.says = {}
        self.repository = {}
        self.tool = "yum"
        self.enter(STOCK, ["boot/vmlinuz-" + RUNNING, "lib/modules/%s/modules.order" % RUNNING])
        self.enter("bash-4.1-1.el6.x86_64", ["bin/bash"])
        os.makedirs(os.path.join(root, "var/lib/rpm"))

    def enter(self, identity, files):
        self.installed[identity] = files
        for name in files:
            path = os.path.join(self.root, name)
            if not os.path.isdir(os.path.dirname(path)):
                os.makedirs(os.path.dirname(path))
            open(path, "w").close()

    def package(self, folder, identity=TOA, files=None):
        """A file that holds a package, and its item of a plan."""
        release = split(identity)[1] + "." + split(identity)[2]
        path = os.path.join(folder, identity + ".rpm")
        handle = open(path, "w")
        handle.write("rpm " + identity)
        handle.close()
        self.contents[identity + ".rpm"] = files or ["boot/vmlinuz-" + release, "lib/modules/%s/toa.ko" % release]
        return {"name": "kernel", "file": identity + ".rpm", "format": "rpm", "role": "image", "release": release}

    def run(self, argv, timeout=120, env=None):
        if argv[0] != "rpm":
            return self.repository_tool(argv)
        assert argv[1:3] == ["--root", self.root]
        arguments = argv[3:]
        given = [word for word in arguments if not word.startswith("-")]
        verb = [word for word in arguments if word in ("-qa", "-qp", "-K", "-i", "-e", "-ql", "-qf", "--eval")][0]
        if verb in self.says and "--test" not in arguments:
            return self.says[verb]
        if verb == "--eval":
            return 0, "/var/lib/rpm\n", ""
        if verb == "-qa":
            return 0, "".join("%s\t%s\t%s\n" % split(identity) for identity in self.installed), ""
        if verb == "-ql":
            return 0, "".join("/%s\n" % name for name in self.installed.get(given[0], [])), ""
        if verb == "-qf":
            owners = [
                "%s\t%s\t%s\n" % split(key) for key, files in self.installed.items() if given[-1].lstrip("/") in files
            ]
            return (0, "".join(owners), "") if owners else (1, "file %s is not owned by any package\n" % given[-1], "")
        if verb == "-K":
            return 0, "%s: sha1 md5 OK\n" % given[0], ""
        if verb == "-qp":
            name = os.path.basename(given[-1])
            lines = ["%s\t%s\t%s" % split(name[: -len(".rpm")])] + [
                "/%s\t100\t100644\t0" % path for path in self.contents[name]
            ]
            return 0, "\n".join(lines) + "\n", ""
        self.calls.append(arguments)
        return self.install(arguments, given) if verb == "-i" else self.erase(arguments, given)

    def install(self, arguments, given):
        test = "--test" in arguments
        if test and "test" in self.says:
            return self.says["test"]
        for path in given:
            identity = os.path.basename(path)[: -len(".rpm")]
            newer = [key for key in self.installed if split(key)[0] == split(identity)[0] and "-754" in key]
            if newer and "--oldpackage" not in arguments:
                return 1, "", "\tpackage %s (which is newer than %s) is already installed\n" % (newer[0], identity)
            if identity in self.installed and "--replacepkgs" not in arguments:
                return 1, "", "\tpackage %s is already installed\n" % identity
            if not test:
                self.enter(identity, self.contents[identity + ".rpm"])
        return self.says.get("scripts", (0, "", "")) if not test else (0, "", "")

    def erase(self, arguments, given):
        if "--test" in arguments:
            broken = [
                "\t%s is needed by (installed) %s\n" % (need, who)
                for who, needs in self.needs.items()
                for need in needs
                if who in self.installed and who not in given and need in given
            ]
            return self.says.get("needed", (1 if broken else 0, "", "".join(broken)))
        if "preun" in self.says and "--noscripts" not in arguments:
            return self.says["preun"]
        for identity in given:
            for name in self.installed.pop(identity):
                os.unlink(os.path.join(self.root, name))
        return 0, "", ""

    def repository_tool(self, argv):
        assert argv[:3] == [self.tool, "-y", "--installroot=" + self.root]
        self.calls.append(argv)
        verb, names = argv[3], [word for word in argv[4:] if not word.startswith("-")]
        if verb in self.says:
            return self.says[verb]
        for name in names:
            if verb == "install" and name in self.repository:
                self.enter(self.repository[name], ["usr/lib/systemd/system/%s.service" % name])
                for more in self.along:
                    self.enter(more, ["usr/lib/" + more])
            elif verb == "remove":
                self.installed = dict((key, files) for key, files in self.installed.items() if split(key)[0] != name)
        return 0, "", ""


@pytest.fixture(name="host")
def rpm_host(tmpdir, monkeypatch):
    root = tmpdir.mkdir("root")
    root.mkdir("run")
    fake = FakeRpm(str(root))
    fake.folder = str(tmpdir.mkdir("mirror"))
    monkeypatch.setattr(rpm, "run", fake.run)
    monkeypatch.setattr(repository, "run", fake.run)
    monkeypatch.setattr(wanted, "which", lambda name: "/bin/" + name if name == "rpm" else None)
    monkeypatch.setattr(repository, "which", lambda name: "/usr/bin/" + name if name == fake.tool else None)
    return fake


def call(host, items, state="present", check=False, **more):
    args = {
        "packages": items,
        "state": state,
        "check": check,
        "root": host.root,
        "running": RUNNING,
        "lock_timeout": 0.1,
        "src": host.folder,
        "accept_unverified": True,
        "accept_downgrade": True,
    }
    return packages.main(dict(args, **more))


def files_of(root):
    found = []
    for folder, _folders, files in os.walk(root):
        found.extend(os.path.relpath(os.path.join(folder, name), root) for name in files)
    return sorted(name for name in found if not name.startswith(("var/cache", "run/")))


def refused(host, items, state="present", **more):
    before = (sorted(host.installed), files_of(host.root))
    with pytest.raises(TargetError) as caught:
        call(host, items, state, **more)
    assert (sorted(host.installed), files_of(host.root)) == before
    return caught.value


def configuration(root, text, name="yum.conf"):
    path = os.path.join(root, "etc", name)
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    handle = open(path, "w")
    handle.write(text)
    handle.close()
    return path


def read(path):
    handle = open(path)
    try:
        return handle.read()
    finally:
        handle.close()
