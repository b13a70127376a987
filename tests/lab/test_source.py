# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""source_module on Debian 12 as it comes, which has neither headers nor a compiler: it takes what was built for its kernel, and translates.

The builder is this machine, with the headers of that kernel: a compiler in an emulated machine takes minutes. Builders in machines, DKMS, kernel updates
and whole kernels are in tests/source.
"""

from __future__ import annotations

import base64
import os

import pytest
from ansible_collections.realip.toa.plugins.module_utils import source
from ansible_collections.realip.toa.plugins.plugin_utils import source_archive, source_store, source_trees
from from_source import SOURCE, headers_of, only

from lab import disks

HOST = "debian12"
TOOLS = "command -v gcc make cc; ls -d /lib/modules/*/build"


@pytest.fixture(scope="module")
def twin(debians, tmp_path_factory):
    """Variables of a fleet in which a host with the same kernel, to the last word of `uname -v`, has built already."""
    debians.reset(HOST)
    root, store = tmp_path_factory.mktemp("builder"), tmp_path_factory.mktemp("store")
    release = headers_of(debians, HOST, root)
    archive, tree = source_archive.take(SOURCE["toa_source_url"]), source_trees.find("")
    wanted = {"module": tree.module, "subdirectory": tree.subdirectory, "variables": dict(tree.variables), "signing_certificate": "",
              "source": {"url": "toa", "sha256": archive.sha256, "archive": base64.b64encode(archive.data).decode()}}
    answer = source.main({**wanted, "root": str(root), "running": release, "state": "present", "method": "plain", "return_module": True, "check": False})
    key = {"release": release, "arch": os.uname().machine, "version": debians.one_line(HOST, "uname -v")}
    source_store.keep(store / f"{source_store.key(wanted, key)}.ko", answer, "builder")
    return {**SOURCE, "toa_build_once": True, "toa_build_store": str(store)}


def test_a_twin_takes_the_module_and_needs_no_compiler(debians, twin):
    boot = debians.one_line(HOST, "cat /proc/sys/kernel/random/boot_id")
    assert debians.ssh(HOST, TOOLS, check=False) == ""
    code, report, output = debians.playbook("rollout.yml", HOST, **twin)
    assert code == 0, output
    entry = only(report)
    assert (entry["state"], entry["backend"], entry["verdict"]) == ("proved", "source_module", "translating"), entry
    assert debians.ssh(HOST, TOOLS, check=False) == "" and debians.one_line(HOST, "cat /proc/sys/kernel/random/boot_id") == boot

    debians.ssh(HOST, "touch /run/second")
    code, report, output = debians.playbook("rollout.yml", HOST, **twin)
    assert (code, only(report)["state"]) == (0, "converged"), output
    assert disks.written_since(HOST, "/run/second") == []
