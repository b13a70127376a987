# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host that a module is built for, what was asked for, and the record of what was built."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import re

from ansible_collections.realip.toa.plugins.module_utils.building.tree import digest, variables_checked
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TargetError,
    read_bytes,
    read_line,
    run,
)
from ansible_collections.realip.toa.plugins.module_utils.host.lock import LOCK_FILE, HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.state import STATE_FILE, save_section, section
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import (
    STATS_FILES,
    TOA_MODULES,
    toa_files,
    under,
)
from ansible_collections.realip.toa.plugins.module_utils.packaging.download import public_url

# No TOA module comes near this; a module with all its debugging information may.
MODULE_LIMIT = 16 << 20
# Bytes at the end of a signed module (kernel/module_signing.c).
SIGNED = b"~Module signature appended~\n"
# It becomes a part of paths and of the names of packages.
_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}\Z")


class Host:
    """The host that a module is built for, and what it says of itself."""

    def __init__(self, args):
        self.root = args.get("root") or "/"
        self.running = args.get("running") or os.uname()[2]
        if not _RELEASE.match(self.running):
            raise TargetError("bad_option", "running: %r is no kernel" % self.running, "name it as `uname -r` does")
        self.arch = os.uname()[4]
        self.state_file = under(self.root, STATE_FILE)
        self.args = args

    def path(self, path):
        return under(self.root, path)

    def lock(self):
        return HostLock(LOCK_FILE if self.root == "/" else self.path(LOCK_FILE))

    def record(self):
        return section("source", self.state_file)

    def save(self, record):
        save_section("source", record, self.state_file)

    def demands_signature(self):
        """Whether this kernel loads only signed modules: by a switch of its own, or because it is locked down (as Secure Boot has it)."""
        if read_line(self.path("/sys/module/module/parameters/sig_enforce")) in ("Y", "1"):
            return True
        return (
            re.search(r"\[(integrity|confidentiality)\]", read_line(self.path("/sys/kernel/security/lockdown")) or "")
            is not None
        )

    def depmod(self, release):
        words = ["depmod"] + (["-b", self.root] if self.root != "/" else []) + [release]
        rc, out, err = run(words)
        if rc != 0:
            raise TargetError(
                "depmod_failed",
                "depmod %s: %s" % (release, (err or out).strip()[-400:]),
                "see that depmod works on this host",
            )

    def dkms(self, *words):
        """Run dkms; returns (rc, output)."""
        places = []
        if self.root != "/":
            places = [
                "--dkmstree",
                self.path("/var/lib/dkms"),
                "--sourcetree",
                self.path("/usr/src"),
                "--installtree",
                self.path("/lib/modules"),
            ]
        rc, out, err = run(["dkms"] + list(words) + places, timeout=self.args.get("timeout") or 1800)
        return rc, out + err

    def key(self):
        """What a module built on one host must have in common with another host to fit there."""
        return {"release": self.running, "arch": self.arch, "version": os.uname()[3]}


class Wanted:
    """What was asked for, checked."""

    def __init__(self, args):
        self.module = (args.get("module") or "toa").replace("-", "_")
        if self.module not in STATS_FILES:
            raise TargetError(
                "bad_option", "module: %s is no TOA module" % self.module, "use one of %s" % ", ".join(TOA_MODULES)
            )
        self.source = args.get("source") or {}
        self.folder = (args.get("subdirectory") or "").strip("/")
        if ".." in self.folder.split("/"):
            raise TargetError(
                "bad_option", "subdirectory: %s leads out of the source" % self.folder, "name a directory of the source"
            )
        self.words = variables_checked(args.get("variables")) + ["modules"]
        self.own_dkms = bool(args.get("own_dkms"))
        self.method = args.get("method") or "auto"
        self.certificate = args.get("signing_certificate") or ""
        self.built = args.get("built") or ""

    def identity(self):
        """Names the source together with how it is built; equal identities make equal modules."""
        words = [self.source.get("sha256") or self.source.get("url") or "", self.folder, self.module] + self.words
        return digest(json.dumps(words))[:16]

    def signer(self):
        return digest(self.certificate)[:16] if self.certificate else ""


def module_file(host, record):
    """Where the running kernel has the module that we built, "" where it has none."""
    name = record.get("module")
    found = toa_files(host.running, host.root).get(name, "") if name else ""
    if not found or not os.path.exists(host.path(found)):
        return ""
    if record.get("method") == "dkms":
        # DKMS of Debian keeps to what dkms.conf says (updates/dkms), that of Enterprise Linux does not (extra).
        return found if re.search("/(updates|extra|weak-updates)/", found) else ""
    entry = (record.get("files") or {}).get(host.running) or {}
    data = read_bytes(host.path(found), MODULE_LIMIT)
    return found if data is not None and digest(data) == entry.get("sha256") else ""


def record_of(wanted, method, old):
    return {
        "module": wanted.module,
        "method": method,
        "identity": wanted.identity(),
        "source": named(wanted.source),
        "signer": wanted.signer(),
        "packages": old.get("packages") or [],
    }


def named(source):
    """Where it is from, as the record and results say it: what is secret in a URL stays on the controller."""
    return dict(
        ((key, source.get(key) or "") for key in ("sha256", "commit", "tree")), url=public_url(source.get("url") or "")
    )
