# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has systemd run the loader of the eBPF programs: at boot, and every half minute, for somebody may take them from their hooks.

cilium-agent without its socket load balancer, for one, detaches everybody's getpeername programs of the root cgroup whenever it starts.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.bpf.loader import FOLDER
from ansible_collections.realip.toa.plugins.module_utils.host.marks import EBPF_LOADER as LOADER
from ansible_collections.realip.toa.plugins.module_utils.host.marks import MARKER
from ansible_collections.realip.toa.plugins.module_utils.startup.confinement import confined

SERVICE = "realip-toa-ebpf.service"
UNIT = "/etc/systemd/system/" + SERVICE
UNIT_LINK = "/etc/systemd/system/sysinit.target.wants/" + SERVICE
WATCH = "realip-toa-ebpf-watch"
TIMER = WATCH + ".timer"
WATCH_UNIT = "/etc/systemd/system/" + WATCH + ".service"
TIMER_UNIT = "/etc/systemd/system/" + TIMER
TIMER_LINK = "/etc/systemd/system/timers.target.wants/" + TIMER

_WORDS = {
    "marker": MARKER,
    "folder": FOLDER,
    "loader": LOADER,
    "confined": confined(
        ("CAP_SYS_ADMIN", "CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"),
        ("AF_UNIX",),
        (FOLDER, "/sys/fs/bpf"),
        more=(
            # Before Linux 5.11 maps count as locked memory, of which a unit has 64 KiB; to ask for more takes a right that it has not.
            "LimitMEMLOCK=infinity",
            "ProtectKernelModules=yes",
            "IgnoreSIGPIPE=no",
            "ProtectProc=invisible",
            "PrivateDevices=yes",
            "RestrictNamespaces=yes",
            "MemoryDenyWriteExecute=yes",
        ),
    ),
}

# Before sysinit.target, which every ordinary service and socket waits for. Nothing stops it at shutdown: connections that are being
# finished keep their clients to the end.
UNIT_TEXT = (
    """%(marker)s: shows the real client address behind the load balancer; managed, do not edit
[Unit]
Description=Attach the eBPF programs that show the real client address
DefaultDependencies=no
RequiresMountsFor=%(folder)s /sys/fs/bpf
After=local-fs.target
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
# Outside of what follows: what is mounted in here, nobody else would see.
ExecStartPre=+/bin/sh %(loader)s mount
ExecStart=/bin/sh %(loader)s attach
ExecReload=/bin/sh %(loader)s attach
ExecStop=/bin/sh %(loader)s detach
%(confined)s

[Install]
WantedBy=sysinit.target
"""
    % _WORDS
)

WATCH_TEXT = (
    """%(marker)s: attaches the eBPF programs again where somebody took them; managed, do not edit
[Unit]
Description=Attach the eBPF programs that show the real client address again, where they are gone
RequiresMountsFor=%(folder)s /sys/fs/bpf
After=realip-toa-ebpf.service

[Service]
Type=oneshot
ExecStart=/bin/sh %(loader)s watch
%(confined)s
"""
    % _WORDS
)

TIMER_TEXT = (
    """%(marker)s: has the eBPF programs watched; managed, do not edit
[Unit]
Description=See every half minute that the eBPF programs are attached

[Timer]
OnActiveSec=30
OnUnitActiveSec=30
AccuracySec=5

[Install]
WantedBy=timers.target
"""
    % _WORDS
)
