# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which package manager a distribution is made of, by the ID of its os-release. To add a distribution, add a row."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

FAMILIES = {
    "debian": "deb",
    "ubuntu": "deb",
    "linuxmint": "deb",
    "raspbian": "deb",
    "kali": "deb",
    "devuan": "deb",
    "pop": "deb",
    "deepin": "deb",
    "rhel": "rpm",
    "fedora": "rpm",
    "centos": "rpm",
    "rocky": "rpm",
    "almalinux": "rpm",
    "ol": "rpm",
    "scientific": "rpm",
    "alinux": "rpm",
    "anolis": "rpm",
    "tencentos": "rpm",
    "opencloudos": "rpm",
    "openeuler": "rpm",
    "hce": "rpm",
    "amzn": "rpm",
    "suse": "rpm",
    "sles": "rpm",
    "opensuse": "rpm",
    "opensuse-leap": "rpm",
    "opensuse-tumbleweed": "rpm",
    "kylin": "rpm",
    "kos": "rpm",
    "lifsea": "rpm",
    "mageia": "rpm",
    "mariner": "rpm",
    "azurelinux": "rpm",
}


def family_of(ids):
    """`deb`, `rpm` or "" by the first of these os-release IDs (own ID first, then ID_LIKE) that is known."""
    for name in ids:
        if name in FAMILIES:
            return FAMILIES[name]
    return ""
