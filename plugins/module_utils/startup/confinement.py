# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our units of systemd may not do: lines of their section [Service].

An old systemd says of a line that it does not know that it ignores it. So system calls are taken away and not allowed: of a list of what is
allowed that it cannot read, nothing would be left. NoNewPrivileges is not among the lines: on a host with SELinux a service of ours would
stay in the domain of init.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

_USUAL = """\
ProtectSystem=strict
ProtectHome=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
PrivateMounts=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
KeyringMode=private
UMask=0077
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
"""
_CALLS = ("clock", "cpu-emulation", "debug", "keyring", "mount", "obsolete", "raw-io", "reboot", "resources", "swap")


def confined(capabilities, sockets, writes=(), loads_modules=False, more=()):
    """Lines for a unit that needs these capabilities and families of sockets, and writes to these paths. `more`: lines as they are."""
    lines = ["CapabilityBoundingSet=%s" % " ".join(capabilities), "RestrictAddressFamilies=%s" % " ".join(sockets)]
    if writes:
        lines.append("ReadWritePaths=%s" % " ".join("-" + path for path in writes))
    calls = _CALLS if loads_modules else _CALLS + ("module",)
    lines.append("SystemCallFilter=%s" % " ".join(("~" if group == calls[0] else "") + "@" + group for group in calls))
    return _USUAL + "\n".join(lines + list(more))
