# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vtoa unit, and what holds the host's firewall rules."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import list_dir
from ansible_collections.realip.toa.plugins.module_utils.startup.init import UNIT_DIRS, unit_enabled

# Units that systemd makes out of scripts of System V.
_GENERATED_UNITS = "/run/systemd/generator.late"


def look_at_service(look):
    """The vtoa unit, or None. `active` is None where systemd does not show it in /run (before version 235), or could not:
    a unit that runs once without RemainAfterExit= is inactive when it has done its work."""
    found = [
        folder + "/vtoa.service" for folder in UNIT_DIRS + (_GENERATED_UNITS,) if look.exists(folder + "/vtoa.service")
    ]
    if not found:
        return None
    units = look.path("/run/systemd/units")
    text = look.text(found[0])
    once = re.search(r"(?m)^Type[ \t]*=[ \t]*oneshot", text) and not re.search(
        r"(?mi)^RemainAfterExit[ \t]*=[ \t]*(1|yes|true|on)[ \t]*$", text
    )
    active = os.path.lexists(units + "/invocation:vtoa.service") if os.path.isdir(units) and not once else None
    return {
        "name": "vtoa",
        "enabled": unit_enabled(look.root, "vtoa.service") or _script_enabled(look, "vtoa"),
        "active": active,
    }


def _script_enabled(look, name):
    """Whether a start link of System V leads to a script of this name."""
    links = list_dir(look.path("/etc/rc.d/rc3.d")) + list_dir(look.path("/etc/rc3.d"))
    return bool([link for link in links if re.match(r"S\d\d%s$" % re.escape(name), link)])


def look_at_firewall(look):
    """What holds this host's rules, else what could: tables of the old kind in the kernel, then nft, then iptables."""
    if look.text("/proc/net/ip_tables_names").strip():
        return "iptables"
    for command, backend in (("nft", "nft"), ("iptables", "iptables")):
        for folder in ("/usr/sbin/", "/sbin/"):
            if look.exists(folder + command):
                return backend
    return "none"


def forwards(look):
    """Does this host pass packets on to others, as a node of Kubernetes does? Some set it for single interfaces."""
    for family in ("ipv4", "ipv6"):
        places = "/proc/sys/net/%s/conf" % family
        names = ["all"] + [name for name in list_dir(look.path(places)) if name not in ("all", "default")]
        for name in names:
            if look.text("%s/%s/forwarding" % (places, name), 16).strip() == "1":
                return True
    return False
