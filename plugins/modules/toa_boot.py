# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_boot; what runs is plugins/action/toa_boot.py and plugins/module_utils/programs/boot.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_boot
short_description: Boot another kernel once, and keep it only when it has proved itself
version_added: 1.0.0
description:
  - Pins the default entry of the boot loader, arms another kernel for one boot only, confirms it or goes back.
  - Nothing here reboots the host (see M(realip.toa.toa_reboot)), except the trial watchdog, on a trial boot that nobody confirms.
  - What is found is recorded on the host in C(/var/lib/realip-toa/state.json), so that a run that died is taken up by the next one and
    everything can be put back.
  - GRUB 2 is handled, with entries in a generated C(grub.cfg) or in C(/boot/loader/entries), and GRUB legacy (0.97) as CentOS 6 and old
    Debian have it. Any other boot loader is refused with the code C(loader_not_supported).
extends_documentation_fragment: [realip.toa.attributes]
options:
  state:
    description:
      - V(default) makes O(kernel) the persistent default, so that a kernel installed later does not become it. The entry is named by
        its id, which stays when the menu is generated again, and by its title where grubby owns the menu and can read nothing else. GRUB
        legacy knows numbers only; there whatever edits the menu (grubby, update-grub) is told to keep the number on its entry.
      - On Enterprise Linux C(UPDATEDEFAULT) says no for as long as a kernel is pinned, and C(grubby --default-kernel) has to agree.
      - V(armed) boots O(kernel) at the next boot only, and installs the trial watchdog. The persistent default stays or becomes the running
        kernel. The trial's command line turns what would stand still into a reboot (panics, oopses, loops and hanging tasks in the kernel,
        emergency shells of the initramfs, crashes of systemd), and has a mark that bears a number of this one trial.
      - V(confirmed) makes O(kernel), which must be running, the persistent default, and removes the trial entry and the trial watchdog.
        The old kernel stays installed. What the trial was told is taken out of every command line that has got hold of it, and the running
        kernel gets back what it did about panics before.
      - V(reverted) takes back whatever of this is there, and makes the old kernel the default again. Nothing happens where nothing was armed.
    type: str
    required: true
    choices: [default, armed, confirmed, reverted]
  kernel:
    description:
      - Release of the kernel, as C(uname -r) prints it.
      - Required unless O(state=reverted), where the kernel that was recorded when the trial was armed is the default.
    type: str
  confirm_timeout:
    description:
      - Seconds after the start of the trial kernel, from 30 to 86400, until the trial watchdog reboots a host that was not confirmed.
      - Where it is not given the variable C(toa_confirm_timeout) counts, and without that V(600).
    type: int
  panic:
    description:
      - Seconds, from 1 to 3600, after which the trial kernel reboots by itself when it panics. It applies to the trial boot only.
      - A kernel that hangs without a panic needs a watchdog, of the hardware or of the hypervisor.
    type: int
    default: 30
  watchdog:
    description: Install the trial watchdog when arming. It is a shell script that init starts early, and needs neither network nor Python.
    type: bool
    default: true
  accept_no_fallback:
    description:
      - Arm even where the host could not come back by itself, for instance because GRUB cannot write to its environment block (LVM, software
        RAID, Btrfs, ZFS), so that the armed entry stays until it is confirmed or taken back from the running system.
    type: bool
    default: false
  restore:
    description:
      - With O(state=reverted), also put the boot loader's settings back as they were found and drop the record.
      - The default then follows what is installed, as it did before. Remove the kernel first.
    type: bool
    default: false
attributes:
  check_mode:
    description: Says exactly what would change, and changes nothing.
  diff_mode:
    description: Shows C(before) and C(after).
author: The realip.toa authors (@realip)
seealso:
  - module: realip.toa.toa_reboot
  - module: realip.toa.toa_probe
notes:
  - The host needs Python 2.6 or later when the module runs, and none while the trial watchdog does.
"""

EXAMPLES = r"""
- name: Keep the running kernel as the default, whatever is installed next
  realip.toa.toa_boot:
    state: default
    kernel: "{{ ansible_facts.toa.kernel.release }}"

- name: Boot the new kernel once
  realip.toa.toa_boot:
    state: armed
    kernel: 4.4.87.toa
    confirm_timeout: 900

- name: Keep it
  realip.toa.toa_boot:
    state: confirmed
    kernel: 4.4.87.toa

- name: Leave no trace
  realip.toa.toa_boot:
    state: reverted
    restore: true
"""

RETURN = r"""
before:
  description: What was so before the task.
  returned: success
  type: dict
  contains: &state
    default:
      description: Release of the kernel that boots by default, or null where its entry does not tell.
      type: str
    next:
      description: Release of the kernel that is armed for the next boot, or null.
      type: str
    trial:
      description: Release of the kernel in our own trial entry, or null.
      type: str
    watchdog:
      description: Whether the trial watchdog is installed.
      type: bool
    grub_default_setting:
      description: C(GRUB_DEFAULT) in C(/etc/default/grub). With GRUB legacy V(saved), or the number of the default entry without ours.
      type: str
  sample: {default: 4.4.0-31-generic, next: null, trial: null, watchdog: false, grub_default_setting: "0"}
after:
  description: What is so after the task; in check mode, what would be.
  returned: success
  type: dict
  contains: *state
  sample: {default: 4.4.0-31-generic, next: 4.4.87.toa, trial: 4.4.87.toa, watchdog: true, grub_default_setting: saved}
one_shot:
  description: Whether the boot loader can boot an entry once only, and why not.
  returned: success
  type: dict
  sample: {possible: false, reason: /boot/grub/grubenv is on a device-mapper volume (LVM), which GRUB cannot write to}
steps:
  description: What was done, or would be, in order.
  returned: success
  type: list
  elements: str
  sample: [arm 4.4.87.toa for the next boot]
notes:
  description: What the operator should know.
  returned: success
  type: list
  elements: str
record:
  description:
    - What the host remembers. C(state) is V(default), V(armed), V(confirmed), V(reverted) or V(reverted_by_watchdog); C(kernel) the kernel on trial;
      C(old) the one to go back to; C(reason) what the trial watchdog said when it went back.
  returned: success
  type: dict
  sample: {state: reverted_by_watchdog, kernel: 4.4.87.toa, old: 4.4.0-31-generic, reason: kernel 4.4.87.toa was not confirmed within 600s}
"""
