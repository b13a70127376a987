# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TOA module built from source for the running kernel: by DKMS where that is to be had, by make alone otherwise, or taken ready from a twin.

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
    MODULE_LIMIT,
    module_file,
    named,
    record_of,
)
from ansible_collections.realip.toa.plugins.module_utils.building.tools import (
    install_tools,
    require_compiler,
    require_headers,
)
from ansible_collections.realip.toa.plugins.module_utils.building.tree import clean, digest, subdirectory, unpack
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    STATE_DIR,
    TargetError,
    make_dirs,
    read_bytes,
    write_own,
)
from ansible_collections.realip.toa.plugins.module_utils.packaging.repository import Repository

# Kept free for a build, in KiB.
ROOM = 64 * 1024


def status(host, _wanted):
    now = look(host)
    return dict(_result(now, now), key=host.key())


def present(host, wanted):
    before = look(host)
    if is_current(host, wanted):
        return dict(_result(before, before), key=host.key(), **_returned(host, wanted))
    if host.demands_signature() and not (wanted.private_key or wanted.built):
        raise TargetError(
            "secure_boot_unsigned",
            "the kernel %s takes only signed modules, and no key to sign with was given" % host.running,
            "give a key whose certificate this host trusts (toa_signing_key, toa_signing_certificate), or boot without module.sig_enforce",
        )
    if host.args.get("check"):
        # Headers of another kernel, or none to be had, are found out without changing anything.
        if not wanted.built and (has_headers(host.running, host.root) or not host.args.get("install_tools")):
            require_headers(host.running, host.root)
        after = dict(
            before, module=wanted.module, kernel=host.running, identity=wanted.identity(), source=named(wanted.source)
        )
        return _result(before, after, changed=True)
    with host.lock():
        notes = _build(host, wanted)
    after = look(host)
    return dict(_result(before, after, changed=True), key=host.key(), notes=notes, **_returned(host, wanted))


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
    base = host.path(STATE_DIR)
    make_dirs(base)
    work = tempfile.mkdtemp(prefix="build-", dir=base)
    try:
        if wanted.built:
            _put(
                host,
                wanted,
                fitting(host, base64.b64decode(wanted.built), "the module that was built on another host"),
            )
            return notes
        _need_room(base)
        tree = unpack(wanted.source, work, host.args.get("timeout") or 600)
        folder = subdirectory(tree, wanted.folder)
        clean(tree)
        if host.args.get("install_tools"):
            install_tools(host)
        headers = require_headers(host.running, host.root)
        require_compiler()
        if use_dkms(host, wanted, notes):
            with_dkms(host, wanted, tree)
            return notes
        _put(host, wanted, with_make(host, wanted, folder, headers, work))
    finally:
        shutil.rmtree(work, True)
    return notes


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


def _returned(host, wanted):
    """The module itself, for twins, where that was asked for."""
    if not host.args.get("return_module"):
        return {}
    place = module_file(host, host.record())
    data = read_bytes(host.path(place), MODULE_LIMIT) if place else None
    return {"built": base64.b64encode(data).decode("ascii"), "built_sha256": digest(data)} if data else {}


def _result(before, after, changed=None):
    return {"changed": before != after if changed is None else changed, "before": before, "after": after}
