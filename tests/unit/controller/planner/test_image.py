# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A root file system that is not running: whatever it is, nothing is planned for it that takes a running machine."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.registry import REGISTRY

from tests.unit.controller.planner.cases import CENTOS7, CONSENTS, DEBIAN12, LOCK, ROWS, codes, decide, host

ON_A_HOST = ("reboot", "drain", "prove", "one boot", "put the host back")


def image(known, **changes):
    return {**known, "image": True, **changes}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_no_image_of_the_vectors_needs_a_machine(row):
    name, release, arch = row[:3]
    plan = decide(image(host(name, release, arch)), accept=list(CONSENTS))
    assert not plan["reboot"]
    assert not [step for step in plan["steps"] if any(word in step for word in ON_A_HOST)], plan["steps"]
    assert plan["backend"] in ("", *(each.name for each in REGISTRY.values() if each.in_image))


def test_a_stock_kernel_takes_the_programs():
    plan = decide(image(host(*DEBIAN12)))
    assert (plan["state"], plan["backend"], plan["reboot"]) == ("pending", "ebpf", False)
    assert any("first boot" in step for step in plan["steps"])


def test_a_vendors_kernel_is_the_default_of_the_image():
    boot = {"loader": "grub2", "one_shot": False, "reason": "not in an image"}
    plan = decide(image(host(*CENTOS7, boot=boot)), lock=LOCK, accept=["kernel_downgrade"])
    assert (plan["state"], plan["backend"], plan["reboot"]) == ("pending", "kernel_package", False), plan["reasons"]
    assert any("the default" in step for step in plan["steps"])
    # There is no trial boot, so nothing has to be accepted that is about one.
    assert "no_fallback" not in {code for _backend, code in codes(plan)}


def test_without_a_boot_loader_nothing_would_boot_it():
    plan = decide(
        image(host(*CENTOS7, boot={"loader": "other", "reason": "no configuration of GRUB was found"})),
        accept=["kernel_downgrade"],
    )
    assert plan["state"] == "blocked" and ("kernel_package", "image_no_loader") in codes(plan, "block")


def test_without_a_kernel_nobody_knows_what_it_can_have():
    known = image(host(*DEBIAN12))
    plan = decide({**known, "kernel": {**known["kernel"], "release": ""}})
    assert plan["state"] == "blocked" and "image_no_kernel" in {code for _backend, code in codes(plan)}


@pytest.mark.parametrize("name", [each.name for each in REGISTRY.values() if not each.in_image])
def test_what_takes_a_running_kernel_says_so(name):
    policy = {"source": {"url": "https://example.com/toa.git"}} if name == "source_module" else {}
    plan = decide(image(host(*CENTOS7)), backends=[name], **policy)
    assert plan["state"] == "unsupported" and (name, "not_in_image") in codes(plan, "block")
