# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module built by make alone, signed where a key was given, and looked at before it is used."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import shutil
import tempfile

from ansible_collections.realip.toa.plugins.module_utils.building.module_host import MODULE_LIMIT
from ansible_collections.realip.toa.plugins.module_utils.building.tools import signing_hash, signing_tool
from ansible_collections.realip.toa.plugins.module_utils.building.tree import build_failed
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TargetError,
    list_dir,
    read_bytes,
    run,
    which,
    write_own,
)

# Bytes at the end of a signed module (kernel/module_signing.c).
SIGNED = b"~Module signature appended~\n"


def with_make(host, wanted, folder, headers, work):
    """The module, built by make alone, stripped and signed."""
    jobs = os.sysconf("SC_NPROCESSORS_ONLN")
    words = ["make", "-C", headers, "-j%d" % max(1, jobs), "M=" + folder] + wanted.words
    rc, out, err = run(words, timeout=host.args.get("timeout") or 1800)
    path = os.path.join(folder, wanted.module + ".ko")
    if rc != 0 or not os.path.exists(path):
        said = err + out
        if rc == 0:
            said = "it made %s, and no %s.ko" % (
                ", ".join(name for name in list_dir(folder) if name.endswith(".ko")) or "nothing",
                wanted.module,
            )
        raise build_failed(wanted.module, said, work, timed_out=rc == 124)
    if which("strip"):
        run(["strip", "-g", path])
    if wanted.private_key:
        _sign(host, wanted, path, headers)
    return fitting(host, read_bytes(path, MODULE_LIMIT), "the module that was built")


def fitting(host, data, what):
    """A module's bytes, if the running kernel would take them; TargetError otherwise."""
    match = re.search(b"vermagic=([^ \0]+)", data or b"")
    found = match.group(1).decode("ascii", "replace") if match else ""
    if found != host.running:
        raise TargetError(
            "module_wrong_kernel",
            "%s is for kernel %s, and %s is running" % (what, found or "none at all", host.running),
            "see what stands in /lib/modules/%s/build, or clear what toa_build_store holds" % host.running,
        )
    return data


def _sign(host, wanted, path, headers):
    """Sign with the operator's key, which is in memory only but for the moment in which it is used."""
    tool = signing_tool(headers)
    folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        for name, text in (("key", wanted.private_key), ("certificate", wanted.certificate)):
            write_own(os.path.join(folder, name), text, 0o600)
        rc, out, err = run(
            [tool, signing_hash(headers), os.path.join(folder, "key"), os.path.join(folder, "certificate"), path]
        )
    finally:
        shutil.rmtree(folder, True)
    if rc != 0 or not (read_bytes(path, MODULE_LIMIT) or b"").endswith(SIGNED):
        raise TargetError(
            "sign_failed",
            "the module cannot be signed: %s" % " ".join((err or out).split())[-400:],
            "give a private key without passphrase, and its certificate, both as PEM (toa_signing_key, toa_signing_certificate)",
        )
