# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the init itself start a unit of ours, as it will at the next boot.

What our process can do says little of what a boot can: the init's children run in another SELinux domain, in a sandbox, with other limits.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.host.running import in_image
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, run, which
from ansible_collections.realip.toa.plugins.module_utils.host.selinux import denials

TIMEOUT = 90


def start_by_init(service, words):
    """systemd starts a unit, or runs its ExecReload where it is started already; TargetError `unit_not_started` where it fails.

    `words`: what a denial of SELinux would name: the unit's programs and files.
    """
    if in_image():
        return  # its own init does, at the first boot
    code, out, err = run(["systemctl", "reload-or-restart", service], timeout=TIMEOUT)
    if code == 0:
        return
    said = " ".join((err or out).split())[:300]
    for more in (_last_words(service), denials(words)):
        if more:
            said = "%s; %s" % (said, more)
    raise TargetError(
        "unit_not_started",
        "systemd cannot start %s, so that nothing of it would run at the next boot: %s" % (service, said),
        "see `systemctl status %s`, `journalctl -u %s` and, with SELinux, `ausearch -m avc -ts recent` on the host"
        % (service, service),
    )


def _last_words(service):
    """What the unit's own programs said last."""
    if not which("journalctl"):
        return ""
    out = run(["journalctl", "-q", "--no-pager", "-o", "cat", "-n", "6", "-u", service], timeout=20)[1]
    return " / ".join(line.strip() for line in out.split("\n") if line.strip())[-600:]
