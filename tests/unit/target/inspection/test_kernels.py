# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What facts say of kernels, TOA modules and their counters."""

from __future__ import absolute_import, division, print_function

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import parse_counters, toa_files
from fake_hosts import (
    FOLDER,
    MACHINE_ID,
    kernel,
)
from look_samples import look

# -- kernels and modules


def test_kernels(tmpdir):
    layer = {
        "/boot/vmlinuz-0-rescue-" + MACHINE_ID: "x",
        "/boot/vmlinuz-1.2.3-no-modules": "x",
        "/boot/vmlinuz-4.4.87.toa.bak": "x",
        "/var/lib/dpkg/info/linux-image-4.4.87.toa.list": "/.\n",
    }
    assert look(tmpdir, "ubuntu1604", layer)["kernels"] == [
        {
            "release": "4.4.0-210-generic",
            "image": "/boot/vmlinuz-4.4.0-210-generic",
            "toa_modules": [],
            "package": None,
            "lacks": [],
            "signers": [],
        },
        {
            "release": "4.4.87.toa",
            "image": "/boot/vmlinuz-4.4.87.toa",
            "toa_modules": ["toa"],
            "package": "linux-image-4.4.87.toa",
            "lacks": [],
            "signers": [],
        },
    ]


@pytest.mark.parametrize(
    "path, name",
    [
        ("kernel/net/toa/toa.ko", "toa"),
        ("kernel/net/toa/toa.ko.xz", "toa"),
        ("extra/toa.ko.gz", "toa"),
        ("updates/dkms/toa.ko.zst", "toa"),
        ("extra/tcp_toa.ko", "tcp_toa"),
        ("extra/tcp-toa.ko", "tcp_toa"),
        ("kernel/net/vtoa/vtoa.ko.xz", "vtoa"),
        ("extra/slb_vtoa.ko", "slb_vtoa"),
        ("extra/ip_vs_ca.ko", "ip_vs_ca"),
        ("extra/ttm.ko", "ttm"),
        ("/root/toa.ko", "toa"),
    ],
)
def test_modules_of_a_kernel(tmpdir, path, name):
    root = fake_hosts.build(tmpdir, kernel("1.0", path))
    assert toa_files("1.0", root) == {name: path if path.startswith("/") else "/lib/modules/1.0/" + path}


@pytest.mark.parametrize(
    "path",
    [
        "kernel/drivers/gpu/drm/ttm/ttm.ko.xz",
        "kernel/net/notoa.ko",
        "kernel/net/toa.kont",
        "kernel/toa/x.ko",
        "kernel/net/toa.ko.so",
    ],
)
def test_modules_that_only_look_like_it(tmpdir, path):
    assert toa_files("1.0", fake_hosts.build(tmpdir, kernel("1.0", path))) == {}


def test_a_module_that_another_one_needs_is_found_by_its_own_line(tmpdir):
    lines = "kernel/net/vtoa/vtoa.ko: kernel/net/hookers/hookers.ko\nkernel/net/hookers/hookers.ko:\nkernel/x.ko: kernel/net/toa.ko\n"
    root = fake_hosts.build(
        tmpdir, {"/lib/modules/1.0/modules.dep": lines, "/lib/modules/1.0/modules.builtin": "kernel/net/toa/toa.ko\n"}
    )
    folder = "/lib/modules/1.0/kernel/net/"
    assert toa_files("1.0", root) == {
        "vtoa": folder + "vtoa/vtoa.ko",
        "hookers": folder + "hookers/hookers.ko",
        "toa": "builtin",
    }


STATS = (
    "                                  CPU0       CPU1\n"
    "syn_recv_sock_toa                :   3          4\nsyn_recv_sock_no_toa             :  10         20\n"
)
LOADED = {
    "/proc/modules": "toa 16384 0 - Live 0x0000000000000000 (OE)\nxtoa 1 0 - Live 0x0\nip_tables 1 0 - Live 0x0\n",
    "/proc/net/toa_stats": STATS,
    "/sys/module/toa/parameters/dbg": "0\n",
}


def test_a_live_module(tmpdir):
    facts = look(tmpdir, "ubuntu1604", LOADED, release="4.4.87.toa")
    assert facts["modules"] == [
        {
            "name": "toa",
            "file": "/lib/modules/4.4.87.toa/kernel/net/toa/toa.ko",
            "loaded": True,
            "live": True,
            "parameters": {"dbg": "0"},
            "stats": "/proc/net/toa_stats",
            "refcount": 0,
            "state": "Live",
            "signers": [],
        }
    ]
    assert facts["counters"] == {"syn_recv_sock_toa": 7, "syn_recv_sock_no_toa": 30}
    assert facts["conflicts"] == []


def test_a_module_that_is_loaded_and_dead(tmpdir):
    module = look(tmpdir, "ubuntu1604", dict(LOADED, **{"/proc/net/toa_stats": None}))["modules"][0]
    assert (module["file"], module["loaded"], module["live"], module["stats"]) == ("", True, False, "")


def test_a_module_that_is_there_and_not_loaded(tmpdir):
    module = look(tmpdir, "ubuntu1604", release="4.4.87.toa")["modules"][0]
    assert (module["name"], module["loaded"], module["live"], module["parameters"]) == ("toa", False, False, {})


def test_statistics_that_only_init_sees(tmpdir):
    facts = look(tmpdir, "ubuntu1604", dict(LOADED, **{"/proc/net/toa_stats": None, "/proc/1/net/toa_stats": STATS}))
    assert facts["modules"][0]["live"]
    assert facts["counters"]["syn_recv_sock_toa"] == 7


@pytest.mark.parametrize("sign", ["/sys/module/drm/holders/ttm", "/sys/class/drm/ttm"])
def test_the_graphics_memory_manager_is_no_toa(tmpdir, sign):
    layer = {"/proc/modules": "ttm 94208 1 qxl, Live 0x0\n", sign: (FOLDER, "")}
    facts = look(tmpdir.mkdir("graphics"), "debian8", layer)
    assert (facts["modules"], facts["conflicts"]) == ([], [])
    facts = look(tmpdir.mkdir("baidu"), "debian8", {"/proc/modules": "ttm 94208 0 - Live 0x0 (OE)\n"})
    assert [module["name"] for module in facts["modules"]] == ["ttm"]


def test_two_modules_are_a_conflict_but_a_helper_is_none(tmpdir):
    line = "%s 16384 0 - Live 0x0\n"
    two = look(tmpdir.mkdir("two"), "debian8", {"/proc/modules": line % "toa" + line % "tcp_toa"})
    assert two["conflicts"] == [{"code": "two_toa_modules", "detail": "tcp_toa and toa are loaded at once"}]
    helper = look(tmpdir.mkdir("helper"), "debian8", {"/proc/modules": line % "vtoa" + line % "hookers"})
    assert helper["conflicts"] == []


def test_cilium_is_named(tmpdir):
    assert look(tmpdir, "rocky9", {"/run/cilium": (FOLDER, "")})["conflicts"] == [
        {"code": "cilium_present", "detail": "/run/cilium"}
    ]


@pytest.mark.parametrize(
    "text, counters",
    [
        (STATS, {"syn_recv_sock_toa": 7, "syn_recv_sock_no_toa": 30}),
        ("getname_toa_ok_v4 1 2 3 4\n", {"getname_toa_ok_v4": 10}),
        ("getname_toa_ok:5\n", {}),  # no column
        ("a 1\na 2\n", {"a": 3}),
        ("a 99999999999999999999 1\n", {"a": 100000000000000000000}),
        ("CPU0 CPU1\n", {}),
        ("a -1\n", {}),
        ("a 1 x\n", {}),
        ("", {}),
        (None, {}),
        (u"\ufffd 1\n", {}),
    ],
)
def test_counters(text, counters):
    assert parse_counters(text) == counters
