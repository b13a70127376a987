# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Linux, Debian's linux-source, with this project's patch: through build_kernel to an rpm and a deb, and these by rollout onto machines of the lab."""

from __future__ import annotations

import hashlib
import re

import yaml
from from_source import only

from lab import debian_packages, disks, kernel_source

HOST = "debian12"
# What the kernel's own build asks for, beside what a Debian has.
TOOLS = (
    "bc",
    "bison",
    "cpio",
    "flex",
    "gcc",
    "libc6-dev",
    "libelf-dev",
    "libssl-dev",
    "lz4",
    "make",
    "patch",
    "xz-utils",
)


def rolled_out(lab, builder, host, release):
    """A host from stock to the kernel that was built; afterwards it is there after a reset too, and nothing is left to do."""
    lab.command("up", host)
    try:
        lab.reset(host)
        code, report, output = lab.playbook("rollout.yml", host, **builder.rollout())
        assert code == 0, output
        entry = only(report)
        assert (entry["state"], entry["backend"], entry["verdict"]) == ("proved", "source_kernel", "translating"), entry
        assert lab.one_line(host, "uname -r") == release
        lab.command("reboot", host)
        code, report, output = lab.playbook("rollout.yml", host, **builder.rollout())
        assert (code, only(report)["state"], only(report)["verdict"]) == (0, "converged", "translating"), output
        assert lab.one_line(host, "uname -r") == release
    finally:
        lab.command("down", host)


def test_rpm(lab, builder):
    """Tencent's "Making a Kernel Package", steps 1 to 10."""
    name = kernel_source.version(builder.tree)
    release = f"{name}-1.el7.toa.x86_64"
    output = builder.build(
        kernel_source.source_rpm(builder.tree, builder.folder),
        match={"id": "centos", "major": 7, "arch": "x86_64"},
    )
    told = [int(number) for number in re.findall(r"builder: step (\d) of 9", output)]
    assert told == sorted(told) and told[-1] == 9, "the long steps say how far they are"
    assert {item["file"] for item in yaml.safe_load((builder.folder / "toa.lock.yml").read_text())["packages"]} == {
        f"kernel-{release}.rpm",
        f"kernel-firmware-{release}.rpm",
    }
    assert "changed=0" in builder.build(
        builder.folder / f"kernel-{name}-1.el7.src.rpm", match={"id": "centos", "major": 7, "arch": "x86_64"}
    )
    rolled_out(lab, builder, "centos7", release)


def test_deb(lab, builder):
    """The Debian way, out of the stock tree."""
    release = f"{kernel_source.version(builder.tree)}.toa"
    source = kernel_source.packed(builder.tree, builder.folder / "linux.tar")
    builder.build(source, match={"id": "ubuntu", "version": "16.04", "arch": "x86_64"})
    assert (builder.mirror / f"linux-image-{release}_1.0_amd64.deb").exists()
    rolled_out(lab, builder, "ubuntu1604", release)


def test_compiled_on_the_host_itself(lab, builder):
    """ "Source Code Installation", steps 1 to 10, by the rollout alone; and back.

    The operator's tree is one that is compiled already, so that the emulated machine, which would need hours, has only to link it.
    """
    release = f"{kernel_source.version(builder.tree)}.toa"
    builder.mirror.mkdir(exist_ok=True)
    archive = kernel_source.compiled_tree(builder.mirror / "linux-toa.tar.gz")
    entry = {
        "key": "tree",
        "backend": "source_kernel",
        "format": "tree",
        "match": {"id": "debian", "major": 12, "arch": "x86_64"},
        "release": release,
        "option_kinds": ["200/8"],
        "packages": [{"role": "image", "file": archive.name, "sha256": sha256(archive)}],
    }
    variables = {**builder.rollout(), "toa_catalog_file": "", "toa_catalog": [entry], "toa_kernel": {"room": 900}}
    lab.command("up", HOST)
    try:
        lab.reset(HOST)
        stock = lab.one_line(HOST, "uname -r")
        debian_packages.offer(HOST, TOOLS)
        lab.command(
            "ssh",
            HOST,
            f"DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install {' '.join(TOOLS)} >&2",
        )
        before = disks.look(HOST)
        code, report, output = lab.playbook("rollout.yml", HOST, **variables)
        assert code == 0, output
        host = only(report)
        assert (host["state"], host["backend"], host["verdict"], host["kernel"]) == (
            "proved",
            "source_kernel",
            "translating",
            release,
        ), host
        code, report, output = lab.playbook("rollout.yml", HOST, **variables)
        assert (code, only(report)["state"]) == (0, "converged"), output
        code, report, output = lab.playbook("realip.toa.remove", HOST, **variables)
        assert (code, only(report)["state"]) == (0, "removed"), output
        assert lab.one_line(HOST, "uname -r") == stock
        after = disks.look(HOST)
        assert disks.differences(before, after) == {}
    finally:
        lab.command("down", HOST)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
