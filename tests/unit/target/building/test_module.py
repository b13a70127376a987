# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What source.py and its parts make of compilers' words, package managers' answers and made-up hosts; real builds are in tests/integration."""

from __future__ import absolute_import, division, print_function

import base64
import os
import tarfile

import pytest
from ansible_collections.realip.toa.plugins.module_utils.building import headers as build_facts
from ansible_collections.realip.toa.plugins.module_utils.building import module_host, stepwise
from ansible_collections.realip.toa.plugins.module_utils.building import tools as build_tools
from ansible_collections.realip.toa.plugins.module_utils.building import tree as source_tree
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.packaging import repository

DEBIAN = "6.1.0-50-cloud-amd64"
EL7 = "3.10.0-693.11.1.el7.x86_64"

GCC = """make: Entering directory '/usr/src/linux-headers-6.1.0-50-cloud-amd64'
  CC [M]  /var/lib/realip-toa/build-x/tree/toa.o
/var/lib/realip-toa/build-x/tree/toa.c: In function 'toa_init':
/var/lib/realip-toa/build-x/tree/toa.c:12:9: warning: unused variable 'x'
/var/lib/realip-toa/build-x/tree/toa.c:14:2: error: implicit declaration of function 'proc_create' [-Werror]
/var/lib/realip-toa/build-x/tree/toa.c:15:2: error: second
cc1: some warnings being treated as errors
make[1]: *** [scripts/Makefile.build:250: /var/lib/realip-toa/build-x/tree/toa.o] Error 1
"""
MODPOST = '  MODPOST x\nERROR: modpost: "kallsyms_lookup_name" [/b/toa.ko] undefined!\nmake[2]: *** [Makefile.modpost:126] Error 1\n'
# As kernels' own Makefiles and compilers say it: CentOS 7 with gcc 4.8.5 of the first day, Debian 12 without its gcc, a gcc of another age.
RETPOLINE = (
    "make: Entering directory `/usr/src/kernels/3.10.0-862.el7.x86_64'\n"
    "arch/x86/Makefile:166: *** CONFIG_RETPOLINE=y, but not supported by the compiler. Compiler update recommended..  Stop.\n"
    "make: Leaving directory `/usr/src/kernels/3.10.0-862.el7.x86_64'\n"
)
OPTION = "  CC [M]  /b/toa.o\ngcc: error: unrecognized command line option '-mrecord-mcount'\nmake[2]: *** [scripts/Makefile.build:250: /b/toa.o] Error 1\n"
NO_GCC = "  CC [M]  /b/toa.o\n/bin/sh: 1: gcc-12: not found\nmake[2]: *** [/usr/src/x/scripts/Makefile.build:250: /b/toa.o] Error 127\n"
NO_GCC7 = "  CC [M]  /b/toa.o\n/bin/sh: gcc: command not found\nmake[1]: *** [/b/toa.o] Error 127\n"
CROSS = "x86_64-linux-gnu-gcc-12: fatal error: no input files\ncompilation terminated.\nmake[1]: *** [x] Error 1\n"
NO_RULE = "make[1]: Entering directory\nmake[1]: *** No rule to make target 'modules'.  Stop.\n"


@pytest.mark.parametrize(
    "output, said",
    [
        (GCC, "toa.c:14:2: error: implicit declaration of function 'proc_create' [-Werror]"),
        (MODPOST, 'ERROR: modpost: "kallsyms_lookup_name" [/b/toa.ko] undefined!'),
        (NO_RULE, "make[1]: *** No rule to make target 'modules'.  Stop."),
        (
            RETPOLINE,
            "arch/x86/Makefile:166: *** CONFIG_RETPOLINE=y, but not supported by the compiler. Compiler update recommended..  Stop.",
        ),
        (OPTION, "gcc: error: unrecognized command line option '-mrecord-mcount'"),
        (NO_GCC, "/bin/sh: 1: gcc-12: not found"),
        (NO_GCC7, "/bin/sh: gcc: command not found"),
        (CROSS, "x86_64-linux-gnu-gcc-12: fatal error: no input files"),
        ("", "it said nothing"),
        ("a\nlast words\n\n", "last words"),
    ],
)
def test_the_first_error(output, said):
    assert source_tree.first_error(output).endswith(said)


def test_what_failed_is_told_without_our_folders():
    error = source_tree.build_failed("toa", GCC, "/var/lib/realip-toa/build-x/tree")
    assert error.code == "build_failed" and error.message.startswith("building toa failed: toa.c:14:2: error:")
    assert source_tree.build_failed("toa", "toa.c:1: error: x\nas: No space left on device", "/x").code == "disk_full"
    assert source_tree.build_failed("toa", "CC", "/x", timed_out=True).code == "build_timeout"


def test_variables_of_make():
    assert source_tree.variables_checked({"CONFIG_TOA": "m", "A": "b c"}) == ["A=b c", "CONFIG_TOA=m"]
    for wrong in ({"A B": "c"}, {"-f": "x"}, {"A": "b\nall: evil"}):
        with pytest.raises(TargetError) as caught:
            source_tree.variables_checked(wrong)
        assert caught.value.code == "bad_option"


def packed(folder, names, top="toa-1.0"):
    path = os.path.join(str(folder), "packed.tar")
    archive = tarfile.open(path, "w")
    for name, text in names.items():
        made = os.path.join(str(folder), "one")
        handle = open(made, "w")
        handle.write(text)
        handle.close()
        archive.add(made, os.path.join(top, name))
    archive.close()
    handle = open(path, "rb")
    data = handle.read()
    handle.close()
    return base64.b64encode(data).decode("ascii")


def test_unpacked_into_its_one_directory_and_cleaned(tmpdir):
    work = tmpdir.mkdir("work")
    archive = packed(tmpdir, {"src/toa.c": "x", "src/toa.ko": "old", "src/.toa.o.cmd": "old", "src/Makefile": "y"})
    tree = source_tree.unpack({"url": "https://u:secret@example.org/toa.tar?token", "archive": archive}, str(work))
    assert os.path.basename(tree) == "toa-1.0"
    source_tree.clean(tree)
    assert sorted(os.listdir(source_tree.subdirectory(tree, "src"))) == ["Makefile", "toa.c"]
    with pytest.raises(TargetError) as caught:
        source_tree.subdirectory(tree, "kmod")
    assert "no directory kmod; it has src" in caught.value.message


def special(folder, entries):
    """An archive of entries that no honest one has: {name: (mode, type, where a link leads to)}."""
    path = os.path.join(str(folder), "special.tar")
    archive = tarfile.open(path, "w")
    for name, (mode, kind, target) in sorted(entries.items()):
        member = tarfile.TarInfo("toa/" + name)
        member.mode, member.type, member.linkname, member.uid = mode, kind, target, 1000
        archive.addfile(member)
    archive.close()
    return path


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nothing_that_others_may_write_and_no_setuid_comes_out_of_an_archive(tmpdir, umask):
    """As root tar keeps the modes of an archive, and what it makes in /usr/src is built by root at the next kernel update."""
    entries = {"a": (0o777, tarfile.DIRTYPE, ""), "a/toa.c": (0o666, tarfile.REGTYPE, "")}
    entries.update({"a/run": (0o6755, tarfile.REGTYPE, ""), "a/mk": (0o7777, tarfile.REGTYPE, "")})
    entries.update({"closed": (0o000, tarfile.REGTYPE, ""), "a/link": (0o777, tarfile.SYMTYPE, "toa.c")})
    path = special(tmpdir, entries)
    old = os.umask(umask)
    try:
        tree = source_tree.unpack({"url": path}, str(tmpdir.mkdir("work")))
    finally:
        os.umask(old)
    modes = dict((name, os.lstat(os.path.join(tree, name)).st_mode & 0o7777) for name in entries if name != "a/link")
    assert modes == {"a": 0o755, "a/toa.c": 0o644, "a/run": 0o755, "a/mk": 0o755, "closed": 0o644}
    assert os.stat(tree).st_mode & 0o7777 == os.stat(os.path.dirname(tree)).st_mode & 0o7777 == 0o755


@pytest.mark.parametrize(
    "kind, target",
    [
        (tarfile.SYMTYPE, "/etc"),
        (tarfile.SYMTYPE, "../../../etc/passwd"),
        (tarfile.SYMTYPE, "../nowhere-outside/../../../x"),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_an_archive_with_something_else_than_source_code(tmpdir, kind, target):
    path = special(tmpdir, {"Makefile": (0o644, tarfile.REGTYPE, ""), "evil": (0o777, kind, target)})
    with pytest.raises(TargetError) as caught:
        source_tree.unpack({"url": path}, str(tmpdir.mkdir("work")))
    assert caught.value.code == "bad_source" and "toa/evil" in caught.value.message


def test_a_package_that_a_build_left_under_a_name_that_is_none(tmpdir):
    """Sources choose the name: the controller makes a file of it beside its mirror's own."""
    for name in (".htaccess", "-x.rpm", "a b.rpm", "x.rpm\n", "$(id).rpm"):
        tmpdir.join("RPMS", name).write("x", ensure=True)
        with pytest.raises(TargetError) as caught:
            stepwise.result_of(str(tmpdir.join("RPMS", name)))
        assert caught.value.code == "bad_package"
    tmpdir.join("RPMS/link.rpm").mksymlinkto("/etc/passwd")
    with pytest.raises(TargetError) as caught:
        stepwise.result_of(str(tmpdir.join("RPMS/link.rpm")))
    assert caught.value.code == "bad_package"


def test_what_is_no_archive(tmpdir):
    with pytest.raises(TargetError) as caught:
        source_tree.unpack({"url": "toa.tar", "archive": base64.b64encode(b"<html>").decode("ascii")}, str(tmpdir))
    assert caught.value.code == "bad_source" and caught.value.message.startswith("toa.tar cannot be unpacked")


def test_a_file_on_the_host_with_another_digest(tmpdir):
    tmpdir.join("toa.tar").write("x")
    with pytest.raises(TargetError) as caught:
        source_tree.unpack({"url": str(tmpdir.join("toa.tar")), "sha256": "0" * 64}, str(tmpdir.mkdir("work")))
    assert caught.value.code == "digest_mismatch"
    assert os.listdir(str(tmpdir.join("work"))) == []


# -- what a host offers ------------------------------------------------------------------------------------------------


class Commands(object):
    """A host with some commands, and what they answer: {first words: (rc, out)}."""

    def __init__(self, monkeypatch, names, answers=None):
        self.answers = answers or {}
        self.asked = []
        for module in (build_tools, repository):
            monkeypatch.setattr(module, "which", lambda name: "/usr/bin/" + name if name in names else None)
            monkeypatch.setattr(module, "run", self.run)

    def run(self, words, **unused):
        self.asked.append(list(words))
        for start, answer in self.answers.items():
            if " ".join(words).startswith(start):
                rc, out = answer.pop(0) if isinstance(answer, list) else answer
                return rc, out, out if rc else ""
        return 1, "", "E: no such thing"


def test_headers_have_the_name_that_each_distribution_gives_them(monkeypatch):
    Commands(monkeypatch, ["apt-get"])
    assert build_tools.BuildPackages().headers(DEBIAN) == "linux-headers-" + DEBIAN
    Commands(monkeypatch, ["yum"], {"rpm -qf": (0, "kernel\n")})
    assert build_tools.BuildPackages().headers(EL7) == "kernel-devel-" + EL7
    Commands(monkeypatch, ["dnf"], {"rpm -qf": (0, "kernel-uek-core\n")})
    assert (
        build_tools.BuildPackages().headers("5.15.0-305.176.4.el8uek.x86_64")
        == "kernel-uek-devel-5.15.0-305.176.4.el8uek.x86_64"
    )
    Commands(monkeypatch, ["zypper"])
    assert (
        build_tools.BuildPackages().headers("5.14.21-150500.55.7-default") == "kernel-default-devel=5.14.21-150500.55.7"
    )


def test_headers_of_updates_come_in_the_version_of_the_kernels(monkeypatch):
    listed = (
        "install ok installed\tlinux-image-%s\t6.1.176-1\tkmod\n"
        "deinstall ok config-files\tlinux-image-amd64\t1\tlinux-image-%s\n"
        "install ok installed\tlinux-image-cloud-amd64\t6.1.176-1\tlinux-image-%s (= 6.1.176-1)\n"
    ) % (DEBIAN, DEBIAN, DEBIAN)
    Commands(monkeypatch, ["apt-get"], {"dpkg-query": (0, listed)})
    assert build_tools.BuildPackages().following_headers(DEBIAN) == ("linux-headers-cloud-amd64", "6.1.176-1")
    assert build_tools.BuildPackages().following_headers("6.1.0-5-cloud-amd64") == ("", "")
    Commands(monkeypatch, ["yum"])
    assert build_tools.BuildPackages().following_headers(EL7) == ("", "")


@pytest.mark.parametrize(
    "names, answers, offered",
    [
        (["apt-get"], {"apt-cache show": (0, "Package: x\n")}, True),
        (["apt-get"], {"apt-cache show": (100, ""), "apt-cache pkgnames": (0, "linux-headers-other\n")}, False),
        (["apt-get"], {"apt-cache show": (100, ""), "apt-cache pkgnames": (0, "")}, None),
        (["dnf"], {"dnf -q -C": (0, "kernel-devel-%s\n" % EL7)}, True),
        (["dnf"], {"dnf -q -C": (1, "")}, None),
        (["yum"], {}, None),
        ([], {}, None),
    ],
)
def test_whether_headers_are_to_be_had(monkeypatch, names, answers, offered):
    Commands(monkeypatch, names, answers)
    assert build_tools.BuildPackages().offers("kernel-devel-" + EL7) is offered


def test_lists_are_refreshed_once_and_what_came_is_told(monkeypatch):
    host = Commands(
        monkeypatch,
        ["apt-get"],
        {
            "dpkg-query": [
                (0, "kmod\tinstall ok installed\n"),
                (0, "kmod\tinstall ok installed\nmake\tinstall ok installed\ngcc\tinstall ok installed\n"),
            ],
            "apt-get update": (0, ""),
            "apt-get install": [(100, "E: Unable to locate package make"), (0, "")],
        },
    )
    assert build_tools.BuildPackages().install(["make"]) == (["gcc", "make"], "")
    assert [words[1] for words in host.asked if words[0] == "apt-get"] == ["install", "update", "install"]


def test_why_packages_did_not_come(monkeypatch):
    Commands(
        monkeypatch,
        ["apt-get"],
        {
            "dpkg-query": (0, ""),
            "apt-get update": (0, ""),
            "apt-get install": (100, "Reading package lists...\nE: Unable to locate package linux-headers-x\n"),
        },
    )
    assert build_tools.BuildPackages().install(["linux-headers-x"]) == (
        [],
        "E: Unable to locate package linux-headers-x",
    )
    Commands(monkeypatch, [])
    assert build_tools.BuildPackages().install(["x"]) == ([], "this host has no package manager that we know")


def test_what_there_is_to_build_with(tmpdir):
    empty = {"headers": False, "compiler": False, "make": False, "dkms": False, "noexec": False}
    assert build_facts.look(DEBIAN, str(tmpdir)) == empty
    for path in ("lib/modules/%s/build/Makefile" % DEBIAN, "usr/bin/cc", "usr/sbin/dkms"):
        tmpdir.join(path).write("", ensure=True)
    assert build_facts.look(DEBIAN, str(tmpdir)) == dict(empty, headers=True, compiler=True, dkms=True)


# -- requests ----------------------------------------------------------------------------------------------------------


def test_requests_that_make_no_sense():
    for args in ({"module": "ext4"}, {"subdirectory": "../etc"}, {"variables": {"A B": "c"}}):
        with pytest.raises(TargetError) as caught:
            module_host.Wanted(args)
        assert caught.value.code == "bad_option"


def test_identity_is_that_of_source_and_way():
    args = {"source": {"url": "x", "sha256": "a"}, "module": "toa"}
    same = module_host.Wanted(dict(args, source={"url": "elsewhere", "sha256": "a"})).identity()
    assert module_host.Wanted(args).identity() == same
    for change in (
        {"source": {"sha256": "b"}},
        {"module": "tcp_toa"},
        {"subdirectory": "src"},
        {"variables": {"CONFIG_TOA": "m"}},
    ):
        assert module_host.Wanted(dict(args, **change)).identity() != same
