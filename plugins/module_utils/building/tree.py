# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source, from wherever it comes, unpacked and ready for make; and what a compiler said when it failed, in one line."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import hashlib
import os
import re
import stat

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, list_dir, run
from ansible_collections.realip.toa.plugins.module_utils.packaging.download import adopt, public_url

# What a build leaves behind. Some public trees carry it in their repository (Huawei/TCP_option_address has a toa.ko), and make would take it
# for its own work.
LEFTOVERS = re.compile(r"^(.*\.(o|ko|mod|mod\.c)|\..*\.cmd|modules\.order|Module\.symvers)$")

_ERROR = re.compile(
    r"(?m)^(.*?:\d+(?::\d+)?: (?:fatal )?error: .*|ERROR: .*undefined!.*|ERROR: modpost: .*|WARNING: .* undefined!"
    # The compiler of its options, the shell of a compiler that is not there, and a Makefile of the kernel's that asks for another one.
    r"|[\w./+-]*(?:gcc|cc1|cc|clang|ld|as|c\+\+)(?:-[\w.]+)?: (?:fatal )?error: .*|.*: (?:command )?not found|\S+:\d+: \*\*\* .*)$"
)
_MAKE = re.compile(r"(?m)^(?:g?make(?:\[\d+\])?: )?\*\*\* .*$")
_FULL = re.compile(r"No space left on device|Disk quota exceeded")
_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")


def unpack(source, folder, timeout=600):
    """Unpack a source into `folder` and return the directory that holds its files.

    source: {url, sha256, archive}. `archive` is base64 of what the controller has sent; without it the host fetches `url`, which may
    be a path on the host too. What does not have the digest is not unpacked. `timeout` in seconds is for the transfer.
    """
    packed = os.path.join(folder, "archive")
    name = public_url(source["url"]).rstrip("/").rsplit("/", 1)[-1] or "the source"
    if source.get("archive"):
        _write(packed, base64.b64decode(source["archive"]), name)
    else:
        adopt(source["url"], packed, name, source.get("sha256") or "", 0, timeout)
    tree = os.path.join(folder, "tree")
    os.mkdir(tree)
    words = ["sh", "-c", 'umask 022; exec "$@"', "sh", "tar", "-x", "-f", packed, "-C", tree]
    rc, out, err = run(words + ["--no-same-owner", "--no-same-permissions"], timeout=timeout)
    os.unlink(packed)
    if rc != 0:
        raise _not_unpacked(name, (err or out).strip())
    make_harmless(tree)
    entries = list_dir(tree)
    if len(entries) == 1 and os.path.isdir(os.path.join(tree, entries[0])):
        return os.path.join(tree, entries[0])
    return tree


def make_harmless(tree):
    """Nobody but root may write what was unpacked, or become root by it; TargetError for what is neither file nor folder nor a link within."""
    inside = os.path.realpath(tree) + "/"
    os.chmod(tree, 0o755)  # nosec B103
    for place, folders, names in os.walk(tree):
        for name in folders + names:
            path = os.path.join(place, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                if not (os.path.realpath(path) + "/").startswith(inside):
                    raise _harmful(path, tree, "a link that leads out of it")
            elif stat.S_ISDIR(mode):
                os.chmod(path, 0o755)  # nosec B103
            elif stat.S_ISREG(mode):
                os.chmod(path, 0o755 if mode & 0o100 else 0o644)
            else:
                raise _harmful(path, tree, "neither a file nor a folder")


def _harmful(path, tree, what):
    return TargetError(
        "bad_source",
        "the source holds %s, which is %s" % (os.path.relpath(path, tree), what),
        "name an archive that holds source code and nothing else",
    )


def subdirectory(tree, name):
    """A directory of a source; TargetError where the source has none of that name."""
    path = os.path.join(tree, name) if name else tree
    if os.path.isdir(path):
        return path
    raise TargetError(
        "bad_source",
        "the source has no directory %s; it has %s" % (name, ", ".join(list_dir(tree)[:20]) or "nothing"),
        "correct `subdirectory` in toa_source.tree",
    )


def clean(folder):
    """Remove what an earlier build left in a source."""
    for place, _folders, names in os.walk(folder):
        for name in names:
            if LEFTOVERS.match(name):
                os.unlink(os.path.join(place, name))


def digest(data):
    """SHA-256 in hex of bytes, or of text."""
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode("utf-8")).hexdigest()


def first_error(output):
    """The line in which a build says why it failed."""
    for pattern in (_ERROR, _MAKE):
        match = pattern.search(output)
        if match:
            return match.group(0).strip()[:600]
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return (lines or ["it said nothing"])[-1][:600]


def build_failed(what, output, hide, timed_out=False):
    """The TargetError for a build that failed. `hide` is the folder it ran in, which means nothing to the operator."""
    said = first_error(output).replace(hide.rstrip("/") + "/", "")
    if _FULL.search(output):
        return TargetError(
            "disk_full",
            "no space was left while building %s: %s" % (what, said),
            "make room on the host, then run again",
        )
    if timed_out:
        return TargetError(
            "build_timeout",
            "building %s did not end in time" % what,
            "give it more time (timeout), or build on a faster host",
        )
    return TargetError(
        "build_failed",
        "building %s failed: %s" % (what, said),
        "see whether this source is made for this kernel; nothing of it was installed",
        output=output[-4000:],
    )


def variables_checked(variables):
    """make variables as words for its command line; TargetError for what make would read as something else."""
    words = []
    for key in sorted(variables or {}):
        value = str(variables[key])
        if not _NAME.match(key) or re.search(r"[\n\0]", value):
            raise TargetError(
                "bad_option", "%s=%s is not a variable of make" % (key, value), "correct `variables` in toa_source.tree"
            )
        words.append("%s=%s" % (key, value))
    return words


def _write(path, data, name):
    try:
        handle = open(path, "wb")
        try:
            handle.write(data)
        finally:
            handle.close()
    except (IOError, OSError) as problem:
        raise TargetError(
            "disk_full", "%s cannot be written: %s" % (name, problem.strerror), "make room on the host, then run again"
        )


def _not_unpacked(name, said):
    said = " ".join(said.split())[-400:]
    if _FULL.search(said):
        return TargetError(
            "disk_full", "no space was left while unpacking %s" % name, "make room on the host, then run again"
        )
    return TargetError(
        "bad_source",
        "%s cannot be unpacked: %s" % (name, said),
        "name a tar archive that this host's tar can read (is xz or zstd missing?)",
    )
