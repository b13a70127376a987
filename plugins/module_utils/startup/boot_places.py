# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every place that is meant to load a TOA module at boot, and whether that place really runs on this host.

Vendors' recipes write such lines into places that some distributions never run, after an `exit 0`, inside typographic quotes,
or with the path of the kernel of that day. A place counts only with the reason why it works; what would not run says why.
Nothing is executed; files are read, and shell scripts are read as a shell would, as far as that decides whether a line runs.

A finding is a dict: `path, kind (modules_load, etc_modules, rc_local, sysconfig_modules, systemd, initramfs), module, line (first 200
characters), line_number (from 1), effective, reason (empty where it is effective), ours`.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.running import kernel
from ansible_collections.realip.toa.plugins.module_utils.host.io import list_dir, read_text
from ansible_collections.realip.toa.plugins.module_utils.host.marks import MARKER
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under
from ansible_collections.realip.toa.plugins.module_utils.startup.findings import (
    SCRIPT_LIMIT,
    finding,
    list_findings,
    load_reason,
    marked_lines,
    place_reason,
    script_findings,
)
from ansible_collections.realip.toa.plugins.module_utils.startup.init import (
    EXEC_START,
    MODULES_LOAD_DIRS,
    UNIT_DIRS,
    boot_script,
    etc_modules_reason,
    init_system,
    is_etc_modules,
    masked,
    modules_load_reason,
    sysconfig_modules_reason,
    unit_enabled,
)
from ansible_collections.realip.toa.plugins.module_utils.startup.shell_script import (
    named,
    names_a_module,
    script_loads,
    unquote,
)

RC_LOCAL_FILES = ("/etc/rc.local", "/etc/rc.d/rc.local", "/etc/init.d/boot.local", "/etc/init.d/after.local")


def find_places(root="/", release=None, init=None):
    """All findings on a host. `release` is the kernel to judge paths by (default: the running one)."""
    release = release or kernel()
    init = init or init_system(root)
    places = []
    places.extend(_modules_load(root, init, release))
    places.extend(_etc_modules(root, init, release))
    places.extend(_rc_local(root, init, release))
    places.extend(_sysconfig_modules(root, init, release))
    places.extend(_systemd_units(root, init, release))
    places.extend(_initramfs(root, release))
    return places


# -- which places run -----------------------------------------------------------------------------------------------------


# -- lists of module names ------------------------------------------------------------------------------------------------


def _modules_load(root, init, release):
    places, seen, folders = [], {}, []
    reason = None
    for folder in MODULES_LOAD_DIRS:
        real = os.path.realpath(under(root, folder))
        if real in folders:
            continue
        folders.append(real)
        for name in list_dir(under(root, folder)):
            path = folder + "/" + name
            if is_etc_modules(under(root, path)):
                continue
            text = read_text(under(root, path), SCRIPT_LIMIT) or ""
            above = seen.get(name)
            seen.setdefault(name, path)
            if not names_a_module(text):
                continue
            if reason is None:
                reason = modules_load_reason(root, init)
            why = reason
            if not name.endswith(".conf"):
                why = "only files named *.conf are read"
            elif above:
                why = "%s takes its place" % above
            places.extend(list_findings(path, "modules_load", text, why, root, release, True, False))
    return places


def _etc_modules(root, init, release):
    text = read_text(under(root, "/etc/modules"), SCRIPT_LIMIT) or ""
    if not names_a_module(text):
        return []
    return list_findings(
        "/etc/modules", "etc_modules", text, etc_modules_reason(root, init), root, release, False, init != "systemd"
    )


# -- scripts --------------------------------------------------------------------------------------------------------------


def _rc_local(root, init, release):
    places, seen = [], []
    runs, why_none = None, None
    for path in RC_LOCAL_FILES:
        try:
            identity = os.stat(under(root, path))
        except OSError:
            continue
        text = read_text(under(root, path), SCRIPT_LIMIT) or ""
        if not names_a_module(text):
            continue
        if why_none is None:
            runs, why_none = boot_script(root, init)
        if (identity.st_dev, identity.st_ino) in seen:
            continue
        seen.append((identity.st_dev, identity.st_ino))
        is_run = runs is not None and _same_file(under(root, runs), identity)
        reason = (
            place_reason(identity, text, init == "systemd")
            if is_run
            else why_none or "this host runs %s, not this file" % runs
        )
        places.extend(script_findings(runs if is_run else path, "rc_local", text, reason, root, release, False))
    return places


def _same_file(path, identity):
    try:
        other = os.stat(path)
    except OSError:
        return False
    return (other.st_dev, other.st_ino) == (identity.st_dev, identity.st_ino)


def _sysconfig_modules(root, init, release):
    places = []
    folder = "/etc/sysconfig/modules"
    for name in list_dir(under(root, folder)):
        path = folder + "/" + name
        text = read_text(under(root, path), SCRIPT_LIMIT) or ""
        if not names_a_module(text):
            continue
        reason = sysconfig_modules_reason(root, init)
        if not name.endswith(".modules"):
            reason = reason or "only files named *.modules are run"
        if not reason:
            reason = place_reason(os.stat(under(root, path)), text, False)
        places.extend(script_findings(path, "sysconfig_modules", text, reason, root, release, True))
    return places


# -- systemd units and the initramfs --------------------------------------------------------------------------------------


def _systemd_units(root, init, release):
    places = []
    for folder in UNIT_DIRS:
        if folder == "/lib/systemd/system" and os.path.realpath(under(root, "/lib")) == os.path.realpath(
            under(root, "/usr/lib")
        ):
            continue
        for name in list_dir(under(root, folder)):
            if not name.endswith(".service") or not (
                folder == UNIT_DIRS[0] or name.startswith("realip-toa") or name == "vtoa.service"
            ):
                continue
            text = read_text(under(root, folder + "/" + name), SCRIPT_LIMIT) or ""
            load = _unit_load(name, text, root, release)
            if load is None:
                continue
            module, number, why = load
            lines = text.split("\n")
            places.append(
                finding(
                    folder + "/" + name,
                    "systemd",
                    module,
                    lines[number - 1],
                    number,
                    _unit_reason(root, init, name) or why,
                    MARKER in text,
                )
            )
    return places


def _unit_load(name, text, root, release):
    """(module, number of its line, why it fails) of a unit that loads TOA, or None."""
    for match in re.finditer(EXEC_START, text):
        number = text.count("\n", 0, match.start(1)) + 1
        command = unquote(match.group(1)) if "-c" in match.group(1) else match.group(1)
        if "-c" in command.split():
            command = command.split("-c", 1)[1]
        for load in script_loads(command):
            return load["module"], number, load["reason"] or load_reason(load, root, release)
        if name == "vtoa.service":
            return "vtoa", number, ""
    return None


def _unit_reason(root, init, unit):
    if init != "systemd":
        return "systemd did not start this host (init is %s)" % init
    if masked(root, unit):
        return "the unit is masked"
    return "" if unit_enabled(root, unit) else "the unit is not enabled"


def _initramfs(root, release):
    places = []
    path = "/etc/initramfs-tools/modules"
    text = read_text(under(root, path), SCRIPT_LIMIT) or ""
    if names_a_module(text):
        reason = _initrd_reason(root, path, "/boot/initrd.img-" + release)
        places.extend(list_findings(path, "initramfs", text, reason, root, release, False, True))
    folder = "/etc/dracut.conf.d"
    for name in list_dir(under(root, folder)) if os.path.isdir(under(root, folder)) else []:
        text = read_text(under(root, folder + "/" + name), SCRIPT_LIMIT) or ""
        if name.endswith(".conf") and names_a_module(text):
            places.extend(_dracut_findings(root, folder + "/" + name, text, release))
    return places


def _dracut_findings(root, path, text, release):
    places = []
    for number, line, ours in marked_lines(text, True):
        match = re.match(r"\s*(add_drivers|force_drivers|drivers)\+?=(.*)$", line)
        for word in unquote(match.group(2)).split() if match else []:
            if named(word):
                if match.group(1) == "force_drivers":
                    why = _initrd_reason(root, path, "/boot/initramfs-%s.img" % release)
                else:
                    why = "%s puts it into the initramfs, and nothing loads it there" % match.group(1)
                places.append(finding(path, "initramfs", named(word), line, number, why, ours))
    return places


def _initrd_reason(root, path, image):
    """An initramfs that was made before the list was changed does not know of it."""
    try:
        changed = os.stat(under(root, path)).st_mtime
    except OSError:
        return "the list cannot be read"
    try:
        made = os.stat(under(root, image)).st_mtime
    except OSError:
        return "the running kernel has no initramfs of its own (%s)" % image
    return "" if made >= changed else "%s was made before this list was changed" % image
