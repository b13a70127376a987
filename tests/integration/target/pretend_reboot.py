# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""reboot.py on a host whose identity is a file, and whose reboot only says that it was asked for.

The sshd of the test names the folder of both in $PRETENDED_HOST.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os

from ansible_collections.realip.toa.plugins.module_utils.programs.reboot import identity
from ansible_collections.realip.toa.plugins.module_utils.programs.reboot import main as real_main


def main(args):
    folder = os.environ["PRETENDED_HOST"]
    handle = open(os.path.join(folder, "host.json"))
    pretended = json.load(handle)
    handle.close()
    if args["op"] == "trigger":
        # Whoever means the pretended boot means that of this machine; another one is over here as well.
        if args.get("boot_id") == pretended["boot_id"]:
            args = dict(args, boot_id=identity()["boot_id"])
        return dict(
            real_main(dict(args, commands=[["touch", os.path.join(folder, "asked")]])), boot_id=pretended["boot_id"]
        )
    return dict(identity(), changed=False, **pretended)
