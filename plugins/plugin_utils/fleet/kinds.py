# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is the same for two hosts, so that a proof on one of them says something about the other. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils import host_text


def kind_of(facts: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    """The kind of a host, as people read it: distribution, backend, kernels, firmware, drivers of the root disk and of the network.

    A host that has been rolled out is of the kind that it was of before: its record knows the kernel that it came from. What is not known is
    left out, so that hosts of which the same is unknown are of one kind.
    """
    os, kernel, hardware = (_mapping(facts.get(key)) for key in ("os", "kernel", "hardware"))
    running, target = str(kernel.get("release") or ""), str(plan.get("kernel_target") or "")
    boot = _mapping(_mapping(facts.get("state")).get("boot"))
    if running == target and boot.get("kernel") == running and boot.get("old"):
        running = str(boot["old"])
    kernels = f"{running} -> {target}" if target and target != running else running
    parts = [
        " ".join(str(part) for part in (os.get("id") or "unknown", os.get("major")) if part),
        plan.get("backend"),
        kernels,
        hardware.get("firmware"),
        hardware.get("root_driver"),
        hardware.get("nic_driver"),
    ]
    return host_text.line(", ".join(str(part) for part in parts if part))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
