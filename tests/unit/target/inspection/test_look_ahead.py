# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the next boot will be, told before it: for each installed kernel that is newer than the running one."""

from __future__ import absolute_import, division, print_function

import json

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.inspection.look_ahead import look_ahead
from ansible_collections.realip.toa.plugins.module_utils.programs import facts as inspect_host
from fake_hosts import EXECUTABLE, debian_cfg, kernel
from look_samples import look

OLD, NOW, NEW = "3.16.0-10-amd64", "3.16.0-11-amd64", "3.16.0-12-amd64"
FILE = "updates/dkms/toa.ko"
LOADED = {
    "/proc/modules": "toa 16384 0 - Live 0x0 (OE)\n",
    "/proc/net/toa_stats": "      CPU0\nsyn_recv_sock_toa : 1\n",
    "/etc/modules-load.d/toa.conf": "toa\n",
}
RC_LOCAL = {
    "/etc/modules-load.d/toa.conf": None,
    "/etc/rc.local": (EXECUTABLE, "#!/bin/sh\ninsmod /lib/modules/%s/%s\nexit 0\n" % (NOW, FILE)),
}


BUILT = dict(kernel(NEW, FILE), **{"/lib/modules/%s/%s" % (NEW, FILE): "ELF"})
NO_LOADER = {"/boot/grub/grub.cfg": "not one that can be read\n"}


def host(folder, *layers):
    layers = (kernel(NOW, FILE), LOADED) + layers
    return look(folder, "debian8", *layers)


@pytest.mark.parametrize(
    "layers, words",
    [
        ([kernel(OLD)], []),
        ([BUILT], []),
        ([kernel(NEW, FILE)], ["nothing loads toa at its boot (/etc/modules-load.d/toa.conf: modules.dep of kernel"]),
        ([kernel(NEW)], ["it has no module toa"]),
        ([kernel(NEW, FILE), RC_LOCAL], ["nothing loads toa at its boot (/etc/rc.local: "]),
        ([kernel(NEW, FILE), {"/etc/modules-load.d/toa.conf": None}], ["nothing loads toa at its boot"]),
        ([kernel(NEW), kernel("3.16.0-13-amd64")], ["it has no module toa", "it has no module toa"]),
        # The boot loader is known to take another one.
        ([kernel(NEW), {"/boot/grub/grub.cfg": debian_cfg([NEW, NOW], default="1>2")}], []),
        ([kernel(NEW), {"/boot/grub/grub.cfg": debian_cfg([NEW, NOW])}], ["it has no module toa"]),
        # Nothing translates here, so that nothing is lost.
        ([kernel(NEW), {"/proc/modules": ""}], []),
    ],
)
def test_a_newer_kernel(tmpdir, layers, words):
    newer = host(tmpdir, NO_LOADER, *layers)["ahead"]
    assert [one["release"] for one in newer] == sorted(one["release"] for one in newer)
    assert len(newer) == len(words)
    for one, told in zip(newer, words):
        assert one["detail"].startswith(told)


def test_it_is_drift_of_a_host_that_was_proved(tmpdir):
    proof = {"backend": "source_module", "kernel": NOW, "boot_id": "b", "time": "2026-11-20T10:00:00Z"}
    state = {"/var/lib/realip-toa/state.json": json.dumps({"proof": proof})}
    assert [item["code"] for item in host(tmpdir.mkdir("good"), NO_LOADER, BUILT, state)["drift"]] == []
    (item,) = host(tmpdir.mkdir("bad"), NO_LOADER, kernel(NEW), state)["drift"]
    assert item["code"] == "next_kernel_without_toa"
    assert item["detail"] == "%s is installed and would not translate: it has no module toa" % NEW
    # A vendor's kernel is older than the stock ones beside it, and is kept by its hold.
    proof["brings_kernel"] = True
    state = {"/var/lib/realip-toa/state.json": json.dumps({"proof": proof})}
    assert host(tmpdir.mkdir("vendor"), NO_LOADER, kernel(NEW), state)["ahead"] == []


@pytest.mark.parametrize(
    "files, words",
    [
        ({"/usr/sbin/bpftool": (EXECUTABLE, "")}, ""),
        ({"/usr/lib/linux-tools/6.1.0-1/bpftool": (EXECUTABLE, "")}, ""),
        ({}, "there is no bpftool"),
        (
            {"/usr/sbin/bpftool": (EXECUTABLE, ""), "state": {"ebpf": {"object": "x"}}},
            "nothing attaches the eBPF programs",
        ),
    ],
)
def test_the_programs_of_ebpf(tmpdir, files, words):
    files = dict(files)
    state = files.pop("state", {})
    root = fake_hosts.build(tmpdir, fake_hosts.DEBIAN8, files)
    host = inspect_host.Host(root, ("Linux", "h", NOW, "#1 SMP", "x86_64"))
    host.state = state
    facts = {"modules": [], "kernels": [{"release": NEW, "toa_modules": []}], "boot": {"default": ""}}
    facts["ebpf"] = {"complete": True, "bpftool": "/usr/sbin/bpftool" if "/usr/sbin/bpftool" in files else ""}
    found = look_ahead(host, facts)
    assert [one["detail"][: len(words)] for one in found] == ([words] if words else [])
