# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is built from source on a host: today a module for the running kernel (building/module.py)."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.building.module import absent, built, present, status
from ansible_collections.realip.toa.plugins.module_utils.building.module_host import Host, Wanted

STATES = {"present": present, "absent": absent, "built": built, "status": status}


def main(args):
    """args: state, source {url, sha256, commit, tree, archive}, module, subdirectory, variables, own_dkms, method, install_tools,
    signing_certificate, built, elsewhere, running, arch, timeout (seconds), check; see plugins/modules/toa_source.py."""
    return STATES[args["state"]](Host(args), Wanted(args))
