# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages a host has its software from, and which kernels it holds against updates."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.common.distributions import family_of
from ansible_collections.realip.toa.plugins.module_utils.host.io import read_bytes, to_text

_HOLD = b"\nStatus: hold "
_KERNEL_PACKAGE = (
    r"(linux-(image|headers|modules|generic|virtual|kvm|aws|azure|gcp|cloud|amd64|arm64|lowlatency)|kernel)\b"
)
_VERSIONLOCKS = ("/etc/yum/pluginconf.d/versionlock.list", "/etc/dnf/plugins/versionlock.list")
_RPM_DATABASES = (
    "/var/lib/rpm/Packages",
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/Packages.db",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/Packages.db",
    "/usr/lib/sysimage/rpm/Packages",
)


def look_at_package_manager(look):
    """rpm, deb or none: the family whose database is there. Where both are (the other one's tool is installed), os-release decides."""
    deb = look.size("/var/lib/dpkg/status") > 0
    rpm = [path for path in _RPM_DATABASES if look.size(path) > 0]
    if not (deb and rpm):
        return "deb" if deb else "rpm" if rpm else "none"
    ids = re.findall(
        r"[a-z-]+",
        " ".join(re.findall(r"^ID(?:_LIKE)?=(.*)$", look.os_files.get("/etc/os-release", ""), re.M)).lower(),
    )
    known = family_of(ids)
    if known:
        return known
    return "rpm" if "/etc/redhat-release" in look.os_files or "/etc/system-release" in look.os_files else "deb"


def look_at_held(look):
    return _held_debs(look) + _locked_rpms(look)


def _held_debs(look):
    """Kernel packages with the selection `hold`. dpkg's status is searched, not parsed: it is a megabyte, and holds are rare."""
    held = []
    status = read_bytes(look.path("/var/lib/dpkg/status"), 64 << 20) or b""
    place = status.find(_HOLD)
    while place >= 0:
        paragraph = to_text(status[status.rfind(b"\n\n", 0, place) + 1 : place])
        name = re.search(r"^Package: (\S+)", paragraph, re.M)
        if name and re.match(_KERNEL_PACKAGE, name.group(1)):
            held.append(name.group(1))
        place = status.find(_HOLD, place + 1)
    return held


def _locked_rpms(look):
    """What versionlock and `exclude=` of yum and dnf say of kernels, as it is written there."""
    held = []
    for path in _VERSIONLOCKS:
        held.extend(line.strip()[:200] for line in look.text(path).split("\n") if re.match(r"([0-9]+:)?kernel\b", line))
    for path in ("/etc/yum.conf", "/etc/dnf/dnf.conf"):
        for value in re.findall(r"^exclude(?:pkgs)?[ \t]*=[ \t]*(.*)$", look.text(path), re.M):
            held.extend(word[:200] for word in value.replace(",", " ").split() if word.startswith("kernel"))
    return held
