# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts, plans and catalogs for the tests of the planner."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.realip.toa.plugins.plugin_utils import ebpf_object, option_formats
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.facts.assumed import assumed_facts
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner
from ansible_collections.realip.toa.plugins.plugin_utils.planner.policy import CONSENTS  # noqa: F401

ROOT = Path(__file__).resolve().parents[4]


VECTORS = ROOT / "tests" / "unit" / "vectors"


CATALOG = catalog.load()


DIGEST = "0123456789abcdef" * 4


LOCK = {
    "packages": [
        {"file": package.file, "url": "", "size": 5, "sha256": DIGEST}
        for entry in CATALOG
        for package in entry.packages
    ]
}


def host(name, kernel, arch="", **changes):
    """Facts of an assumed machine with some of them replaced; a dict is merged."""
    known = assumed_facts(
        (VECTORS / "os-release" / name).read_text(encoding="utf-8") if "\n" not in name else name, kernel, arch
    )
    for key, value in changes.items():
        known[key] = {**known[key], **value} if isinstance(value, dict) and isinstance(known[key], dict) else value
    return known


def module(name="toa", **changes):
    return {
        "name": name,
        "file": f"/lib/modules/x/{name}.ko",
        "loaded": True,
        "live": True,
        "parameters": {},
        "stats": "",
        **changes,
    }


def place(name="toa", **changes):
    return {
        "path": "/etc/modules-load.d/toa.conf", "kind": "modules_load", "module": name, "line": name, "effective": True, "reason": "", "ours": True, **changes,
    }  # fmt: skip


def proof(verdict="translating", kinds=("200/8",)):
    return {"verdict": verdict, "reason": "because", "option_kinds": list(kinds)}


def decide(known, probe=None, lock=None, entries=CATALOG, **policy):
    plan = planner.decide(known, {"trusted_sources": "all", **policy}, entries, lock, probe)
    blocks = [item for item in plan["reasons"] if item["severity"] == "block"]
    # What every plan must keep, whatever the host.
    assert plan["state"] in ("converged", "pending", "blocked", "unsupported")
    assert bool(blocks) == (plan["state"] in ("blocked", "unsupported"))
    assert bool(plan["backend"]) == (
        plan["state"] != "unsupported"
        and not (plan["state"] == "blocked" and not plan["steps"] and not blocks[0]["backend"])
    )
    assert bool(plan["steps"]) or plan["state"] != "pending"
    assert plan["state"] != "converged" or not (plan["steps"] or plan["reboot"])
    assert not plan["reboot"] or plan["kernel_target"] not in ("", known["kernel"]["release"])
    return plan


def codes(plan, severity=None):
    return {(item["backend"], item["code"]) for item in plan["reasons"] if severity in (None, item["severity"])}


UBUNTU = ("ubuntu-16.04", "4.4.0-210-generic")


CENTOS7 = ("centos-7", "3.10.0-1160.119.1.el7.x86_64")


ALINUX3 = ("alinux-3", "5.10.134-16.3.al8.x86_64")


DEBIAN12 = ("debian-12", "6.1.0-18-amd64")


TOA_RUNNING = {"modules": [module()], "persistence": [place()], "boot": {"default": "4.4.87.toa"}}


# release: state, backend, code that decides (backend, code), for a machine that is freshly installed; nothing allowed, no lock.
EXPECTED = {
    "5.10.23-5.al8.x86_64": ("pending", "ebpf", ("vtoa", "kernel_too_old")),
    "5.10.112-11.2.al8.x86_64": ("pending", "ebpf", ("vtoa", "kernel_too_old")),
    "5.10.134-12.2.al8.x86_64": ("pending", "ebpf", ("vtoa", "kernel_too_old")),
    "5.10.134-14.1.al8.x86_64": ("pending", "ebpf", ("vtoa", "kernel_too_old")),
    "5.10.134-15.al8.x86_64": ("pending", "vtoa", None),
    "5.10.134-15.2.al8.x86_64": ("pending", "vtoa", None),
    "5.10.134-16.3.al8.x86_64": ("pending", "vtoa", None),
    "5.10.134-16.3.al8.aarch64": ("pending", "vtoa", None),
    "5.10.134-17.2.al8.x86_64": ("pending", "vtoa", None),
    "5.10.134-19.3.2.al8.x86_64": ("pending", "vtoa", None),
    "5.10.134-007.ali5000.al8.x86_64": ("pending", "ebpf", ("vtoa", "kernel_too_old")),
    "5.10.134-18.al8.x86_64+debug": ("pending", "ebpf", ("vtoa", "debug_kernel")),
    "5.10.134-15.an8.x86_64": ("pending", "ebpf", ("vtoa", "wrong_dist_tag")),
    "4.19.91-27.7.al7.x86_64": ("unsupported", "", ("vtoa", "unsupported_distribution")),
    "4.19.91-22.fc.1.al7.x86_64": ("unsupported", "", ("ebpf", "kernel_too_old")),
    "5.10.237-230.949.amzn2.x86_64": ("pending", "ebpf", ("in_tree", "no_module")),
    "3.10.0-1160.119.1.el7.x86_64": ("blocked", "kernel_package", ("kernel_package", "downgrade_needs_consent")),
    "3.10.0-693.el7.centos.toa.x86_64": ("pending", "kernel_package", ("kernel_package", "already_toa_kernel")),
    "4.4.0-210-generic": ("blocked", "kernel_package", ("kernel_package", "no_digest")),
    "4.4.87.toa": ("pending", "kernel_package", ("kernel_package", "already_toa_kernel")),
    "3.16.43.toa": ("pending", "kernel_package", ("kernel_package", "already_toa_kernel")),
    "6.1.0-18-amd64": ("pending", "ebpf", ("vtoa", "unsupported_distribution")),
    "5.10.0-27-rt-amd64": ("pending", "ebpf", ("in_tree", "no_module")),
    "5.14.0-362.18.1.el9_3.x86_64": ("pending", "ebpf", ("in_tree", "no_module")),
    "4.18.0-372.16.1.el8_6.0.1.x86_64": ("unsupported", "", ("ebpf", "kernel_stays_old")),
}


ROWS = [line.split("\t") for line in (VECTORS / "kernels.tsv").read_text(encoding="utf-8").splitlines()[1:]]


def running(**changes):
    return host("ubuntu-16.04", "4.4.87.toa", **{**TOA_RUNNING, **changes})


def attached_ebpf(**more):
    """`ebpf` of the facts of a host on which the programs of this release are attached."""
    return {"attached": [{"id": 1}], "complete": True, "object": ebpf_object.DIGEST, "bpftool": "/usr/sbin/bpftool", "getsockopt": True,
            "option_kinds": ["200/8", "253/20", "254/8"], "packets": ["ack"], "place": "unknown", **more}  # fmt: skip


# -- strangers, drift, the monitor
OPTION_FILTER = {
    "active": True,
    "method": "nft",
    "kinds": option_formats.stripped_kinds([]),
    "trusted_sources": ["10.0.0.0/8"],
    "ports": [],
    "at_boot": "/unit",
}


def toa_host(**more):
    """A host on which a module translates."""
    return host("ubuntu-16.04", "4.4.87.toa", **{**TOA_RUNNING, **more})


def named(plan):
    return {code for _backend, code in codes(plan)}
