# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules and kernels from source."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.planner import policy as policy_module
from ansible_collections.realip.toa.plugins.plugin_utils.planner import removal
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends import registry
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.packaged_kernel import backend_of

from tests.unit.controller.planner.cases import (
    CATALOG,
    CENTOS7,
    DEBIAN12,
    DIGEST,
    codes,
    decide,
    host,
    module,
    place,
    proof,
)

SOURCE = {"backends": ["source_module"], "source": {"url": "https://example.org/toa.tar.gz", "reference": DIGEST}}


def source(**options):
    """SOURCE with these options."""
    return {**SOURCE, "source": {**SOURCE["source"], **options}}


HEADERS = {"headers": True, "compiler": True, "make": True}


def built(module_name="toa", **source):
    """The host's record of a module that was built from source."""
    return {
        "source": {
            "module": module_name,
            "method": "plain",
            "source": {"url": SOURCE["source"]["url"], "sha256": DIGEST, "commit": "", **source},
        }
    }


def test_no_source():
    assert codes(decide(host(*DEBIAN12), backends=["source_module"])) == {("source_module", "no_source")}


def test_a_module_from_source():
    plan = decide(host(*DEBIAN12), **SOURCE)
    assert (plan["state"], plan["backend"], plan["reboot"], plan["module"]) == (
        "pending",
        "source_module",
        False,
        "toa",
    )
    assert plan["steps"][:2] == [
        "install linux-headers-6.1.0-18-amd64",
        "build toa from https://example.org/toa.tar.gz for 6.1.0-18-amd64",
    ]
    plan = decide(host(*DEBIAN12, build=HEADERS), **SOURCE)
    assert plan["steps"][0].startswith("build toa")
    assert [step for step in plan["steps"] if "every boot" in step] and "prove" in plan["steps"][-1]


def test_headers_are_named_as_the_distribution_calls_them():
    assert "install kernel-devel-3.10.0-1160.119.1.el7.x86_64" in decide(host(*CENTOS7), **SOURCE)["steps"]
    named = host("rocky-8.10", "4.18.0-513.el8.x86_64", build={"headers_package": "kernel-uek-devel-1"})
    assert "install kernel-uek-devel-1" in decide(named, **SOURCE)["steps"]


@pytest.mark.parametrize("build, policy, code", [
    ({"headers_available": False}, {}, "headers_unavailable"),
    ({}, {"install": []}, "headers_missing"),
])  # fmt: skip
def test_headers_that_cannot_be_had(build, policy, code):
    plan = decide(host(*DEBIAN12, build=build), **SOURCE, **policy)
    assert plan["state"] == "blocked" and codes(plan, "block") == {("source_module", code)}
    assert "linux-headers-6.1.0-18-amd64" in plan["remedy"]
    twin = decide(host(*DEBIAN12, build=build), **SOURCE, **policy, builder="build1")
    assert twin["state"] == "pending" and not [step for step in twin["steps"] if "headers" in step]


def test_a_source_without_digest():
    plan = decide(host(*DEBIAN12), **source(reference=""))
    assert codes(plan, "block") == {("source_module", "source_no_digest")}
    assert decide(host(*DEBIAN12), **source(reference="a" * 40))["state"] == "pending"
    assert decide(host(*DEBIAN12), **source(reference=""), accept=["unverified_packages"])["state"] == "pending"


@pytest.mark.parametrize("reference", ["main", "v1.0", "a" * 39, "a" * 41, "z" * 40])
def test_a_branch_or_a_tag_says_nothing_about_bytes(reference):
    with pytest.raises(policy_module.PolicyError, match="toa_source.reference is .* branches and tags move"):
        decide(host(*DEBIAN12), **source(reference=reference))


@pytest.mark.parametrize("security", [{"sig_enforce": True}, {"secure_boot": True}, {"lockdown": "integrity"}])
def test_a_host_that_takes_only_signed_modules(security):
    plan = decide(host(*DEBIAN12, security=security), **SOURCE)
    assert codes(plan, "block") == {("source_module", "secure_boot_unsigned")} and "MOK" in plan["remedy"]
    assert (
        decide(host(*DEBIAN12, security=security), **source(signing_key="/secrets/modules.key"))["state"] == "pending"
    )


def test_a_module_that_was_built_here_is_left_alone():
    known = host(*DEBIAN12, modules=[module()], persistence=[place()], state=built())
    plan = decide(known, proof(), **SOURCE, vendor="tencent")
    assert (plan["state"], plan["backend"], plan["steps"]) == ("converged", "source_module", [])
    # Nor does the order of preference take it for a module of the distribution's, or put eBPF in its place.
    plan = decide(known, proof(), **{**SOURCE, "backends": list(registry.BACKENDS)}, vendor="tencent")
    assert (plan["state"], plan["backend"]) == ("converged", "source_module")
    assert decide(known, proof(), vendor="tencent")["backend"] == "in_tree"


def test_another_source_is_built_anew():
    known = host(*DEBIAN12, modules=[module()], persistence=[place()], state=built(sha256="f" * 64), build=HEADERS)
    plan = decide(known, proof(), **SOURCE, vendor="tencent")
    assert plan["state"] == "pending" and ("source_module", "source_changed") in codes(plan, "info")
    assert plan["steps"][0].startswith("build toa from https://example.org/toa.tar.gz")


def test_after_a_kernel_update_without_dkms():
    known = host(*DEBIAN12, state=built(), persistence=[place(effective=False, reason="no such module")])
    plan = decide(known, **{**SOURCE, "backends": list(registry.BACKENDS)})
    assert (plan["state"], plan["backend"]) == ("pending", "source_module")
    missing = next(item["message"] for item in plan["reasons"] if item["code"] == "not_built_for_kernel")
    for what in ("toa.ko in /lib/modules/6.1.0-18-amd64", "linux-headers-6.1.0-18-amd64", "a compiler and make"):
        assert what in missing
    assert ("source_module", "not_built_for_kernel") in codes(plan, "warning")


def test_a_known_tree_says_what_its_module_reads():
    plan = decide(host(*DEBIAN12), **source(tree="huawei"), vendor="tencent")
    assert codes(plan) == {("source_module", "option_kind_mismatch")}
    plan = decide(host(*DEBIAN12), **source(tree="alibaba-cdn"), vendor="alibaba_cdn")
    assert (plan["module"], plan["option_kinds"]) == ("tcp_toa", ["28/7"])
    assert decide(host(*DEBIAN12), **source(tree={"module": "toa", "subdirectory": "src"}), vendor="tencent")[
        "option_kinds"
    ] == ["200/8"]


@pytest.mark.parametrize("tree", ["nobodys", 7, {"modul": "toa"}, {"module": "a b"}, {"subdirectory": "../x"}, {"variables": ["x"]}, {"dkms": "yes"},
                                  {"option_kinds": ["200"]}])  # fmt: skip
def test_a_description_that_is_wrong(tree):
    with pytest.raises(policy_module.PolicyError, match="toa_source.tree"):
        decide(host(*DEBIAN12), **source(tree=tree))


def test_what_was_built_is_removed():
    known = host(*DEBIAN12, modules=[module()], persistence=[place()], state=built())
    plan = removal.decide(known, {}, CATALOG)
    assert (
        plan["state"] == "pending"
        and "remove toa that was built from source, and the packages that came for it" in plan["steps"]
    )
    assert not [step for step in plan["steps"] if "boot loader" in step]


def test_a_kernel_that_was_built():
    entry = {"key": "ours", "backend": "source_kernel", "match": {"id": "rocky", "major": 8, "arch": "x86_64"}, "release": "4.18.0-600.el8.toa.x86_64",
             "option_kinds": ["200/8", "254/8"], "format": "rpm",
             "packages": [{"file": "kernel-4.18.0-600.el8.toa.x86_64.rpm", "url": "http://m.example/k.rpm", "sha256": DIGEST}]}  # fmt: skip
    plan = decide(host("rocky-8.10", "4.18.0-513.el8.x86_64"), entries=catalog.load([entry]))
    assert (plan["state"], plan["backend"], plan["entry"]) == ("pending", "source_kernel", "ours")


def test_a_kernel_that_the_host_compiles_for_itself():
    entry = {"key": "tree", "backend": "source_kernel", "format": "tree", "match": {"id": "debian", "major": 12, "arch": "x86_64"}, "option_kinds": ["200/8"],
             "release": "6.1.192.toa", "packages": [{"file": "linux-toa.tar.gz", "url": "http://m.example/linux-toa.tar.gz", "sha256": DIGEST}]}  # fmt: skip
    entries = catalog.load([entry])
    plan = decide(host(*DEBIAN12), entries=entries, backends=["source_kernel"])
    assert (plan["state"], plan["backend"], plan["kernel_target"], plan["packages"][0]["format"]) == (
        "pending",
        "source_kernel",
        "6.1.192.toa",
        "tree",
    )
    assert "compile linux-toa.tar.gz and install it beside the running 6.1.0-18-amd64" in plan["steps"]
    # Compiling a kernel is to run what was compiled just before.
    plan = decide(host(*DEBIAN12, build={"noexec": True}), entries=entries, backends=["source_kernel"])
    assert codes(plan, "block") == {("source_kernel", "build_noexec")} and "build host" in plan["remedy"]
    # Which rpm or dpkg the host has is all the same; a digest is not.
    assert codes(
        decide(
            host(*DEBIAN12),
            entries=catalog.load([{**entry, "packages": [{"file": "l.tar", "url": "http://m/l.tar"}]}]),
            backends=["source_kernel"],
        ),
        "block",
    ) == {("source_kernel", "no_digest")}
    for wrong in ({"backend": "kernel_package"}, {"packages": [{"file": "l.deb"}]}):
        with pytest.raises(catalog.CatalogError, match="tree"):
            [backend_of(item) for item in catalog.load([{**entry, **wrong}])]

    # Away again: by the host's own record, whatever the catalog says.
    running = host(
        "debian-12",
        "6.1.192.toa",
        state={"kernel_tree": {"release": "6.1.192.toa"}},
        kernels=[{"release": "6.1.192.toa"}, {"release": "6.1.0-18-amd64"}],
    )
    plan = removal.decide(running, {}, entries)
    assert (plan["state"], plan["reboot"], plan["kernel_target"]) == ("pending", True, "6.1.0-18-amd64")
    assert [(package["format"], package["release"]) for package in plan["packages"]] == [("tree", "6.1.192.toa")]
    assert removal.decide(host(*DEBIAN12), {}, entries)["state"] == "converged"
