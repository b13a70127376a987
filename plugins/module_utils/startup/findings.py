# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that load a TOA module, in one file: a list of module names or a shell script, and why such a line does not work.

A finding is a dict: `path, kind (modules_load, etc_modules, rc_local, sysconfig_modules, systemd, initramfs), module, line (first 200
characters), line_number (from 1), effective, reason (empty where it is effective), ours, file (what insmod is given, or "")`.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import stat

from ansible_collections.realip.toa.plugins.module_utils.host.io import list_dir, read_text
from ansible_collections.realip.toa.plugins.module_utils.host.marks import MARKER, OUR_SCRIPTS
from ansible_collections.realip.toa.plugins.module_utils.host.module_file import content_of, kernel_of, resolves
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import module_of_file, under
from ansible_collections.realip.toa.plugins.module_utils.startup.shell_script import named, names_a_module, script_loads

SCRIPT_LIMIT = 256 << 10
_MOST_FINDINGS = 64  # in one file
_UNAME = r"`\s*uname\s+-r\s*`|\$\(\s*uname\s+-r\s*\)"
_RELEASE_IN_PATH = r"/lib/modules/([^/]+)/"


def list_findings(path, kind, text, reason, root, release, whole_file, with_parameters):
    """Findings in a file that names one module per line."""
    places = []
    for number, line, ours in marked_lines(text, whole_file):
        if len(places) >= _MOST_FINDINGS:
            break
        words = line.split()
        module = named(words[0]) if words and words[0][0] not in "#;" else ""
        if not module and len(words) > 1 and words[0] in ("modprobe", "insmod") and named(words[1]):
            places.append(
                finding(
                    path, kind, named(words[1]), line, number, "this file lists names of modules, not commands", ours
                )
            )
        elif module:
            why = reason
            if len(words) > 1 and not with_parameters:
                why = why or "the whole line is taken for the name of a module"
            why = why or _blacklisted(root, module, kind) or resolves(module, release, root)[1]
            places.append(finding(path, kind, module, line, number, why, ours))
    return places


def marked_lines(text, whole_file):
    """(number, line, whether it is ours): our marker stands in the file, or in a shared file on the line or right above it."""
    everywhere = whole_file and MARKER in text
    above = False
    for number, line in enumerate(text.split("\n")):
        yield number + 1, line, everywhere or MARKER in line or above
        above = MARKER in line and line.lstrip().startswith("#")


def _blacklisted(root, module, kind):
    """systemd-modules-load leaves out what modprobe.d blacklists, and nothing loads what has a false install rule."""
    for folder in ("/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"):
        for name in list_dir(under(root, folder)):
            text = read_text(under(root, folder + "/" + name), 65536) if name.endswith(".conf") else None
            if not text or not names_a_module(text):
                continue
            for line in text.split("\n"):
                words = line.split()
                if len(words) < 2 or named(words[1]) != module:
                    continue
                if words[0] == "blacklist" and kind == "modules_load":
                    return "%s/%s blacklists it" % (folder, name)
                if words[0] == "install" and len(words) > 2 and words[2].rsplit("/", 1)[-1] in ("false", "true", ":"):
                    return "%s/%s replaces loading it by %s" % (folder, name, words[2])
    return ""


def place_reason(identity, text, by_exec):
    if not stat.S_ISREG(identity.st_mode):
        return "not a file"
    if not identity.st_mode & 0o111:
        return "not executable"
    if by_exec and not text.startswith("#!"):
        # A shell that runs another script forgives this; systemd calls execve() and gives up with ENOEXEC.
        return "the first line is no #! line, so systemd cannot run it"
    if text.startswith("#!") and text.split("\n", 1)[0].endswith("\r"):
        return "the #! line ends in a carriage return, so that its interpreter is not found"
    return ""


def script_findings(path, kind, text, reason, root, release, whole_file):
    lines = text.split("\n")
    marked = dict((number, ours) for number, unused, ours in marked_lines(text, whole_file))
    places = []
    for load in script_loads(text)[:_MOST_FINDINGS]:
        number = load["line_number"]
        why = reason or load["reason"] or load_reason(load, root, release) or _blacklisted(root, load["module"], kind)
        ours, loaded_file = (
            marked.get(number, False),
            "" if load["module"] in OUR_SCRIPTS else path_of(load["file"], release),
        )
        places.append(finding(path, kind, load["module"], lines[number - 1], number, why, ours, loaded_file))
    return places


def load_reason(load, root, release):
    """Why a command that loads a module would fail at boot, or ""."""
    if load["file"] or load["module"] in OUR_SCRIPTS or load["by_service"]:
        return file_reason(load["file"], root, release)
    return resolves(load["module"], release, root)[1]


def path_of(path, release):
    """What insmod is given, with the release of the kernel for the command that tells it; "" where only a shell could say."""
    path = re.sub(_UNAME, lambda unused: release, path)
    return "" if not path or re.search(r"[$`*~]", path) else os.path.join("/", path)


def file_reason(path, root, release):
    """Why `insmod PATH` would fail at boot, or "" where it would not, or where only the shell could tell."""
    if not path:
        return ""
    dynamic = re.search(_UNAME, path) is not None
    path = path_of(path, release)
    if not path:
        return ""
    match = re.search(_RELEASE_IN_PATH, path)
    if match and match.group(1) != release and not dynamic:
        return "the path belongs to kernel %s, and %s is running" % (match.group(1), release)
    if not os.path.exists(under(root, path)):
        return "there is no %s" % path
    kernel = kernel_of(content_of(under(root, path))) if module_of_file(path) else ""
    return (
        "%s was built for kernel %s, and %s is running" % (path, kernel, release) if kernel not in ("", release) else ""
    )


def finding(path, kind, module, line, number, reason, ours, loaded_file=""):
    return {
        "path": path,
        "kind": kind,
        "module": module,
        "line": line.strip()[:200],
        "line_number": number,
        "effective": not reason,
        "reason": reason,
        "ours": bool(ours),
        "file": loaded_file,
    }
