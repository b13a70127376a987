# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a machine that is not there: what a freshly installed one would show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.module_utils.common.kernels import EBPF_KERNEL, OWN_CGROUP2
from ansible_collections.realip.toa.plugins.plugin_utils.facts import distribution
from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import CLEAN, facts_of, record_of_os


def assumed_facts(os_release: str, kernel: str, arch: str = "") -> dict[str, Any]:
    """What a freshly installed machine of this distribution, running this kernel, would show.

    `os_release` is the text of an os-release or release file, `kernel` what `uname -r` prints, `arch` what `uname -m` prints
    (default: what the release says, else x86_64).
    """
    facts = facts_of({"uname": {"release": kernel, "machine": arch}})
    facts["kernel"]["arch"] = facts["kernel"]["arch"] or "x86_64"
    entry = distribution.identify_text(os_release)
    facts["os"] = record_of_os(entry, distribution.package_family(entry, facts["kernel"]["tag"]))
    facts["init"] = _usual_init(entry)
    facts["boot"].update(loader=_usual_loader(entry), env_writable=True, one_shot=True)
    facts["firewall"]["backend"] = "iptables"
    # Any kernel that can have the backend has cgroup v2; where nobody mounts it, the loader does.
    can = tuple(facts["kernel"]["upstream"][:2]) >= EBPF_KERNEL
    facts["ebpf"]["cgroup2"] = _usual_cgroup2(entry) or (OWN_CGROUP2 if can else None)
    facts["ebpf"]["possible"] = facts["ebpf"]["cgroup2"] is not None
    if entry["id"] == "tencentos":
        # TencentOS builds net/toa into every kernel since version 2 (CONFIG_TOA, default m).
        file = f"/lib/modules/{facts['kernel']['release']}/kernel/net/toa/toa.ko"
        facts["modules"] = CLEAN["modules"]([{"name": "toa", "file": file}])
    return facts


def _enterprise_level(entry: Mapping[str, Any]) -> int:
    """The release of Enterprise Linux that a distribution is like (7 for Amazon Linux 2, 8 for Alinux 3); 0 for others."""
    if entry["id"] in ("rhel", "centos", "rocky", "almalinux", "ol", "scientific"):
        return int(entry["major"])
    steps = {
        "alinux": {2: 7, 3: 8, 4: 9}, "anolis": {7: 7, 8: 8, 23: 9}, "tencentos": {2: 7, 3: 8, 4: 9}, "opencloudos": {8: 8, 9: 9, 23: 9},
        "amzn": {2: 7, 2023: 9}, "kylin": {10: 8}, "hce": {2: 8}, "openeuler": {20: 8, 22: 8, 24: 9},
    }  # fmt: skip
    return steps.get(entry["id"], {}).get(entry["major"], 0)


def _usual_init(entry: Mapping[str, Any]) -> str:
    level = _enterprise_level(entry)
    if level == 6 or (entry["id"] == "ubuntu" and 0 < entry["major"] < 15):
        return "upstart"
    if (0 < level < 6) or (entry["id"] == "debian" and 0 < entry["major"] < 8):
        return "sysvinit"
    return "systemd" if entry["id"] else "other"


def _usual_loader(entry: Mapping[str, Any]) -> str:
    level = _enterprise_level(entry)
    if 0 < level < 7:
        return "grub_legacy"
    return (
        "grub2_bls"
        if level >= 8 or (entry["id"] == "fedora" and entry["major"] >= 30)
        else "grub2"
        if entry["id"]
        else "other"
    )


def _usual_cgroup2(entry: Mapping[str, Any]) -> str | None:
    """Where cgroup v2 is mounted out of the box: alone, beside v1 (hybrid), or not at all."""
    name, major = entry["id"], entry["major"]
    version = tuple(int(part) for part in entry["version_id"].split(".")[:2] if part.isdigit())
    unified = (
        (name == "debian" and major >= 11)
        or (name == "ubuntu" and version >= (21, 10))
        or (name == "fedora" and major >= 31)
        or name == "opensuse-tumbleweed"
        # openEuler, Anolis and OpenCloudOS kept v1 where Enterprise Linux 9 left it.
        or (_enterprise_level(entry) >= 9 and name not in ("openeuler", "anolis", "opencloudos", "tencentos"))
    )
    hybrid = (
        (name == "debian" and major == 10)
        or (name == "ubuntu" and major >= 18)
        or (name in ("sles", "opensuse-leap") and major == 15)
    )
    return "/sys/fs/cgroup" if unified else "/sys/fs/cgroup/unified" if hybrid else None
