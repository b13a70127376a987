# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts this host, and which of the places for loading modules it really runs. Files are read, nothing is executed."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.running import in_image
from ansible_collections.realip.toa.plugins.module_utils.host.io import list_dir, read_text
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under

MODULES_LOAD_DIRS = (
    "/etc/modules-load.d",
    "/run/modules-load.d",
    "/usr/local/lib/modules-load.d",
    "/usr/lib/modules-load.d",
    "/lib/modules-load.d",
)
UNIT_DIRS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
# initscripts' unit for /etc/sysconfig/modules under its names of EL7, early EL7 and Fedora, EL8.
LOADMODULES_UNITS = ("rhel-loadmodules.service", "fedora-loadmodules.service", "loadmodules.service")
# Scripts that read modules-load.d and /etc/modules where systemd does not (Debian's kmod and module-init-tools).
KMOD_SCRIPTS = (
    "/etc/init.d/kmod",
    "/etc/init/kmod.conf",
    "/etc/init.d/module-init-tools",
    "/etc/init/module-init-tools.conf",
)
EXEC_START = r"(?m)^[ \t]*ExecStart(?:Pre|Post)?[ \t]*=[ \t]*[-@:+!]*(.*)$"


def init_system(root="/"):
    """ "systemd", "upstart", "sysvinit" or "other": what started this host, not what is installed on it."""
    if os.path.isdir(under(root, "/run/systemd/system")):
        return "systemd"
    if in_image() and os.path.basename(os.path.realpath(under(root, "/sbin/init"))) == "systemd":
        return "systemd"  # nothing has started it yet
    started = re.search(r"\(([^)]*)\)", read_text(under(root, "/proc/1/stat"), 256) or "")
    if started and started.group(1) != "init":
        return "other"
    if os.path.exists(under(root, "/sbin/initctl")) and any(
        name.endswith(".conf") for name in list_dir(under(root, "/etc/init"))
    ):
        return "upstart"
    runlevels = [
        sign for sign in ("/etc/inittab", "/etc/rc2.d", "/etc/rc.d/rc3.d") if os.path.exists(under(root, sign))
    ]
    return "sysvinit" if runlevels else "other"


def modules_load_reason(root="/", init=None):
    """ "" where this host loads what modules-load.d lists, else the reason why not."""
    init = init or init_system(root)
    if init == "systemd":
        if masked(root, "systemd-modules-load.service"):
            return "systemd-modules-load.service is masked"
        return ""
    for path in KMOD_SCRIPTS:
        if "modules-load.d" in (read_text(under(root, path), 65536) or ""):
            return ""
    return "nothing reads modules-load.d on this host (init is %s)" % init


def etc_modules_reason(root="/", init=None):
    """ "" where this host loads what /etc/modules lists, else the reason why not."""
    init = init or init_system(root)
    if init == "systemd":
        if not _etc_modules_links(root):
            return "nothing reads /etc/modules here: no modules-load.d file links to it"
        return modules_load_reason(root, init)
    for path in KMOD_SCRIPTS:
        if "/etc/modules" in (read_text(under(root, path), 65536) or ""):
            return ""
    return "nothing reads /etc/modules on this host (init is %s)" % init


def boot_script(root="/", init=None):
    """(path of the rc.local that this host runs at boot, ""), or (None, why it runs none).

    systemd's rc-local.service names it: /etc/rc.local on Debian and Ubuntu, /etc/rc.d/rc.local on Red Hat's family, so that
    the other path of the two is never run unless it is a link to the first.
    """
    init = init or init_system(root)
    if init == "systemd":
        if masked(root, "rc-local.service"):
            return None, "rc-local.service is masked"
        text = unit_text(root, "rc-local.service")
        match = re.search(EXEC_START, text or "")
        if match is None:
            return None, "there is no rc-local.service on this host"
        return match.group(1).split()[0] if match.group(1).split() else None, ""
    if os.path.exists(under(root, "/etc/init.d/rc.local")):
        return "/etc/rc.local", ""
    for path in list_dir(under(root, "/etc/rc.d/rc3.d")) or list_dir(under(root, "/etc/rc3.d")):
        if path.startswith("S") and path.endswith("local"):
            return "/etc/rc.d/rc.local", ""
    if init in ("upstart", "sysvinit") and os.path.exists(under(root, "/etc/rc.d/rc.local")):
        return None, "no start link (S99local) of this host's runlevel leads to rc.local"
    return None, "nothing runs rc.local on this host (init is %s)" % init


def sysconfig_modules_reason(root="/", init=None):
    """ "" where this host runs /etc/sysconfig/modules/*.modules, else the reason why not."""
    init = init or init_system(root)
    if init != "systemd":
        if "sysconfig/modules" in (read_text(under(root, "/etc/rc.d/rc.sysinit"), 65536) or ""):
            return ""
        return "nothing runs /etc/sysconfig/modules on this host (init is %s)" % init
    for unit in LOADMODULES_UNITS:
        if unit_text(root, unit) is not None:
            if masked(root, unit):
                return "%s is masked" % unit
            return "" if unit_enabled(root, unit) else "%s is not enabled" % unit
    return "nothing runs /etc/sysconfig/modules here: this distribution has no loadmodules unit"


def unit_enabled(root, unit):
    """Whether systemd starts a unit at boot: some target wants or requires it, and it is not masked."""
    if masked(root, unit):
        return False
    for folder in UNIT_DIRS:
        for name in list_dir(under(root, folder)):
            if name.endswith((".wants", ".requires")) and os.path.lexists(
                under(root, "%s/%s/%s" % (folder, name, unit))
            ):
                return True
    return False


def unit_text(root, unit):
    for folder in UNIT_DIRS:
        path = under(root, folder + "/" + unit)
        if os.path.lexists(path):
            return read_text(path, 65536)
    return None


def masked(root, unit):
    for folder in UNIT_DIRS[:2]:
        path = under(root, folder + "/" + unit)
        if os.path.islink(path) and os.readlink(path) == "/dev/null":
            return True
        if os.path.isfile(path) and os.path.getsize(path) == 0:
            return True
    return False


def _etc_modules_links(root):
    for folder in MODULES_LOAD_DIRS:
        for name in list_dir(under(root, folder)):
            if name.endswith(".conf") and is_etc_modules(under(root, folder + "/" + name)):
                return True
    return False


def is_etc_modules(path):
    return (
        os.path.islink(path)
        and os.path.normpath(os.path.join("/etc/modules-load.d", os.readlink(path))) == "/etc/modules"
    )
