# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""By what our files and lines are known on a host."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# Written beside whatever we put into a file, so that it can be told from what the operator or a vendor put there.
MARKER = "# realip.toa"
# Our own scripts: the module that findings of them have, the path, and the word with which they take back what they do at boot.
EBPF, OPTION_FILTER = "ebpf", "option_filter"
EBPF_LOADER = "/var/lib/realip-toa/ebpf/loader.sh"
FILTER_SCRIPT = "/var/lib/realip-toa/option-filter/filter.sh"
OUR_SCRIPTS = {EBPF: (EBPF_LOADER, "detach"), OPTION_FILTER: (FILTER_SCRIPT, "stop")}
