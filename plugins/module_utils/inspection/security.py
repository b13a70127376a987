# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a host from loading code that nobody signed, and us from looking at it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.host.selinux import domain, mode
from ansible_collections.realip.toa.plugins.module_utils.host.signature import (
    lockdown,
    modules_disabled,
    secure_boot,
    sig_enforce,
    trusted_keys,
)


def look_at_security(look):
    found = {
        "secure_boot": secure_boot(look.root),
        "lockdown": lockdown(look.root),
        "sig_enforce": sig_enforce(look.root),
        "modules_disabled": modules_disabled(look.root),
        "trusted_keys": [],
        "selinux": mode(look.root),
        "selinux_domain": domain(look.root),
        "fapolicyd": look.exists("/run/fapolicyd.pid") or look.exists("/run/fapolicyd/fapolicyd.fifo"),
    }
    if demands_signatures(look):
        found["trusted_keys"] = trusted_keys(look.root)
    return found


def demands_signatures(look):
    """Signatures are looked for only where they count: it takes reading whole files."""
    return secure_boot(look.root) or sig_enforce(look.root) or lockdown(look.root) in ("integrity", "confidentiality")
