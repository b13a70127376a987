# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distributions that are easily taken for another one: none of them gets another one's packages, and all are told why."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import facts_of
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner

CATALOG = catalog.load()
ETC, USR = "/etc/os-release", "/usr/lib/os-release"
REDHAT, CENTOS = "/etc/redhat-release", "/etc/centos-release"

# name: files, uname -r, machine, what it is, backend (with a TOA module in the kernel where that is a distribution that ships one)
TRAPS = {
    "Alinux 2 before 2020-09: first word Aliyun, version 7.2": (
        {REDHAT: "Aliyun Linux release 7.2 LTS (Hunting Beagle)\n"}, "4.19.91-27.7.al7.x86_64", "alinux", ""),
    "Alinux 2 since: no ID_LIKE": (
        {ETC: 'NAME="Alibaba Cloud Linux (Aliyun Linux)"\nVERSION_ID="2.1903"\nID="alinux"\n',
         REDHAT: "Alibaba Cloud Linux (Aliyun Linux) release 2.1903 LTS (Hunting Beagle)\n"}, "4.19.91-27.7.al7.x86_64", "alinux", ""),
    "Alinux 4: like anolis, tag alnx4": (
        {ETC: 'NAME="Alibaba Cloud Linux"\nID="alinux"\nID_LIKE="anolis"\nVERSION_ID="4"\nPLATFORM_ID="platform:alnx4"\n'},
        "6.6.102-5.alnx4.x86_64", "alinux", ""),
    "TencentOS 3.1 whose other files say CentOS 8": (
        {ETC: 'NAME="TencentOS Server"\nID="tencentos"\nID_LIKE="rhel fedora centos"\nVERSION_ID="3.1"\nPLATFORM_ID="platform:el8"\n',
         USR: 'ID="centos"\nVERSION_ID="8"\n', REDHAT: "CentOS Linux release 8.4.2105 (Core)\n"}, "5.4.32-19-0001", "tencentos", "in_tree"),
    "TencentOS 2 that says CentOS 7 in redhat-release": (
        {REDHAT: "CentOS Linux release 7.2 (Final)\n", CENTOS: "TencentOS Server release 2.4 (Final)\n"}, "3.10.107-1-tlinux2-0048", "tencentos", "in_tree"),
    "Anolis 8 with a vtoa kernel of the same upstream": (
        {ETC: 'NAME="Anolis OS"\nID="anolis"\nID_LIKE="rhel fedora centos"\nVERSION_ID="8.9"\nPLATFORM_ID="platform:an8"\n'},
        "5.10.134-16.1.an8.x86_64", "anolis", ""),
    "Kylin: a version that is no number": (
        {ETC: 'NAME="Kylin Linux Advanced Server"\nVERSION="V10 (Lance)"\nID="kylin"\nVERSION_ID="V10"\n'}, "4.19.90-89.11.v2401.ky10.aarch64", "kylin", ""),
    "UOS: an id in capitals": ({ETC: 'NAME="uos"\nID=UOS\nVERSION_ID="20"\n'}, "4.19.90-2403.3.0.0270.87.uel20.x86_64", "uos", ""),
    "openEuler: a capital in the id": ({ETC: 'ID="openEuler"\nVERSION_ID="22.03"\n'}, "5.10.0-153.12.0.92.oe2203sp3.aarch64", "openeuler", ""),
    "OpenCloudOS": (
        {ETC: 'ID="opencloudos"\nID_LIKE="rhel fedora"\nVERSION_ID="8.8"\n', REDHAT: "OpenCloudOS release 8.8\n"}, "5.4.119-20.0009.29", "opencloudos", ""),
    "Red Hat 6, for which CentOS 6 has a kernel": (
        {REDHAT: "Red Hat Enterprise Linux Server release 6.7 (Santiago)\n"}, "2.6.32-754.35.1.el6.x86_64", "rhel", ""),
    "Amazon Linux 2023: al2023 is not al8": (
        {ETC: 'ID="amzn"\nVERSION_ID="2023"\nPLATFORM_ID="platform:al2023"\n'}, "6.1.79-99.167.amzn2023.x86_64", "amzn", ""),
    "CentOS 6 without os-release": ({REDHAT: "CentOS release 6.7 (Final)\n"}, "2.6.32-754.35.1.el6.x86_64", "centos", "kernel_package"),
    "Alinux 3, shouted": ({ETC: 'ID="ALINUX"\nVERSION_ID="3"\n'}, "5.10.134-16.3.al8.x86_64", "alinux", "vtoa"),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAPS)
def test_trap(name):
    files, release, identity, backend = TRAPS[name]
    machine = release.rsplit(".", 1)[-1] if release.endswith("64") else "x86_64"
    modules = [{"name": "toa", "file": "/lib/modules/x/kernel/net/toa/toa.ko"}] if backend == "in_tree" else []
    raw = {
        "os_files": files,
        "uname": {"release": release, "machine": machine},
        "package_manager": "rpm",
        "modules": modules,
    }
    known = facts_of(raw)
    assert known["os"]["id"] == identity
    plan = planner.decide(known, {"trusted_sources": "all"}, CATALOG)
    assert plan["backend"] == backend
    if not backend:
        assert plan["state"] == "unsupported" and plan["packages"] == []
        assert {("vtoa", "unsupported_distribution"), ("kernel_package", "no_module_package")} <= {
            (reason["backend"], reason["code"]) for reason in plan["reasons"]
        }
    if backend == "in_tree":
        assert plan["state"] == "pending" and plan["packages"] == []
