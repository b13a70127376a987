# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TOA kernel, built on a build host as tencent-toa.txt lays it out: as rpm out of a source rpm, as deb or in place out of a source tree.

A build takes an hour, and a connection does not last as long. So each call goes on where the last one stopped and returns soon: what is quick
is done at once, what is long is started and left to run, and the next call finds it running, finished or failed. What was done is in the
folder of the build; the same request finds it again, another request has a folder of its own.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.building.kernel_rpm import RpmBuild
from ansible_collections.realip.toa.plugins.module_utils.building.kernel_tree import DebBuild, TreeBuild, absent


def main(args):
    """args: format (rpm, deb, tree), source {url, sha256}, patches [{name, data (base64)}], config [CONFIG_X=y], config_file, buildid, arch, jobs, work,
    spec_options [words], release, room_kib, root, check; or state: absent. Returns {finished, step, number, of, detail, packages}; see
    plugins/modules/toa_source.py."""
    if args.get("state") == "absent":
        return absent(args)
    build = FORMATS[args["format"]](args)
    if args.get("check"):
        return build.answer(changed=not build.is_finished())
    return build.advance()


FORMATS = {"rpm": RpmBuild, "deb": DebBuild, "tree": TreeBuild}
