# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages that a task names, checked; and who on this host installs them."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, which
from ansible_collections.realip.toa.plugins.module_utils.packaging.dpkg import Dpkg
from ansible_collections.realip.toa.plugins.module_utils.packaging.rpm import Rpm
from ansible_collections.realip.toa.plugins.module_utils.packaging.rpm_repository import RpmRepository

MANAGERS = {"deb": Dpkg, "rpm": Rpm}
# Who brings packages from the repositories that a host has; vtoa is the only package that comes that way.
REPOSITORIES = {"rpm": RpmRepository}
TOOLS = {"deb": "dpkg", "rpm": "rpm"}
FILE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.+~_:%^-]*\.(deb|rpm)\Z")
RELEASE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+~-]*\Z")
SHA256 = re.compile(r"^[0-9a-f]{64}\Z")


def checked(item):
    """One entry of `packages` with every key there; TargetError names the key that is wrong."""
    name = item.get("name") or ""
    filename = item.get("file") or (item.get("url") or "").split("?")[0].rsplit("/", 1)[-1]
    suffix = filename.rsplit(".", 1)[-1] if filename else ""
    known = REPOSITORIES if item.get("repository") else MANAGERS
    kind = item.get("format") or (suffix if suffix in TOOLS else "") or host_format(known)
    if kind not in known:
        raise TargetError(
            "format_unsupported",
            "package %s is in format %s; %s are installed" % (name, kind, ", ".join(sorted(known))),
            "name a package in a format that the host installs",
        )
    if item.get("repository") and (filename or item.get("sha256")):
        raise TargetError(
            "bad_package",
            "packages: %s comes from a repository and has a file as well" % name,
            "give it either repository or url",
        )
    manager = known[kind]()
    given = {
        "name": manager.identity(name, filename),
        "repository": bool(item.get("repository")),
        "file": filename,
        "url": item.get("url") or "",
        "sha256": (item.get("sha256") or "").lower(),
        "size": int(item.get("size") or 0),
        "format": kind,
        "role": item.get("role") or ("image" if item.get("release") else "other"),
        "release": item.get("release") or "",
        "version": manager.version_in_name(filename) if filename else "",
    }
    for key, pattern, needed in (
        ("name", manager.NAME, True),
        ("file", FILE_NAME, False),
        ("sha256", SHA256, False),
        ("release", RELEASE, False),
    ):
        if (given[key] or needed) and not pattern.match(given[key]):
            raise TargetError(
                "bad_package",
                "packages: %s of %s is %r, which is not a valid one"
                % (key, name or filename or "an entry", given[key]),
                "correct %s in the catalog, the lock file or the task" % key,
            )
    return given


def refuse_doubles(items):
    names = sorted(item["name"] for item in items)
    for first, second in zip(names, names[1:]):
        if first == second:
            raise TargetError("bad_package", "packages: %s is named twice" % first, "name each package once")


def refuse_unreviewed(items, args):
    """Without a digest nobody knows what is installed: only with the operator's word."""
    for item in items:
        if not (item["sha256"] or item["repository"] or args.get("accept_unverified")):
            raise TargetError(
                "no_digest",
                "no sha256 is known for %s, so what the mirror serves could be anything" % item["file"],
                "run the playbook realip.toa.lock and review toa.lock.yml, or set toa_accept: [unverified_packages]",
            )


def host_format(known):
    """The first of the known formats that this host has a tool for."""
    return ([kind for kind in sorted(known) if which(TOOLS[kind])] or ["none"])[0]


def manager_for(items):
    formats = sorted(set(item["format"] for item in items)) or [host_format(MANAGERS)]
    if len(formats) > 1:
        raise TargetError(
            "bad_package",
            "packages: formats are mixed (%s)" % ", ".join(formats),
            "name packages of one format per task",
        )
    if formats[0] not in MANAGERS or not which(TOOLS[formats[0]]):
        raise TargetError(
            "format_unsupported",
            "this host has no package manager for format %s" % formats[0],
            "name a package in a format that the host installs",
        )
    return REPOSITORIES[formats[0]] if items and items[0]["repository"] else MANAGERS[formats[0]]
