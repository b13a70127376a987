# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One law for all backends: what a host would refuse for its signature is blocked, and what it would take is not."""

from __future__ import annotations

import itertools

import pytest

from .cases import ALINUX3, CATALOG, CENTOS7, DEBIAN12, LOCK, codes, decide, host, module

OURS, FOREIGN = "Example Corp MOK", "Somebody Else"
DEMANDS = {
    "nothing": {},
    "sig_enforce": {"sig_enforce": True},
    "integrity": {"lockdown": "integrity"},
    "confidentiality": {"lockdown": "confidentiality"},
    "secure boot": {"secure_boot": True},
}
SIGNERS = {"nobody": [], "somebody else": [FOREIGN], "ours": [FOREIGN, OURS]}


def refused(plan):
    return "secure_boot_unsigned" in {code for _backend, code in codes(plan, "block")}


@pytest.mark.parametrize("keys", [[OURS], []], ids=["keys are told", "keys are not told"])
@pytest.mark.parametrize(("demand", "signer"), list(itertools.product(DEMANDS, SIGNERS)))
def test_modules(demand, signer, keys):
    security = {**DEMANDS[demand], "trusted_keys": keys}
    trusted = signer == "ours" or (not keys and signer == "somebody else")
    for name, where, backend in (("toa", DEBIAN12, "in_tree"), ("vtoa", ALINUX3, "vtoa")):
        there = [module(name, loaded=False, live=False, signers=SIGNERS[signer])]
        plan = decide(host(*where, modules=there, security=security), backends=[backend])
        assert refused(plan) is (demand != "nothing" and not trusted), plan["reasons"]
        loaded = [module(name, signers=SIGNERS[signer])]
        assert not refused(decide(host(*where, modules=loaded, security=security), backends=[backend])), (
            "it was good enough"
        )


@pytest.mark.parametrize(("demand", "signer"), list(itertools.product(DEMANDS, SIGNERS)))
def test_kernels(demand, signer):
    """By the image where it is installed, else by what the catalog says; only Secure Boot asks who has signed a kernel."""
    security = {**DEMANDS[demand], "trusted_keys": [OURS]}
    (entry,) = [item for item in CATALOG if item.key == "tencent-centos-7"]
    wanted = demand == "secure boot" and signer != "ours"
    image = {
        "release": entry.release,
        "image": "/boot/x",
        "toa_modules": [],
        "package": "",
        "lacks": [],
        "signers": SIGNERS[signer],
    }
    options = {"backends": ["kernel_package"], "accept": ["kernel_downgrade"], "lock": LOCK}
    assert refused(decide(host(*CENTOS7, security=security, kernels=[image]), **options)) is wanted
    said = [type(entry)(**{**entry.__dict__, "signed_by": OURS if signer == "ours" else ""})]
    assert refused(decide(host(*CENTOS7, security=security), entries=said, **options)) is wanted


@pytest.mark.parametrize("loaded", [True, False])
def test_a_kernel_that_loads_no_module_any_more(loaded):
    there = [module(loaded=loaded, live=loaded)]
    plan = decide(host(*DEBIAN12, modules=there, security={"modules_disabled": True}), backends=["in_tree"])
    assert ("modules_disabled" in {code for _backend, code in codes(plan, "block")}) is not loaded


@pytest.mark.parametrize("monitor", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_fapolicyd_is_found_before_the_monitor_is_left(there, monitor):
    plan = decide(host(*DEBIAN12, security={"fapolicyd": there}), monitor=monitor)
    assert ("fapolicyd_monitor" in {code for _backend, code in codes(plan)}) is (there and monitor)
