# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What attaches the eBPF programs: a POSIX shell script around the distribution's bpftool, run at boot and by toa_ebpf alike.

No Python is needed at boot. The folder holds the object, the settings, and the lines that fill the maps (maps.fill_text).
Every change, of settings or of the programs, is another generation: its maps are filled, then its programs are attached, then those of the
generation before are detached. So no connection is missed, nobody is trusted whom neither generation trusts, and open connections keep
their clients. What fails is taken back, and what was attached before stays attached.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.bpf.maps import PINS, PROGRAMS, SHARED
from ansible_collections.realip.toa.plugins.module_utils.common.kernels import OWN_CGROUP2
from ansible_collections.realip.toa.plugins.module_utils.host.io import STATE_DIR
from ansible_collections.realip.toa.plugins.module_utils.host.marks import EBPF_LOADER as LOADER
from ansible_collections.realip.toa.plugins.module_utils.host.scripts import script

FOLDER = STATE_DIR + "/ebpf"
OBJECT = FOLDER + "/toa.bpf.o"
SETTINGS = FOLDER + "/settings"
FILL = FOLDER + "/maps"

BOOT_COMMAND = "/bin/sh %s attach" % LOADER

SCRIPT_TEXT = script(
    "bpf/loader.sh",
    dir=FOLDER,
    pins=PINS,
    own_cgroup2=OWN_CGROUP2,
    shared_maps=" ".join(SHARED),
    all_programs=" ".join(name for name, _hook in PROGRAMS),
)
