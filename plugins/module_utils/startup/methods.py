# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to load a module at boot, which of them this host really runs, and what each of them writes."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, which
from ansible_collections.realip.toa.plugins.module_utils.host.file_image import (
    data_of,
    file_image,
    link_image,
    runnable,
)
from ansible_collections.realip.toa.plugins.module_utils.host.marks import MARKER
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under
from ansible_collections.realip.toa.plugins.module_utils.startup.clearing import (
    ETC_MODULES,
    MODULES_LOAD,
    SYSCONFIG,
    UNIT,
    UNIT_LINK,
)
from ansible_collections.realip.toa.plugins.module_utils.startup.confinement import confined
from ansible_collections.realip.toa.plugins.module_utils.startup.init import (
    UNIT_DIRS,
    boot_script,
    etc_modules_reason,
    modules_load_reason,
    sysconfig_modules_reason,
    unit_enabled,
)
from ansible_collections.realip.toa.plugins.module_utils.startup.own_scripts import ended, with_rc_line

WHY = MARKER + ": loads the module that shows the real client address; managed, do not edit"
# The method that adds nothing: a package's own unit loads the module.
SERVICE = "service"
UNIT_TEXT = """%(why)s
[Unit]
Description=Load %(module)s, which shows the real client address behind the load balancer
DefaultDependencies=no
After=systemd-modules-load.service
Before=network.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=%(modprobe)s %(module)s
%(confined)s

[Install]
WantedBy=multi-user.target
"""


def choose(host, method):
    """(method, path) that this host runs at boot; TargetError with every reason where none is, or where the wished one is not."""
    if method != "auto":
        path, why = _place(host, method)
        if why:
            raise TargetError(
                "method_unusable", "method %s does not load anything here: %s" % (method, why), "use method auto"
            )
        return method, path
    reasons = []
    for method in ("modules_load", "sysconfig_modules", "rc_local"):
        path, why = _place(host, method)
        if not why:
            return method, path
        reasons.append("%s: %s" % (method, why))
    raise TargetError(
        "no_persistence",
        "nothing on this host would load a module at boot (%s)" % "; ".join(reasons),
        "let the operator's own boot script run `modprobe %s`" % host.module,
    )


def _place(host, method):
    """(path, "") of a method, or ("", why it would not run)."""
    if method == "modules_load":
        why = modules_load_reason(host.root, host.init)
        if not why:
            return MODULES_LOAD, ""
        return ("", why) if etc_modules_reason(host.root, host.init) else (host.resolve(ETC_MODULES), "")
    if method == "sysconfig_modules":
        why = sysconfig_modules_reason(host.root, host.init)
        return ("", why) if why else (SYSCONFIG, "")
    if method == SERVICE:
        return _service_place(host)
    if method == "systemd":
        return (
            (UNIT, "") if host.init == "systemd" else ("", "systemd did not start this host (init is %s)" % host.init)
        )
    path, why = boot_script(host.root, host.init)
    return (host.resolve(path), "") if path else ("", why)


def _service_place(host):
    """The unit that a package brought to load the module itself (vtoa's): it is looked at and never written."""
    unit = host.module + ".service"
    if host.init != "systemd":
        return "", "systemd did not start this host (init is %s)" % host.init
    folders = [folder for folder in UNIT_DIRS if os.path.exists(under(host.root, "%s/%s" % (folder, unit)))]
    if not folders:
        return "", "there is no %s on this host" % unit
    return ("%s/%s" % (folders[0], unit), "") if unit_enabled(host.root, unit) else ("", "%s is not enabled" % unit)


def add_place(host, method, path, wanted):
    """Add our own place to the images in `wanted`."""
    if method == SERVICE:
        return
    module = {"why": WHY, "module": host.module, "modprobe": which("modprobe") or "/sbin/modprobe"}
    if path == MODULES_LOAD:
        wanted[path] = file_image(("%(why)s\n%(module)s\n" % module).encode("ascii"), 0o644)
    elif method == "sysconfig_modules":
        wanted[path] = file_image(
            ("#!/bin/sh\n%(why)s\nmodprobe %(module)s >/dev/null 2>&1\n" % module).encode("ascii"), 0o755
        )
    elif method == "systemd":
        module["confined"] = confined(
            ("CAP_SYS_MODULE",),
            ("AF_UNIX",),
            loads_modules=True,
            more=(
                "ProtectProc=invisible",
                "PrivateDevices=yes",
                "RestrictNamespaces=yes",
                "MemoryDenyWriteExecute=yes",
            ),
        )
        wanted[path] = file_image((UNIT_TEXT % module).encode("ascii"), 0o644)
        wanted[UNIT_LINK] = link_image(UNIT)
    else:
        kept = data_of(wanted[path]) if path in wanted else host.data(path)
        if method == "rc_local":
            wanted[path] = host.keep_owner(path, with_rc_line(kept, "modprobe " + host.module), _runnable(host, path))
        else:
            text = "%s\n%s\n" % (MARKER, host.module)
            wanted[path] = host.keep_owner(path, ended(kept) + text.encode("ascii"), host.mode(path, 0o644))


def _runnable(host, path):
    mode = host.mode(path, 0o755)
    if not mode & 0o111:
        host.notes.append("%s was not executable, so nothing in it ran at boot; it is executable now" % path)
    return runnable(mode)
