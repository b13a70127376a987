# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that vendors have loaded by their path: at every moment the next boot loads the very module that works now."""

from __future__ import absolute_import, division, print_function

import os
import re

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.originals import Originals
from ansible_collections.realip.toa.plugins.module_utils.host.module_file import resolves
from ansible_collections.realip.toa.plugins.module_utils.programs import persistence as persist
from ansible_collections.realip.toa.plugins.module_utils.startup.boot_places import find_places
from persistence_samples import centos7, debian, tree_of_host  # noqa: F401

RELEASE = "4.19.0-27-amd64"
MODULES = "/lib/modules/" + RELEASE
BUILD_ID = b"\x01\x02this build\xff"
NOTE = b"\x04\0\0\0\x0c\0\0\0\x03\0\0\0GNU\0" + BUILD_ID


def module(build_id=BUILD_ID, release=RELEASE):
    return b"\x7fELF\0" + build_id + b"\0vermagic=" + release.encode("ascii") + b" SMP mod_unload \0"


HUAWEI = "#!/bin/sh\n/sbin/modinfo -F filename %s > /dev/null 2>&1\nif [ $? -eq 0 ]; then\n  /sbin/insmod %s\nfi\n"
# What vendors' documents have people do: (file of the module, what loads it, its text).
RECIPES = {
    "rc.local": ("/root/toa.ko", "rc.local", "insmod /root/toa.ko\n"),
    "a path with a version": ("/opt/toa-1.2/toa.ko", "rc.local", "/sbin/insmod /opt/toa-1.2/toa.ko || true\n"),
    "no depmod": (MODULES + "/kernel/net/toa.ko", "rc.local", "insmod /lib/modules/$(uname -r)/kernel/net/toa.ko\n"),
    "a file of its own": (
        "/root/toa/toa.ko",
        "/etc/sysconfig/modules/toa.modules",
        HUAWEI % (("/root/toa/toa.ko",) * 2),
    ),
}
HOSTS = {"debian": (debian, "/etc/rc.local"), "centos7": (centos7, "/etc/rc.d/rc.local")}


def depmod(release, root):
    """As depmod does: updates before others, one file a name."""
    found = {}
    folder = root + "/lib/modules/" + release
    for below, _folders, files in os.walk(folder):
        for name in files:
            path = os.path.relpath(os.path.join(below, name), folder)
            if ".ko" in name and (name not in found or path.startswith("updates/")):
                found[name] = path
    handle = open(folder + "/modules.dep", "w")
    handle.write("".join("%s:\n" % path for path in sorted(found.values())))
    handle.close()
    return ""


@pytest.fixture
def vendors_host(tree, monkeypatch, request):
    monkeypatch.setattr(persist, "index", depmod)
    tree.put(MODULES + "/kernel/drivers/net/e1000.ko", module())
    depmod(RELEASE, tree.base)
    return tree


def follow(tree, kind, recipe):
    dress, rc_local = HOSTS[kind]
    path, place, text = RECIPES[recipe]
    tree.put(path, module())
    dress(tree)
    if place == "rc.local":
        tree.put(rc_local, "#!/bin/sh\n" + text, 0o755)
    else:
        tree.put("/usr/lib/systemd/system/rhel-loadmodules.service", "[Service]\nExecStart=/x\n")
        tree.link(
            "/etc/systemd/system/sysinit.target.wants/rhel-loadmodules.service",
            "/usr/lib/systemd/system/rhel-loadmodules.service",
        )
        tree.put(place, text, 0o755)


def be_loaded(tree, build_id=BUILD_ID):
    tree.put("/proc/modules", "toa 16384 0 - Live 0x0\n")
    tree.put("/sys/module/toa/notes/.note.gnu.build-id", NOTE[:16] + build_id)


def loaded_at_boot(tree):
    """The bytes of what the places of this host would load now."""
    found = []
    for place in find_places(tree.base, RELEASE):
        path = place["file"] or resolves("toa", RELEASE, tree.base)[0]
        if place["effective"] and place["module"] == "toa":
            handle = open(tree.path(path), "rb")
            found.append(handle.read())
            handle.close()
    return found


def call(tree, state="present", **more):
    return tree.call(state, release=RELEASE, **more)


@pytest.mark.parametrize("is_loaded", [True, False])
@pytest.mark.parametrize("method", ["auto", "rc_local", "systemd"])
@pytest.mark.parametrize("recipe", sorted(RECIPES))
@pytest.mark.parametrize("kind", sorted(HOSTS))
def test_the_module_that_works_is_loaded_whenever_the_power_goes(
    vendors_host, monkeypatch, kind, recipe, method, is_loaded
):
    tree = vendors_host
    follow(tree, kind, recipe)
    if is_loaded:
        be_loaded(tree)
    assert loaded_at_boot(tree) == [module()]
    before, real, moments = tree.picture(), Originals.change, []

    def change(originals, name, wanted):
        assert module() in loaded_at_boot(tree), "before %s" % name
        real(originals, name, wanted)
        moments.append(name)
        assert module() in loaded_at_boot(tree), "after %s" % name

    predicted = call(tree, method=method, check=True)
    assert predicted["changed"] and tree.picture() == before
    monkeypatch.setattr(Originals, "change", change)
    done = call(tree, method=method)
    assert dict(done, notes=[]) == dict(predicted, notes=[]) and moments
    assert loaded_at_boot(tree) == [module()]
    assert not [place for place in find_places(tree.base, RELEASE) if not place["ours"]]
    assert not call(tree, method=method)["changed"]
    monkeypatch.setattr(Originals, "change", real)
    call(tree, "absent")
    after = tree.picture()
    assert after.pop(MODULES + "/modules.dep") and before.pop(MODULES + "/modules.dep")
    assert after == before


def test_another_module_of_the_same_name_does_not_take_its_place(vendors_host):
    """modprobe would find the kernel's own, which is not the one that was proved."""
    tree = vendors_host
    follow(tree, "debian", "rc.local")
    tree.put(MODULES + "/kernel/net/toa/toa.ko", module(b"another one"))
    depmod(RELEASE, tree.base)
    be_loaded(tree)
    call(tree)
    assert loaded_at_boot(tree) == [module()]
    assert "updates" in resolves("toa", RELEASE, tree.base)[0]


@pytest.mark.parametrize(
    "prepare",
    [
        lambda tree: None,  # loaded by hand, and nobody knows from where
        lambda tree: tree.put("/etc/rc.local", "#!/bin/sh\ninsmod /root/other.ko\n", 0o755),
        lambda tree: tree.put("/root/toa.ko", module(b"another one")),
        lambda tree: tree.put("/root/toa.ko", module(release="5.10.0-1-amd64")),
    ],
)
def test_where_nobody_knows_the_file_nothing_is_claimed(vendors_host, prepare):
    tree = vendors_host
    debian(tree)
    tree.put("/etc/rc.local", "#!/bin/sh\ninsmod /root/toa.ko\n", 0o755)
    be_loaded(tree)
    prepare(tree)
    before = tree.picture()
    with pytest.raises(TargetError) as caught:
        call(tree)
    assert caught.value.code == "module_not_found_at_boot" and "depmod" in caught.value.remedy
    assert tree.picture() == before


def test_a_depmod_that_fails_changes_nothing(vendors_host, monkeypatch):
    tree = vendors_host
    follow(tree, "debian", "rc.local")
    monkeypatch.setattr(persist, "index", lambda release, root: "Read-only file system")
    before = tree.picture()
    with pytest.raises(TargetError) as caught:
        call(tree)
    assert caught.value.code == "depmod_failed" and RELEASE in caught.value.message
    assert tree.picture() == before and loaded_at_boot(tree) == [module()]


@pytest.mark.parametrize(
    "place, reason",
    [
        ("/etc/modules-load.d/toa.conf", "modules.dep lists none"),
        ("/etc/rc.local", "modules.dep lists none"),
        ("/root/insmod", "was built for kernel 3.10.0-1.el7"),
    ],
)
def test_a_place_counts_only_where_what_it_loads_is_found(vendors_host, place, reason):
    tree = vendors_host
    debian(tree)
    tree.put("/root/toa.ko", module(release="3.10.0-1.el7"))
    text = {"/etc/modules-load.d/toa.conf": "toa\n", "/etc/rc.local": "#!/bin/sh\nmodprobe toa\n"}
    tree.put("/etc/rc.local", "#!/bin/sh\n" + ("insmod /root/toa.ko\n" if place == "/root/insmod" else ""), 0o755)
    if place in text:
        tree.put(place, text[place], 0o755)
    (found,) = find_places(tree.base, RELEASE)
    assert not found["effective"] and re.search(reason, found["reason"])


def test_an_alias_is_for_modprobe_to_judge(vendors_host):
    tree = vendors_host
    debian(tree)
    tree.put("/etc/modules-load.d/toa.conf", "toa\n")
    tree.put("/etc/modprobe.d/toa.conf", "alias toa tencent_toa\n")
    assert [place["effective"] for place in find_places(tree.base, RELEASE)] == [True]
