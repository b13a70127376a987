# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of the trial watchdog: its script, and what starts it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.host.io import STATE_DIR
from ansible_collections.realip.toa.plugins.module_utils.host.scripts import script

NAME = "realip-toa-trial-watchdog"
SCRIPT = STATE_DIR + "/watchdog.sh"
SETTINGS = STATE_DIR + "/watchdog.conf"
CONFIRMED = STATE_DIR + "/confirmed"
SEEN = STATE_DIR + "/trial"
LOG = STATE_DIR + "/watchdog.log"
UNIT = "/etc/systemd/system/realip-toa-trial-watchdog.service"
# Emergency and rescue too: a trial kernel that mounts too little to boot normally must not get stuck there.
UNIT_LINKS = tuple(
    "/etc/systemd/system/%s.target.wants/realip-toa-trial-watchdog.service" % target
    for target in ("sysinit", "emergency", "rescue")
)
# On the root file system alone: what /var holds may be what could not be mounted.
EMERGENCY_UNIT = "/etc/systemd/system/realip-toa-trial-emergency.service"
EMERGENCY_LINKS = tuple(
    "/etc/systemd/system/%s.target.wants/realip-toa-trial-emergency.service" % target
    for target in ("emergency", "rescue")
)
SYSV = "/etc/init.d/realip-toa-trial-watchdog"
SYSV_RUNLEVELS = ("2", "3", "4", "5")

SCRIPT_TEXT = script("bootloader/watchdog.sh")

# KillMode=process: the forced reboot must outlive the watchdog. IgnoreOnIsolate: emergency mode must not end the watchdog.
UNIT_TEXT = """[Unit]
Description=realip.toa trial watchdog (goes back to the old kernel unless the new one is confirmed)
DefaultDependencies=no
After=local-fs.target
Conflicts=shutdown.target
Before=shutdown.target
IgnoreOnIsolate=yes
ConditionPathExists=%(settings)s

[Service]
Type=simple
ExecStart=/bin/sh %(script)s
KillMode=process
StandardInput=null

[Install]
WantedBy=sysinit.target emergency.target rescue.target
""" % {"settings": SETTINGS, "script": SCRIPT}

# Emergency mode asks for a password, for ever. `reboot -f` asks no service; the magic key asks nobody.
EMERGENCY_TEXT = """[Unit]
Description=realip.toa: a trial boot that ends in emergency mode goes back to the old kernel
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target
ConditionKernelCommandLine=%(mark)s

[Service]
Type=simple
ExecStart=/bin/sh -c 'echo "<2>realip.toa: the trial boot ended in emergency mode; back to the old kernel" >/dev/kmsg; \\
  sleep 10; sync & sleep 5; reboot -f & sleep 10; echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger'
StandardInput=null

[Install]
WantedBy=emergency.target rescue.target
"""

SYSV_TEXT = script("bootloader/watchdog_init.sh", script=SCRIPT, settings=SETTINGS)


def settings_text(release, timeout, boot_id, mark, panic, take_back):
    """watchdog.conf: what is tried, how long (seconds since the kernel started), the boot in which it was armed, and how to disarm it.

    `mark`: the word on the command line by which a boot of this trial is known; `panic`: seconds after which a panic has to be a reboot.

    `take_back`: GRUB 2: `editenv`, the editor, and `grubenv`, its block. GRUB legacy: `rewind`, a file; `rewind_at`, an offset in it; `rewind_to`,
    the bytes to put there, as printf(1) takes them; and `rewind_if`, the characters that are to be there now ("" for any).
    """
    text = "release=%s\ntimeout=%d\narmed_boot=%s\nmark=%s\npanic=%d\neditenv=%s\ngrubenv=%s\n" % (
        release,
        timeout,
        boot_id,
        mark,
        panic,
        take_back.get("editenv", ""),
        take_back.get("grubenv", ""),
    )
    return text + "".join("%s=%s\n" % item for item in sorted(take_back.items()) if item[0].startswith("rewind"))
