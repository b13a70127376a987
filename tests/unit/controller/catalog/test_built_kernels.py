# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was built is what the next rollout installs: lock file, catalog, plan."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import built_kernels
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.catalog.entries import CatalogError
from ansible_collections.realip.toa.plugins.plugin_utils.facts.assumed import assumed_facts
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "os-release"
RELEASE = "3.10.0-1160.119.1.el7.toa.x86_64"
CENTOS7 = {"id": "centos", "major": 7, "arch": "x86_64"}


def result(file, release=""):
    return {"path": f"/work/RPMS/{file}", "file": file, "size": 7, "sha256": "ab" * 32, "release": release}


RPMS = [
    result(f"kernel-{RELEASE}.rpm", RELEASE), result(f"kernel-devel-{RELEASE}.rpm"), result(f"kernel-headers-{RELEASE}.rpm"), result(f"perf-{RELEASE}.rpm"),
    result("kernel-firmware-3.10.0-1160.119.1.el7.toa.noarch.rpm"),
]  # fmt: skip


def test_a_rollout_installs_what_was_built():
    chosen = built_kernels.packages(RPMS)
    assert [package["role"] for package in chosen] == ["image", "headers", "firmware"]
    lock = built_kernels.render_lock(chosen, "")
    text = built_kernels.render_catalog(chosen, CENTOS7, ["200/8"], "kernel.src.rpm", "")
    known = assumed_facts((VECTORS / "centos-7").read_text(), "3.10.0-1160.el7.x86_64")
    plan = planner.decide(
        known,
        {"trusted_sources": "all", "package_mirror": "http://mirror.example.org", "backends": ["source_kernel"]},
        catalog.load(yaml.safe_load(text)),
        yaml.safe_load(lock),
    )
    assert (plan["state"], plan["backend"], plan["kernel_target"]) == ("pending", "source_kernel", RELEASE)
    assert {(package["url"], package["sha256"]) for package in plan["packages"]} == {
        (f"http://mirror.example.org/kernel-{RELEASE}.rpm", "ab" * 32),
        ("http://mirror.example.org/kernel-firmware-3.10.0-1160.119.1.el7.toa.noarch.rpm", "ab" * 32),
    }


def test_built_anew_takes_the_place_of_what_was_built_before():
    chosen = built_kernels.packages(RPMS)
    one = built_kernels.render_catalog(chosen, CENTOS7, ["200/8"], "a", "")
    two = built_kernels.render_catalog(chosen, CENTOS7, ["254/8"], "b", one)
    three = built_kernels.render_catalog(chosen, {"id": ["rhel"], "major": 7, "arch": "x86_64"}, ["200/8"], "c", two)
    assert [(entry["source"], entry["option_kinds"]) for entry in yaml.safe_load(three)] == [
        ("c", ["200/8"]),
        ("b", ["254/8"]),
    ]
    newer = [{**package, "sha256": "cd" * 32} for package in chosen]
    assert {
        item["sha256"]
        for item in yaml.safe_load(built_kernels.render_lock(newer, built_kernels.render_lock(chosen, "")))["packages"]
    } == {"cd" * 32}


@pytest.mark.parametrize("results, said", [
    ([], "made 0 packages with a kernel"),
    (RPMS + [result("kernel-debug-x.rpm", "x")], "made 2 packages with a kernel"),
])  # fmt: skip
def test_exactly_one_kernel(results, said):
    with pytest.raises(CatalogError, match=said):
        built_kernels.packages(results)


EL9 = "5.14.0-362.8.1.toa.el9.x86_64"


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        (
            ["kernel-core", "kernel-modules", "kernel-modules-core", "kernel-modules-extra", "kernel-debug-modules", "kernel-devel", "kernel"],
            {"kernel-core": "image", "kernel-modules": "modules", "kernel-modules-core": "modules", "kernel-modules-extra": "modules",
             "kernel-devel": "headers"},
        ),
        (
            ["kernel-rt-core", "kernel-rt-modules", "kernel-modules", "kernel-rt-modules-internal"],
            {"kernel-rt-core": "image", "kernel-rt-modules": "modules"},
        ),
    ],
)  # fmt: skip
def test_a_kernel_is_a_set_of_packages_of_one_release(made, kept):
    rpms = [
        result(f"{name}-{EL9}.rpm", EL9 if name.endswith("-core") and "modules" not in name else "") for name in made
    ]
    chosen = built_kernels.packages(rpms)
    assert {package["file"].removesuffix(f"-{EL9}.rpm"): package["role"] for package in chosen} == kept
    match = {"id": ["rocky"], "major": 9, "arch": "x86_64"}
    (entry,) = catalog.load(yaml.safe_load(built_kernels.render_catalog(chosen, match, ["200/8"], "a", "")))[:1]
    assert {package.file.removesuffix(f"-{EL9}.rpm"): package.role for package in entry.packages} == kept
    known = assumed_facts((VECTORS / "rocky-9.5").read_text(), "5.14.0-362.8.1.el9_3.x86_64")
    plan = planner.decide(
        known,
        {"trusted_sources": "all", "package_mirror": "http://mirror.example.org", "backends": ["source_kernel"]},
        catalog.load(yaml.safe_load(built_kernels.render_catalog(chosen, match, ["200/8"], "a", ""))),
        yaml.safe_load(built_kernels.render_lock(chosen, "")),
    )
    planned = {package["file"].removesuffix(f"-{EL9}.rpm") for package in plan["packages"]}
    assert planned == {name for name, role in kept.items() if role != "headers"}


def test_modules_of_ubuntu_belong_to_their_kernel():
    release = "5.15.0-99-toa"
    names = [f"linux-modules-{release}", f"linux-modules-extra-{release}", "linux-modules-5.15.0-98-generic"]
    debs = [
        result(f"linux-image-unsigned-{release}_5.15_amd64.deb", release),
        *(result(f"{name}_5.15_amd64.deb") for name in names),
    ]
    assert [package["role"] for package in built_kernels.packages(debs)] == ["image", "modules", "modules"]


def test_a_core_without_its_modules_is_no_kernel():
    chosen = built_kernels.packages([result(f"kernel-core-{EL9}.rpm", EL9)])
    with pytest.raises(CatalogError, match="kernel-modules"):
        built_kernels.render_catalog(chosen, {"id": ["rocky"], "major": 9, "arch": "x86_64"}, ["200/8"], "a", "")


def test_what_is_no_catalog():
    for text in ("a: b", "- a", "{"):
        with pytest.raises(CatalogError, match=r"toa\.catalog\.yml"):
            built_kernels.read_catalog(text)
    with pytest.raises(CatalogError, match="major"):
        built_kernels.render_catalog(
            built_kernels.packages(RPMS), {"id": "centos", "arch": "x86_64"}, ["200/8"], "", ""
        )


VENDORS = next(package.file for entry in catalog.load() for package in entry.packages if package.role == "image")


@pytest.mark.parametrize(
    "file, path",
    [
        ("linux-headers-x.deb", "/x/.htaccess"),
        ("linux-headers-x.deb", "/x/../../etc/cron.d/x"),
        (".htaccess", "/x/.htaccess"),
        ("linux-headers-../../x.deb", "/x/linux-headers-../../x.deb"),
        ("linux-headers-x.deb\n", "/x/linux-headers-x.deb\n"),
        ("linux-headers-x.php", "/x/linux-headers-x.php"),
        ("linux-headers-x.tar", "/x/linux-headers-x.tar"),
        ("linux-headers-<b>.deb", "/x/linux-headers-<b>.deb"),
    ],
)
def test_names_that_a_build_host_may_not_give_to_files(file, path):
    headers = {"path": path, "file": file, "size": 5, "sha256": "ab" * 32, "release": ""}
    image = {**headers, "release": "6.1.0.toa"}
    with pytest.raises(CatalogError, match="no package that may come into the mirror"):
        built_kernels.packages([*RPMS, headers] if file.startswith("linux-headers") else [image])


def test_a_build_does_not_replace_what_was_reviewed():
    """Neither what the lock file has an address for, nor what is called as a vendor's package is; what was built before is replaced."""
    answer = built_kernels.packages([{**result(VENDORS, "4.4.87.toa"), "sha256": "ee" * 32}])
    with pytest.raises(CatalogError, match="a package of a vendor"):
        built_kernels.render_lock(answer, "")
    chosen = built_kernels.packages(RPMS)
    before = built_kernels.render_lock(chosen, "")
    assert built_kernels.render_lock(chosen, before) == before
    reviewed = before.replace("url: ''", "url: https://vendor.example/kernel.rpm", 1)
    assert reviewed != before
    with pytest.raises(CatalogError, match="a package of a vendor"):
        built_kernels.render_lock(chosen, reviewed)
    assert yaml.safe_load(before)["packages"][0]["sha256"] == "ab" * 32


def test_a_build_does_not_replace_what_the_operator_wrote_into_the_catalog():
    """An entry of his own has no address where `toa_package_mirror` has the files, so that the lock file alone cannot tell."""
    chosen = built_kernels.packages(RPMS)
    text = built_kernels.render_catalog(chosen, CENTOS7, ["200/8"], "kernel.src.rpm", "")
    again = built_kernels.render_catalog(chosen, {**CENTOS7, "id": "rhel"}, ["200/8"], "kernel.src.rpm", text)
    assert len(yaml.safe_load(again)) == 2, "one kernel for two distributions"
    with pytest.raises(CatalogError, match="the entry reviewed of toa.catalog.yml has already"):
        built_kernels.render_catalog(
            chosen, CENTOS7, ["200/8"], "kernel.src.rpm", text.replace("key: built-centos-" + RELEASE, "key: reviewed")
        )


@pytest.mark.parametrize("key, value", [("sha256", "x"), ("sha256", None), ("size", "7")])
def test_a_build_without_digest_or_size_is_refused(key, value):
    with pytest.raises(CatalogError, match="no digest or no size"):
        built_kernels.packages([{**result(f"kernel-{RELEASE}.rpm", RELEASE), key: value}])
