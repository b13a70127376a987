# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend for the boot loader that a host has."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2 import Grub2
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2_bls import Grub2Bls
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_legacy import Legacy
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError

BACKENDS = (Grub2, Grub2Bls, Legacy)


def detect(machine):
    """The backend for this host's boot loader; TargetError(loader_not_supported) where there is none."""
    for candidate in BACKENDS:
        backend = candidate.detect(machine)
        if backend is not None:
            return backend
    raise TargetError(
        "loader_not_supported",
        "no boot loader that can be handled was found: %s" % _what_is_there(machine),
        "boot the new kernel by hand; what is handled is GRUB 2 (a generated grub.cfg, or BLS entries) and GRUB legacy",
    )


def _what_is_there(machine):
    if machine.is_dir("/boot/loader/entries"):
        return "there are entries in /boot/loader/entries, but no grub.cfg that reads them"
    for name in ("/boot/grub/grub.conf", "/boot/grub/menu.lst"):
        if machine.exists(name):
            return "%s is GRUB legacy's, and has no entry in it" % name
    return "neither /boot/grub/grub.cfg nor /boot/grub2/grub.cfg has anything in it"


class NoLoader:
    """In a backend's place where `reverted` finds no boot loader that could ever have been armed."""

    name = "other"

    def __init__(self, reason):
        self.reason = reason

    def default(self):
        return None

    next = trial = setting = default

    def has_trial(self):
        return False

    def places_with_trial_words(self):
        return []

    def one_shot(self, release=None):
        return False, self.reason
