# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes and what stays where packages of others need what we have brought; tests/integration/test_package.py has a real apt."""

from __future__ import absolute_import, division, print_function

import pytest
from ansible_collections.realip.toa.plugins.module_utils.packaging import bpftool, repository


class PackageTools(object):
    """A host with apt-get or with dnf and rpm, which remove what depends on a package along with it, as real ones do."""

    def __init__(self, monkeypatch, tool, installed):
        self.tool = tool
        # {package: packages that it needs; one of those in a tuple}
        self.installed = installed
        self.offers = {}
        self.words = []
        monkeypatch.setattr(repository, "which", lambda name: "/usr/bin/" + name if name == tool else None)
        monkeypatch.setattr(repository, "run", self.run)

    def broken_without(self, gone):
        left = dict((name, needs) for name, needs in self.installed.items() if name not in gone)
        return set(
            name
            for name, needs in left.items()
            for need in needs
            if not set(left) & set(need if isinstance(need, tuple) else [need])
        )

    def run(self, argv, **unused):
        self.words.append(list(argv))
        given = [word for word in argv[2:] if word in self.installed or word in self.offers]
        if argv[0] == "dpkg-query":
            return 0, "".join("%s\tinstall ok installed\n" % name for name in self.installed), ""
        if argv[:2] == ["rpm", "-qa"]:
            return 0, "\n".join(self.installed), ""
        if argv[:3] == ["rpm", "-e", "--test"]:
            broken = self.broken_without(given)
            said = "".join("\tx is needed by (installed) %s\n" % name for name in broken)
            return (1, "", "error: Failed dependencies:\n" + said) if broken else (0, "", "")
        if "install" in argv:
            for name in given:
                for old in self.offers[name][1]:
                    self.installed.pop(old, None)
                self.installed.update(self.offers[name][0])
            return 0, "", ""
        gone = set(given)
        while self.broken_without(gone):
            gone |= self.broken_without(gone)
        if "-s" in argv:
            return 0, "".join("Purg %s [1]\n" % name for name in gone), ""
        for name in gone:
            del self.installed[name]
        return 0, "", ""


@pytest.fixture(params=["apt-get", "dnf"])
def tools(request, monkeypatch):
    def of(**installed):
        """Named in Python, known to rpm with version, release and architecture."""
        suffix = "" if request.param == "apt-get" else "-1-1.x86_64"
        named = dict((name + suffix, [need + suffix for need in needs]) for name, needs in installed.items())
        host = PackageTools(monkeypatch, request.param, named)
        host.named = lambda *names: [name + suffix for name in names]
        return host

    return of


def test_what_is_ours_alone_goes(tools):
    host = tools(bash=[], gcc=["cpp"], cpp=[], dkms=["gcc"])
    ours = host.named("cpp", "dkms", "gcc")
    assert repository.Repository().remove(ours) == ([], [], "")
    assert sorted(host.installed) == host.named("bash")


def test_what_somebody_else_needs_stays_and_the_rest_goes(tools):
    """zfs-dkms came after us, and needs the dkms that we have brought; so it needs what that needs."""
    host = tools(bash=[], make=[], gcc=["cpp"], cpp=[], dkms=["gcc"], zfs=["dkms"])
    left, needed, _said = repository.Repository().remove(host.named("cpp", "dkms", "gcc", "make"))
    assert (left, needed) == ([], host.named("cpp", "dkms", "gcc"))
    assert sorted(host.installed) == sorted(host.named("bash", "cpp", "dkms", "gcc", "zfs"))


def test_nothing_goes_where_all_is_needed(tools):
    host = tools(dkms=[], zfs=["dkms"])
    assert repository.Repository().remove(host.named("dkms", "gone"))[:2] == ([], host.named("dkms"))
    assert "zfs" in " ".join(host.installed)


def test_one_of_two_is_needed(monkeypatch):
    host = PackageTools(monkeypatch, "apt-get", {"gcc": [], "clang": [], "builder": [("gcc", "clang")]})
    assert repository.Repository().remove(["gcc", "clang"])[1] == ["clang", "gcc"] and len(host.installed) == 3


def test_what_came_is_what_was_not_there(monkeypatch):
    host = PackageTools(monkeypatch, "apt-get", {"linux-tools-common": [], "bash": []})
    host.offers = {"linux-tools-common": ({}, []), "linux-tools-6": ({"linux-tools-6": [], "libbpf1": []}, [])}
    came, said = repository.Repository().install(["linux-tools-common", "linux-tools-6"])
    assert (came, said) == (["libbpf1", "linux-tools-6"], "")


def test_a_newer_version_of_what_was_there_is_not_ours(monkeypatch):
    before = {"libelf-0.1-1.x86_64": [], "kernel-devel-4.18-1.x86_64": []}
    host = PackageTools(monkeypatch, "dnf", dict(before))
    new = {"gcc-8-1.x86_64": [], "libelf-0.2-1.x86_64": [], "kernel-devel-4.18-2.x86_64": []}
    host.offers = {"gcc": (new, ["libelf-0.1-1.x86_64"])}
    # Several versions of a kernel's packages are there side by side: the second is ours.
    assert repository.Repository().install(["gcc"])[0] == ["gcc-8-1.x86_64", "kernel-devel-4.18-2.x86_64"]


def test_bpftool_is_recorded_without_what_was_there_before(monkeypatch):
    host = PackageTools(monkeypatch, "apt-get", {"linux-tools-common": []})
    host.offers = {"linux-tools-6": ({"linux-tools-6": []}, []), "linux-tools-common": ({}, [])}
    monkeypatch.setattr(bpftool, "packages", lambda: ["linux-tools-common", "linux-tools-6"])
    monkeypatch.setattr(bpftool, "problem", lambda: None)
    assert bpftool.install() == ["linux-tools-6"]
    bpftool.remove(["linux-tools-6"])
    assert list(host.installed) == ["linux-tools-common"]


def test_dpkgs_lock_is_waited_for_and_nothing_unused_goes_along(monkeypatch, tmpdir):
    host = PackageTools(monkeypatch, "apt-get", {"dkms": []})
    repository.Repository(str(tmpdir)).remove(["dkms"])
    words = " ".join(host.words[-2])
    assert "purge" in words and "APT::Get::AutomaticRemove=false" in words and "DPkg::Lock::Timeout=120" in words
    host = PackageTools(monkeypatch, "dnf", {"dkms-1-1.noarch": []})
    repository.Repository().remove(["dkms-1-1.noarch"])
    assert "--noautoremove" in host.words[-2]
