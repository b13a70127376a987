# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of repositories and kernels that are held, against a dnf and a yum that are made up."""

from __future__ import absolute_import, division, print_function

import os
import re

import pytest
from ansible_collections.realip.toa.plugins.module_utils.packaging.rpm_hold import Holds, words_for
from rpm_samples import (
    TOA,
    call,
    configuration,
    read,
    refused,
    rpm_host,  # noqa: F401
)

# -- repositories ------------------------------------------------------------------------------------------------------

VTOA = {"name": "vtoa", "repository": True}


@pytest.mark.parametrize("tool", ["yum", "dnf"])
def test_from_a_repository(host, tool):
    host.tool = tool
    host.repository["vtoa"] = "vtoa-1.0-1.al8.x86_64"
    assert (
        call(host, [VTOA], check=True)["after"]["installed"] == {"vtoa": "as in the repositories"} and host.calls == []
    )
    done = call(host, [VTOA], accept_unverified=False)
    assert done["after"]["installed"] == {"vtoa": "1.0-1.al8"} and host.calls[-1][3:] == ["install", "vtoa"]
    assert not call(host, [VTOA])["changed"]
    assert call(host, [], "absent")["changed"] and host.calls[-1][3:] == ["remove"] + [
        word for word in ("--noautoremove", "vtoa") if tool == "dnf" or word == "vtoa"
    ]
    assert not call(host, [], "absent")["changed"]


@pytest.mark.parametrize(
    "needs, left",
    [
        ({}, []),
        ({"gateway-1-1.x86_64": ["libone-1-1.x86_64"]}, ["libone-1-1.x86_64"]),
        (
            {"gateway-1-1.x86_64": ["libone-1-1.x86_64"], "libone-1-1.x86_64": ["libtwo-1-1.x86_64"]},
            ["libone-1-1.x86_64", "libtwo-1-1.x86_64"],
        ),
    ],
)
def test_what_came_along_goes_but_for_what_others_need_by_now(host, needs, left):
    """dnf would take more: a package that was there before us, and that it calls unneeded."""
    host.tool = "dnf"
    host.enter("orphan-1-1.x86_64", ["usr/lib/orphan"])
    host.enter("gateway-1-1.x86_64", ["usr/bin/gateway"])
    before = sorted(host.installed)
    host.repository["vtoa"] = "vtoa-1.0-1.al8.x86_64"
    host.along = ["libone-1-1.x86_64", "libtwo-1-1.x86_64"]
    call(host, [VTOA])
    host.needs = needs
    assert call(host, [], "absent")["changed"]
    assert sorted(host.installed) == sorted(before + left)
    assert [words for words in host.calls if "remove" in words][-1][3:] == ["remove", "--noautoremove", "vtoa"]


REPOSITORY_SAYS = [
    ((1, "", "No match for argument: vtoa\nError: Unable to find a match: vtoa"), "package_unavailable"),
    ((1, "No package vtoa available.\nError: Nothing to do\n", ""), "package_unavailable"),
    ((1, "", "Cannot find a valid baseurl for repo: base/7/x86_64"), "repository_unreachable"),
    (
        (1, "", "Error: Failed to download metadata for repo 'plus': Cannot download repomd.xml"),
        "repository_unreachable",
    ),
    ((1, "", "Public key for vtoa-1-1.rpm is not installed\nError: GPG check FAILED"), "package_unsigned"),
    ((0, "No package vtoa available.\nNothing to do\n", ""), "install_incomplete"),
    ((1, "", "Error: boom"), "install_failed"),
]


@pytest.mark.parametrize("says, code", REPOSITORY_SAYS)
def test_what_goes_wrong_with_a_repository(host, says, code):
    host.says["install"] = says
    problem = refused(host, [VTOA])
    assert problem.code == code and problem.remedy and "vtoa" in problem.message


def test_neither_yum_nor_dnf(host):
    host.tool = "zypper"
    assert refused(host, [VTOA]).code == "package_tool_missing"


def test_what_others_need(host):
    host.enter("vtoa-1.0-1.al8.x86_64", ["usr/x"])
    host.says["needed"] = (1, "", "error: Failed dependencies:\n\tvtoa is needed by (installed) gateway-1-1.x86_64\n")
    problem = refused(host, [VTOA], "absent")
    assert problem.code == "package_needed" and "gateway-1-1.x86_64" in problem.message


@pytest.mark.parametrize(
    "items",
    [
        [dict(VTOA, url="http://127.0.0.1/vtoa-1-1.x86_64.rpm")],
        [dict(VTOA, sha256="0" * 64)],
        [VTOA, {"name": "vtoa", "file": "", "repository": True}],
        [{"name": "../x", "repository": True}],
        [{"name": "kernel", "file": "kernel$(x)-1-1.x86_64.rpm"}],
    ],
)
def test_bad_input(host, items):
    assert refused(host, items).code == "bad_package"


def test_a_deb_has_no_repository_here(host):
    assert refused(host, [dict(VTOA, format="deb")]).code == "format_unsupported"


# -- holding -----------------------------------------------------------------------------------------------------------

WORDS = "kernel kernel-core kernel-modules*"
CONFIGURATIONS = [
    "[main]\ngpgcheck=1\n",
    "[main]\nexclude=php* mysql\ngpgcheck=1\n",
    "[main]\nexcludepkgs = php*,mysql\n\n[base]\nexclude=kernel\n",
    "# mine\n[main]\nplugins=1\n[updates]\nexclude=x\n",
    "[main]\nexclude=kernel*\n",
    "[main]\nexclude=\n php*\n",
    "[main]",
]


def excluded(text):
    """What yum reads as exclude= of [main]: the last one, with the lines that continue it."""
    section, found, inside = "", None, False
    for line in text.split("\n"):
        if line.startswith("["):
            section, inside = line.strip(), False
        elif section == "[main]" and re.match(r"exclude(pkgs)?\s*=", line):
            found, inside = line.split("=", 1)[1].replace(",", " ").split(), True
        elif inside and line.startswith((" ", "\t")):
            found.extend(line.split())
        elif not line.startswith("#"):
            inside = False
    return found or []


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_hold_and_let_go_byte_for_byte(tmpdir, text):
    path = configuration(str(tmpdir), text)
    before = excluded(text)
    assert not Holds(str(tmpdir)).held()("kernel")
    Holds(str(tmpdir)).change(["kernel"], True)
    assert set(excluded(read(path))) == set(before + WORDS.split())
    assert Holds(str(tmpdir)).held()("kernel") and not Holds(str(tmpdir)).held()("bash")
    once = read(path)
    Holds(str(tmpdir)).change(["kernel"], True)
    assert read(path) == once
    Holds(str(tmpdir)).change(["kernel"], False)
    assert read(path) == text


@pytest.mark.parametrize(
    "text, meanwhile, left",
    [
        ("[main]\n", ("exclude=" + WORDS, "exclude=%s php*" % WORDS), "[main]\nexclude=php*\n"),
        ("[main]\nexclude=a b\n", ("exclude=a b", "exclude=b"), "[main]\nexclude=b\n"),
        ("[main]\nexclude=a\n", ("exclude=a " + WORDS + "\n", ""), "[main]\n"),
    ],
)
def test_what_somebody_changes_meanwhile_stays(tmpdir, text, meanwhile, left):
    path = configuration(str(tmpdir), text)
    Holds(str(tmpdir)).change(["kernel"], True)
    marker, rest = read(path).split("\nexclude", 1)
    configuration(str(tmpdir), marker + ("\nexclude" + rest).replace("\n" + meanwhile[0], "\n" + meanwhile[1]))
    Holds(str(tmpdir)).change(["kernel"], False)
    assert read(path) == left


def test_one_file_under_two_names_and_two_files(tmpdir):
    path = configuration(str(tmpdir), "[main]\n", "dnf/dnf.conf")
    os.symlink("dnf/dnf.conf", str(tmpdir.join("etc/yum.conf")))
    Holds(str(tmpdir)).change(["kernel"], True)
    assert read(path).count("exclude=") == 1 and os.path.islink(str(tmpdir.join("etc/yum.conf")))
    os.unlink(str(tmpdir.join("etc/yum.conf")))
    other = configuration(str(tmpdir), "[main]\n")
    assert not Holds(str(tmpdir)).held()("kernel")
    Holds(str(tmpdir)).change(["kernel"], True)
    assert read(other).count("exclude=") == read(path).count("exclude=") == 1


def test_several_packages_are_let_go_one_by_one(tmpdir):
    path = configuration(str(tmpdir), "[main]\nexclude=x\n")
    Holds(str(tmpdir)).change(["kernel", "kernel-firmware"], True)
    Holds(str(tmpdir)).change(["kernel"], False)
    assert excluded(read(path)) == ["x", "kernel-firmware"]
    Holds(str(tmpdir)).change(["kernel-firmware"], False)
    assert read(path) == "[main]\nexclude=x\n"


def test_held_and_unheld_kernels(host):
    path = configuration(host.root, "[main]\n")
    item = host.package(host.folder)
    assert refused(host, [item], "held").code == "package_not_installed"
    call(host, [item])
    predicted = call(host, [item], "held", check=True)
    assert read(path) == "[main]\n"
    assert call(host, [item], "held") == predicted and predicted["after"]["held"] == [TOA]
    assert not call(host, [], "held")["changed"]
    assert call(host, [item], "unheld")["changed"] and read(path) == "[main]\n"
    call(host, [item], "held")
    call(host, [item], "absent")
    assert read(path) == "[main]\n"


def test_where_nothing_updates_nothing_needs_to_be_held(host):
    item = host.package(host.folder)
    call(host, [item])
    done = call(host, [item], "held")
    assert done == call(host, [item], "held", check=True) and not done["changed"] and done["after"]["held"] == []


# Names of one kernel's packages, each of which has to hold all of them.
FAMILIES = [
    (("kernel", "kernel-core", "kernel-modules", "kernel-modules-core", "kernel-modules-extra"), WORDS.split()),
    (
        ("kernel-rt-core", "kernel-rt", "kernel-rt-modules-extra"),
        WORDS.split() + ["kernel-rt", "kernel-rt-core", "kernel-rt-modules*"],
    ),
    (("kernel-lt", "kernel-lt-core"), WORDS.split() + ["kernel-lt", "kernel-lt-core", "kernel-lt-modules*"]),
    (("vtoa",), ["vtoa"]),
    (("kernel-firmware",), ["kernel-firmware"]),
    (("kernel-devel",), ["kernel-devel"]),
]


@pytest.mark.parametrize("name, words", [(name, words) for names, words in FAMILIES for name in names])
def test_whichever_package_is_named_the_whole_kernel_is_held(name, words):
    assert sorted(words_for(name)) == sorted(words)


# -- dnf's plugin versionlock --------------------------------------------------------------------------------------------

LOCKS = ["", "# mine\nphp-0:8.0-1.*\n", "!kernel\nbash-0:5-1.*\n", "php-0:8.0-1.*"]


@pytest.fixture(params=LOCKS, ids=["empty", "others", "one of ours", "no newline"])
def locklist(request, tmpdir):
    configuration(str(tmpdir), "[main]\nbest=True\n", "dnf/dnf.conf")
    tmpdir.join("etc/dnf/plugins").ensure(dir=True)
    tmpdir.join("etc/dnf/plugins/versionlock.conf").write(
        "[main]\nenabled = 1\nlocklist = /etc/dnf/plugins/versionlock.list\n"
    )
    path = tmpdir.join("etc/dnf/plugins/versionlock.list")
    path.write(request.param)
    return path


def locked(path):
    """As the plugin reads it."""
    return [line.strip() for line in path.read().split("\n") if line.strip() and not line.startswith("#")]


def test_where_the_plugin_is_the_words_are_there(tmpdir, locklist):
    before = locklist.read()
    assert not Holds(str(tmpdir)).held()("kernel-core")
    Holds(str(tmpdir)).change(["kernel-core"], True)
    assert set("!" + word for word in WORDS.split()) <= set(locked(locklist)) and len(locked(locklist)) == len(
        set(locked(locklist))
    )
    assert "exclude" not in read(str(tmpdir.join("etc/dnf/dnf.conf")))
    assert Holds(str(tmpdir)).held()("kernel-core") and not Holds(str(tmpdir)).held()("bash")
    once = locklist.read()
    Holds(str(tmpdir)).change(["kernel-core"], True)
    assert locklist.read() == once
    Holds(str(tmpdir)).change(["kernel-core"], False)
    assert locklist.read() == before


def test_without_our_marker_the_words_go_all_the_same(tmpdir, locklist):
    """`dnf versionlock delete` writes the list again without its comments."""
    Holds(str(tmpdir)).change(["kernel-core"], True)
    locklist.write("\n".join(locked(locklist)) + "\n")
    Holds(str(tmpdir)).change(["kernel-core"], False)
    assert not [word for word in locked(locklist) if "kernel" in word]


def test_words_of_before_the_plugin_came_go_with_the_others(tmpdir, locklist):
    plugin = tmpdir.join("etc/dnf/plugins/versionlock.conf")
    text = plugin.read()
    plugin.write(text.replace("1", "0"))
    Holds(str(tmpdir)).change(["kernel-core"], True)
    assert "exclude=" in read(str(tmpdir.join("etc/dnf/dnf.conf"))) and "kernel-core" not in locklist.read()
    plugin.write(text)
    Holds(str(tmpdir)).change(["kernel-core"], True)
    Holds(str(tmpdir)).change(["kernel-core"], False)
    assert read(str(tmpdir.join("etc/dnf/dnf.conf"))) == "[main]\nbest=True\n"
