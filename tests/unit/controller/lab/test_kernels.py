# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's table of kernels: names and releases are the documents', and what is built is named by what it is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.facts.assumed import assumed_facts
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner

from lab import kernel_tree, kernels
from lab.hosts import HOSTS
from lab.paths import CHECKOUT
from lab.progress import LabError

# tencent-toa.txt, "Kernel Package Installation Steps": the files it serves, and the `uname -r` each boots.
DOCUMENTED = {
    "linux-image-4.4.87.toa_1.0_amd64.deb": "4.4.87.toa",
    "linux-image-3.16.43.toa_1.0_amd64.deb": "3.16.43.toa",
    "kernel-2.6.32-220.23.1.el6.toa.x86_64.rpm": "2.6.32-220.23.1.el6.toa.x86_64",
    "kernel-3.10.0-693.el7.centos.toa.x86_64.rpm": "3.10.0-693.el7.centos.toa.x86_64",
}
DOCUMENTED_HEADERS = {
    "linux-headers-4.4.87.toa_1.0_amd64.deb": "4.4.87.toa",
    "linux-headers-3.16.43.toa_1.0_amd64.deb": "3.16.43.toa",
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and a source package that is always the same one."""
    monkeypatch.setenv("REALIP_LAB_CACHE", str(tmp_path))
    monkeypatch.setattr(kernel_tree, "_answer", lambda *command: " ".join(command))
    kernel_tree.key.cache_clear()
    yield tmp_path
    kernel_tree.key.cache_clear()


def test_toa_images_are_the_documented_ones() -> None:
    """And those that an owner of hosts has built, which are named after what they are built of."""
    own = {host.toa_kernel for host in HOSTS.values() if host.extra}
    rows = [row for row in kernels.RELEASES.values() if row.vendors and row.release not in own]
    assert {row.image_file: row.release for row in rows} == DOCUMENTED


def test_headers_are_the_documented_ones() -> None:
    assert {row.headers_file: row.release for row in kernels.RELEASES.values() if row.headers} == DOCUMENTED_HEADERS


@pytest.mark.parametrize("row", kernels.RELEASES.values(), ids=lambda row: row.release)
def test_package_name_says_what_boots(row: kernels.Release) -> None:
    """dpkg's and rpm's own rules for file names give back the release."""
    if row.format == "deb":
        package, version, arch = row.image_file[: -len(".deb")].split("_")
        assert (package, version, arch) == (f"linux-image-{row.release}", row.version, "amd64")
    else:
        plain = row.image_file.replace("kernel-core-", "kernel-") if row.format == "rpms" else row.image_file
        found = re.fullmatch(r"kernel-(?:([a-z]+)-)?([^-]+-[^-]+\.x86_64)\.rpm", plain)
        assert found
        # TencentOS leaves the architecture out of the release.
        name = (
            found.group(2)
            if row.release.partition("+")[0].endswith(".x86_64")
            else found.group(2).removesuffix(".x86_64")
        )
        assert name + (f"+{found.group(1)}" if found.group(1) else "") == row.release


def test_every_toa_kernel_has_a_stock_one_to_fall_back_to() -> None:
    stock = {row.release.split(".")[0] for row in kernels.RELEASES.values() if not row.toa}
    assert {row.release.split(".")[0] for row in kernels.RELEASES.values() if row.vendors} <= stock


def test_vtoa_has_modules_for_the_kernels_that_may_have_it() -> None:
    alinux3 = (CHECKOUT / "tests/unit/vectors/os-release/alinux-3").read_text("utf-8")

    def may_have_it(release: str) -> bool:
        return (
            planner.decide(assumed_facts(alinux3, release), {"backends": ["vtoa"], "trusted_sources": "all"}, [])[
                "state"
            ]
            == "pending"
        )

    assert set(kernels.VTOA_KERNELS) == {release for release in kernels.RELEASES if may_have_it(release)}


def test_release_fits_into_utsname() -> None:
    assert all(len(release) < 65 for release in kernels.RELEASES)


def test_unknown_release_names_the_known_ones() -> None:
    with pytest.raises(LabError, match=r"no such kernel: 4\.4\.87; the lab has .*4\.4\.87\.toa"):
        kernels.ensure("4.4.87")


def test_key_follows_the_toa_code_and_nothing_else_changes_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = kernels.RELEASES["4.4.87.toa"]
    before, tree, sources = kernels._place(row), kernel_tree.key(), kernel_tree.toa_sources()
    assert kernels._place(row) == before
    monkeypatch.setattr(kernel_tree, "toa_sources", lambda: {**sources, "toa.c": sources["toa.c"] + "\n"})
    assert kernels._place(row) != before
    assert kernel_tree.key() == tree, "a change of net/toa must cost a relink, not a new tree"


def test_mirror_serves_the_packages_of_toa_kernels_only(cache: Path) -> None:
    for row in (kernels.RELEASES["4.4.87.toa"], kernels.RELEASES["4.4.0-210-generic"]):
        place = kernels._place(row)
        place.mkdir(parents=True)
        for name in filter(None, (row.image_file, row.headers_file)):
            (place / name).write_bytes(name.encode())
        kernels.ensure(row.release)
    served = {path.name: path.read_bytes().decode() for path in kernels.mirror_dir().iterdir()}
    names = ("linux-image-4.4.87.toa_1.0_amd64.deb", "linux-headers-4.4.87.toa_1.0_amd64.deb")
    assert served == {name: name for name in names}


def test_a_failed_build_leaves_nothing_behind(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_named: object) -> None:
        raise LabError("no compiler")

    monkeypatch.setattr(kernel_tree, "link", fail)
    with pytest.raises(LabError, match="no compiler"):
        kernels.ensure("4.4.87.toa")
    assert not list((cache / "kernels").iterdir())


def test_a_configuration_line_that_did_not_survive_is_named(tmp_path: Path) -> None:
    wanted = (kernel_tree.SOURCES / "fragment.config").read_text("utf-8")
    config = tmp_path / ".config"
    config.write_text(wanted, "utf-8")
    kernel_tree._check_config(config)
    config.write_text(wanted.replace("CONFIG_TUN=y\n", "# CONFIG_TUN is not set\n"), "utf-8")
    with pytest.raises(LabError, match="`CONFIG_TUN=y` did not survive"):
        kernel_tree._check_config(config)
    config.write_text(wanted + "CONFIG_VT=y\n", "utf-8")
    with pytest.raises(LabError, match="`# CONFIG_VT is not set` did not survive"):
        kernel_tree._check_config(config)
