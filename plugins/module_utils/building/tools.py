# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes to build a module for the running kernel: its headers, a compiler, make, DKMS - seen, and had from the host's repositories.

The headers must be those of exactly `uname -r`. Recipes that put a link to those of another kernel where these belong (field guide, 1.5) make
modules that the kernel refuses, or worse; such a link is told from the real thing by the release that the headers themselves name.

`root` is "/" on a host, a made-up tree in tests.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.building.headers import COMPILERS, build_folder, has_headers
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TargetError,
    read_text,
    run,
    which,
)
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under
from ansible_collections.realip.toa.plugins.module_utils.packaging.repository import Repository

# Since 2.6.33 in `generated`, before that in `linux`.
RELEASE_FILES = ("include/generated/utsrelease.h", "include/linux/utsrelease.h")

_CC = re.compile(r'(?m)^CONFIG_CC_VERSION_TEXT="(?:\S*-)?(gcc-\d+)\b')


def main(args):
    """args: release. What the planner wants to know where headers are missing; changes nothing."""
    return dict(offered(args["release"]), changed=False)


def offered(release):
    """{headers_package, headers_available}: what the host's repositories say of a kernel's headers."""
    repository = BuildPackages()
    package = repository.headers(release)
    return {"headers_package": package, "headers_available": repository.offers(package)}


def require_headers(release, root="/"):
    """The folder with the headers of exactly this release; TargetError where they are missing or another kernel's."""
    folder = under(root, build_folder(release))
    if not has_headers(release, root):
        raise TargetError(
            "headers_missing",
            "there are no headers of the running kernel %s (%s)" % (release, build_folder(release)),
            "install %s from the distribution, or update to a kernel whose headers it still offers and reboot"
            % BuildPackages().headers(release),
            package=BuildPackages().headers(release),
        )
    named = [re.search(r'UTS_RELEASE "([^"]+)"', read_text(os.path.join(folder, name)) or "") for name in RELEASE_FILES]
    said = [match.group(1) for match in named if match]
    if said and said[0] != release:
        raise TargetError(
            "headers_mismatch",
            "the headers in %s are those of kernel %s, and %s is running" % (build_folder(release), said[0], release),
            "remove what put them there (a link to another kernel's headers builds modules that do not fit), and install %s"
            % BuildPackages().headers(release),
            expected=release,
            got=said[0],
        )
    return folder


def require_compiler():
    """TargetError where there is nothing to compile with."""
    missing = [
        what
        for what, names in (("make", ("make",)), ("C compiler", COMPILERS))
        if not [name for name in names if which(name)]
    ]
    if missing:
        raise TargetError(
            "compiler_missing",
            "there is no %s on this host" % " and no ".join(missing),
            "put build_tools into toa_install, install gcc and make, or set toa_builder to take what that host has built",
        )


def signing_hash(folder):
    """The digest that this kernel's own modules are signed with."""
    found = re.search(r'(?m)^CONFIG_MODULE_SIG_HASH="(\w+)"', read_text(os.path.join(folder, ".config"), 4 << 20) or "")
    return found.group(1) if found else "sha256"


class BuildPackages(Repository):
    """The packages of a build, as this host's repositories name them."""

    def headers(self, release):
        """The package with a kernel's headers, and with no other's."""
        if self.name in ("dnf", "yum"):
            return "%s-%s" % (self._devel(release), release)
        if self.name == "zypper":
            flavour = re.sub(r"^.*-", "", release)
            return "kernel-%s-devel=%s" % (flavour, re.sub(r"-[^-]*$", "", release))
        return "linux-headers-" + release

    def following_headers(self, release):
        """(name, version) of the package that brings the headers of each kernel update along; ("", "") where none is known or needed.

        In the version of the package that brings the kernels: a newer one would bring a newer kernel with it (Debian's break each other).
        """
        if self.name != "apt-get":
            return "", ""
        _rc, out, _err = run(
            ["dpkg-query", "-W", "-f", "${Status}\t${Package}\t${Version}\t${Depends}\n", "linux-image-*"]
        )
        for line in out.splitlines():
            status, name, version, depends = (line.split("\t") + ["", "", ""])[:4]
            if status == "install ok installed" and re.search(
                r"\blinux-image-(unsigned-)?%s(\s|,|$)" % re.escape(release), depends
            ):
                return name.replace("linux-image-", "linux-headers-", 1), version
        return "", ""

    def compiler(self, release):
        """Packages with make and the compiler that the kernel was built with, as far as they are missing."""
        missing = [name for name in ("gcc", "make") if not which(name)]
        if self.name == "apt-get":
            config = (
                read_text("/boot/config-" + release, 4 << 20)
                or read_text(build_folder(release) + "/.config", 4 << 20)
                or ""
            )
            named = _CC.search(config)
            if named and not which(named.group(1)):
                missing.append(named.group(1))
        elif self.name and self.name != "zypper" and not os.path.exists("/usr/include/libelf.h"):
            # objtool reads ELF files; on Enterprise Linux 6 and 7 nothing needs it, and it is small.
            missing.append("elfutils-libelf-devel")
        return missing

    def _devel(self, release):
        """kernel -> kernel-devel, kernel-uek-core -> kernel-uek-devel, kernel-ml -> kernel-ml-devel: by who owns the running kernel."""
        for place in ("/lib/modules/%s/vmlinuz" % release, "/boot/vmlinuz-" + release):
            rc, out, _err = run(["rpm", "-qf", "--qf", "%{NAME}\n", place])
            if rc == 0 and out.strip():
                return re.sub(r"-core$", "", out.split()[0]) + "-devel"
        return "kernel-devel"


def install_tools(host):
    """Headers, and a compiler where the headers have not brought one. What came is recorded before it is used, so that `absent` finds it."""
    repository = BuildPackages()
    if not has_headers(host.running, host.root):
        name = repository.headers(host.running)
        said = bring(host, repository, [name])
        if said:
            raise TargetError(
                "headers_unavailable",
                "the headers of the running kernel, %s, cannot be had: %s" % (name, said),
                "update to a kernel whose headers the distribution still offers and reboot, or put the package on a repository of this host",
                package=name,
            )
    missing = repository.compiler(host.running)
    said = bring(host, repository, missing) if missing else ""
    if said:
        raise TargetError(
            "compiler_missing",
            "%s cannot be had: %s" % (", ".join(missing), said),
            "install it by hand, or set toa_builder",
        )


def bring(host, repository, packages):
    """Install packages and record what came; returns what the package manager said when it refused."""
    came, said = repository.install(packages)
    if came:
        record = host.record()
        record["packages"] = sorted(set(record.get("packages") or []) | set(came))
        host.save(record)
    return said
