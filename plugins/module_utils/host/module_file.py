# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's file: for which kernel it was built, whether it is the one that is loaded, and which file its name stands for at boot."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    list_dir,
    read_bytes,
    read_line,
    read_text,
    run,
)
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import module_of_file, toa_files, under

_LARGEST = 64 << 20
_UNPACKERS = {".xz": ["xz", "-dc"], ".gz": ["gzip", "-dc"], ".zst": ["zstd", "-dc", "-q"], ".bz2": ["bzip2", "-dc"]}
_VERMAGIC = re.compile(b"(?:^|\0)vermagic=([^ \0]+)")
_MODPROBE_FOLDERS = (
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
)


def content_of(path):
    """Bytes of a module's file, unpacked; None where it cannot be read or unpacked."""
    data = read_bytes(path, _LARGEST)
    unpacker = _UNPACKERS.get(os.path.splitext(path)[1])
    if data is None or unpacker is None:
        return data
    import subprocess  # of binary output, which run() takes for text

    child = subprocess.Popen(unpacker, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    unpacked = child.communicate(data)[0]
    return unpacked if child.returncode == 0 else None


def kernel_of(content):
    """The release of the kernel that a module was built for; "" where the file does not say."""
    found = _VERMAGIC.search(content or b"")
    return found.group(1).decode("ascii", "replace") if found else ""


def is_loaded_one(content, name, root="/"):
    """Whether the module that is loaded came out of this file: by its build id, else by its source's checksum. None where neither is known."""
    folder = "/sys/module/" + name
    note = read_bytes(under(root, folder + "/notes/.note.gnu.build-id"), 256) or b""
    # Three words (length of the name, of the id, a type), the name "GNU\0", the id.
    if len(note) > 16:
        return note[16:] in (content or b"")
    version = read_line(under(root, folder + "/srcversion"))
    if version and b"srcversion=" in (content or b""):
        return b"srcversion=" + version.encode("ascii", "replace") in content
    return None


def resolves(name, release, root="/"):
    """(file, "") that modprobe loads by this name, or ("", why it would find none). The file is "" too where only modprobe can tell."""
    if not os.path.isdir(under(root, "/lib/modules/" + release)):
        return "", ""
    path = toa_files(release, root).get(name, "")
    if path == "builtin" or (path and os.path.exists(under(root, path))):
        return path, ""
    if path:
        return "", "modules.dep of kernel %s names %s, which is not there" % (release, path)
    if _has_rule(name, root):
        return "", ""
    return "", "kernel %s has no module %s that modprobe would find (modules.dep lists none)" % (release, name)


def _has_rule(name, root):
    """Whether modprobe.d says what to do for this name, so that modules.dep does not decide."""
    for folder in _MODPROBE_FOLDERS:
        for leaf in list_dir(under(root, folder)):
            for line in (read_text(under(root, "%s/%s" % (folder, leaf)), 65536) or "").split("\n"):
                words = line.split()
                if len(words) > 2 and words[0] in ("alias", "install") and words[1].replace("-", "_") == name:
                    return True
    return False


def place_for(path, release):
    """Where a module's file has to lie so that modprobe takes it before any other of its name."""
    name = module_of_file(path)
    ending = path[path.rindex(".ko") :]
    return "/lib/modules/%s/updates/realip-toa/%s%s" % (release, name, ending)


def index(release, root="/"):
    """Have depmod find what was installed; returns what it said where it failed, or ""."""
    argv = ["depmod", "-a"] + ([] if root == "/" else ["-b", root]) + [release]
    code, out, err = run(argv, timeout=300)
    if code == 124:
        return "depmod did not end within 300 seconds"
    return "" if code == 0 else " ".join((err or out or "exit status %d" % code).split())[:300]
