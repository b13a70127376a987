# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses to arm a kernel that shim and GRUB would refuse to start: what follows is a menu that waits for somebody."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.signature import (
    secure_boot,
    signers_of_image,
    trusted_keys,
)


def need_signature(machine, release):
    """TargetError `secure_boot_unsigned` where Secure Boot is on and the image is signed by nobody, or by nobody whom this host trusts."""
    root = machine.root or "/"
    image = "/boot/vmlinuz-" + release
    if not secure_boot(root) or not machine.exists(image):
        return
    signers, known = signers_of_image(machine.path(image)), trusted_keys(root)
    if signers and (not known or [name for name in signers if name in known]):
        return
    who = "by %s, and this host trusts %s" % (", ".join(signers), ", ".join(known)) if signers else "by nobody"
    raise TargetError(
        "secure_boot_unsigned",
        "Secure Boot is on, and kernel %s is signed %s" % (release, who),
        "sign the kernel with a key that is enrolled on the host (mokutil --import), or switch Secure Boot off",
    )
