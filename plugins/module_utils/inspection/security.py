# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a host from loading code that nobody signed."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import read_line, read_text

_EFI_GUID = "8be4df61-93ca-11d2-aa0d-00e098032b8c"


def look_at_security(look):
    return {
        "secure_boot": _secure_boot(look),
        "lockdown": _lockdown(look),
        "sig_enforce": read_line(look.path("/sys/module/module/parameters/sig_enforce")) in ("Y", "1"),
    }


def _secure_boot(look):
    """The firmware's variable is four bytes of attributes and one of value; older kernels give the value alone."""
    for path, size in (("efivars/SecureBoot-" + _EFI_GUID, 5), ("vars/SecureBoot-%s/data" % _EFI_GUID, 1)):
        value = read_text(look.path("/sys/firmware/efi/" + path), 16)
        if value is not None and len(value) >= size:
            return value[size - 1] == "\x01"
    return False


def _lockdown(look):
    match = re.search(r"\[(\w+)\]", look.text("/sys/kernel/security/lockdown", 256))
    return match.group(1) if match else ""
