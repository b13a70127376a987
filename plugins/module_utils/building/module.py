# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TOA module built from source for the running kernel: by DKMS where that is available, by make alone otherwise, or copied from an identical host.

A build happens in a folder of its own. The module that is in use stays where it is until its successor has been built, signed and looked at;
whatever fails before that leaves the host as it was. What was done is recorded in the section `source` of state.json.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import os
import shutil
import tempfile

from ansible_collections.realip.toa.plugins.module_utils.building.dkms import (
    FOLDER,
    forget_dkms,
    forget_module,
    use_dkms,
    with_dkms,
)
from ansible_collections.realip.toa.plugins.module_utils.building.headers import has_headers
from ansible_collections.realip.toa.plugins.module_utils.building.make import fitting, with_make
from ansible_collections.realip.toa.plugins.module_utils.building.module_host import (
    SIGNED,
    module_file,
    named,
    record_of,
)
from ansible_collections.realip.toa.plugins.module_utils.building.tools import (
    install_tools,
    require_compiler,
    require_headers,
    signing_hash,
)
from ansible_collections.realip.toa.plugins.module_utils.building.tree import clean, digest, subdirectory, unpack
from ansible_collections.realip.toa.plugins.module_utils.host.io import STATE_DIR, TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.writing import make_dirs, write_own
from ansible_collections.realip.toa.plugins.module_utils.packaging.repository import Repository

# Kept free for a build, in KiB.
ROOM = 64 * 1024


def status(host, _wanted):
    now = look(host)
    return dict(_result(now, now), key=host.key())


def present(host, wanted):
    before = look(host)
    if is_current(host, wanted):
        return dict(_result(before, before), key=host.key())
    if host.demands_signature() and not wanted.certificate:
        raise TargetError(
            "secure_boot_unsigned",
            "the kernel %s takes only signed modules, and no key to sign with was given" % host.running,
            "give a key whose certificate this host trusts (toa_source.signing_key, toa_source.signing_certificate), or boot without module.sig_enforce",
        )
    elsewhere = bool(wanted.built or host.args.get("elsewhere"))
    if host.args.get("check"):
        # Headers of another kernel, or none to be had, are found out without changing anything.
        if not elsewhere and (has_headers(host.running, host.root) or not host.args.get("install_tools")):
            require_headers(host.running, host.root)
        after = dict(
            before, module=wanted.module, kernel=host.running, identity=wanted.identity(), source=named(wanted.source)
        )
        return _result(before, after, changed=True)
    with host.lock():
        notes = _build(host, wanted)
    after = look(host)
    return dict(_result(before, after, changed=True), key=host.key(), notes=notes)


def built(host, wanted):
    """A module for a kernel that this host need not run: built, and not installed. The controller signs it, and keeps it for those that do."""
    if host.args.get("arch") not in (None, "", host.arch):
        raise TargetError(
            "other_architecture",
            "a module for %s is to be built on %s" % (host.args["arch"], host.arch),
            "name a builder of the same architecture (toa_builder)",
        )
    with host.lock():
        data, headers = _in_a_folder(host, lambda work: _made(host, wanted, work))
    return {
        "changed": False,
        "before": {},
        "after": {},
        "built": base64.b64encode(data).decode("ascii"),
        "built_sha256": digest(data),
        "signing_hash": signing_hash(headers),
    }


def absent(host, _wanted):
    """Everything that the record says we brought: module files of every kernel, the DKMS entry, packages."""
    before = look(host)
    record = host.record()
    nothing = {
        "module": "",
        "kernel": host.running,
        "file": "",
        "method": "",
        "identity": "",
        "source": {},
        "packages": [],
    }
    if not record:
        return _result(before, before)
    if host.args.get("check"):
        return _result(before, nothing, changed=True)
    with host.lock():
        forget_module(host, record)
        left, needed, said = Repository().remove(record.get("packages") or [])
        host.save({"packages": left} if left else {})
    if left:
        raise TargetError(
            "packages_kept",
            "the package manager did not remove %s: %s" % (", ".join(left), said),
            "remove them by hand; the module is gone already",
        )
    notes = ["%s stays: something else on this host needs it" % name for name in needed]
    return dict(_result(before, look(host), changed=True), notes=notes)


def look(host):
    """What `before` and `after` show: the module of the running kernel, and where it comes from."""
    record = host.record()
    place = module_file(host, record)
    return {
        "module": record.get("module", ""),
        "kernel": host.running,
        "file": place,
        "method": record.get("method", "") if place else "",
        "identity": record.get("identity", ""),
        "source": record.get("source") or {},
        "packages": record.get("packages") or [],
    }


def is_current(host, wanted):
    record = host.record()
    same = record.get("identity") == wanted.identity() and record.get("signer", "") == wanted.signer()
    return bool(same and module_file(host, record) and wanted.method in ("auto", record.get("method")))


# -- building ----------------------------------------------------------------------------------------------------------


def _build(host, wanted):
    """Build or take the module and put it in place; returns notes for the operator."""
    notes = []
    if wanted.built:
        data = base64.b64decode(wanted.built)
        if wanted.certificate and not data.endswith(SIGNED):
            raise TargetError(
                "sign_failed", "the module that came is not signed", "clear toa_build_store, then run again"
            )
        _put(host, wanted, fitting(host, data, "the module that was built on another host"))
        return notes
    if wanted.certificate:
        raise TargetError(
            "not_built",
            "a signed module is built by the builder and signed on the controller, and none has come",
            "name the builder (toa_builder)",
        )

    def build(work):
        tree = _unpacked(host, wanted, work)
        if use_dkms(host, wanted, notes):
            with_dkms(host, wanted, tree)
        else:
            _put(host, wanted, _made(host, wanted, work, tree)[0])

    _in_a_folder(host, build)
    return notes


def _in_a_folder(host, build):
    """build(folder), in a folder of its own that goes with it."""
    base = host.path(STATE_DIR)
    make_dirs(base)
    work = tempfile.mkdtemp(prefix="build-", dir=base)
    try:
        _need_room(base)
        return build(work)
    finally:
        shutil.rmtree(work, True)


def _unpacked(host, wanted, work):
    """The source, clean, and what it takes to build it."""
    tree = unpack(wanted.source, work, host.args.get("timeout") or 600)
    subdirectory(tree, wanted.folder)
    clean(tree)
    if host.args.get("install_tools"):
        install_tools(host)
    require_headers(host.running, host.root)
    require_compiler()
    return tree


def _made(host, wanted, work, tree=None):
    """(bytes of the module, folder of the headers), by make alone."""
    tree = tree or _unpacked(host, wanted, work)
    headers = require_headers(host.running, host.root)
    return with_make(host, wanted, subdirectory(tree, wanted.folder), headers, work), headers


def _need_room(folder):
    there = os.statvfs(folder)
    free = there.f_bavail * there.f_frsize // 1024
    if free < ROOM:
        raise TargetError(
            "disk_full",
            "%s has %d KiB free, and a build needs %d" % (folder, free, ROOM),
            "make room there, then run again",
        )


def _put(host, wanted, data):
    """A module's bytes in place of what was there, then what is no longer needed goes."""
    old = host.record()
    place = "/lib/modules/%s/%s/%s.ko" % (host.running, FOLDER, wanted.module)
    record = record_of(wanted, "plain", old)
    record["files"] = dict(old.get("files") or {}) if old.get("method") == "plain" else {}
    record["files"][host.running] = {"path": place, "sha256": digest(data)}
    if old.get("method") == "dkms":
        forget_dkms(host, old)
    host.save(record)
    make_dirs(os.path.dirname(host.path(place)))
    write_own(host.path(place), data, 0o644)
    host.depmod(host.running)


# -- results -----------------------------------------------------------------------------------------------------------


def _result(before, after, changed=None):
    return {"changed": before != after if changed is None else changed, "before": before, "after": after}
