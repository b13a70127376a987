# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_reboot; the logic is in plugins/action/toa_reboot.py and plugins/module_utils/programs/reboot.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_reboot
short_description: Reboot a host, wait for it, and compare what came back with what was expected
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Reboots, and waits until the host answers with another boot_id, which no two boots share, and has finished booting.
  - A host that does not come back is a failed host with C(toa_state=lost), never an unreachable one, so that limits and rescues see it.
  - Needs no module and no particular Python on the host.
extends_documentation_fragment: [realip.toa.attributes]
options:
  kernel:
    description: What C(uname -r) must say afterwards. Another kernel is a failure with code C(wrong_kernel).
    type: str
  timeout:
    description: Seconds from the reboot until the host must be back.
    type: int
    default: 600
  message:
    description: One line for the host's log, of at most 200 characters.
    type: str
    default: ""
  wait_for_boot:
    description: Wait until the services are up as well, not only SSH.
    type: bool
    default: true
  only_if_needed:
    description: Do nothing where O(kernel) is running already.
    type: bool
    default: false
seealso:
  - module: realip.toa.toa_boot
"""

EXAMPLES = r"""
- name: Boot the kernel that was armed
  realip.toa.toa_reboot:
    kernel: 4.4.87.toa

- name: Go back, where that is still needed
  realip.toa.toa_reboot:
    kernel: 4.4.0-210-generic
    only_if_needed: true
"""

RETURN = r"""
elapsed:
  description: Seconds from the reboot until the host was back.
  returned: once a reboot was started
  type: float
  sample: 41.7
began:
  description: When the reboot was asked for, by the controller's clock, in UTC.
  returned: success, where the host was rebooted
  type: str
  sample: "2026-11-22T01:05:50Z"
boot_id:
  description: Which boot this is; empty in check mode.
  returned: always but when the host could not be asked
  type: str
  sample: 0d2b5a0e-1b27-4f5f-9a6e-5c0e1a1d8a35
kernel:
  description: The kernel that is running.
  returned: always but when the host could not be asked
  type: str
  sample: 4.4.87.toa
toa_state:
  description: V(up) where the host is there, V(lost) where it is not.
  returned: always
  type: str
  sample: up
before:
  description: boot_id and kernel before the reboot.
  returned: success
  type: dict
after:
  description: boot_id and kernel afterwards.
  returned: success
  type: dict
code:
  description:
    - Why it failed. C(wrong_kernel), C(lost_after_reboot), C(reboot_did_not_happen), C(boot_not_finished), C(no_reboot_command) or
      C(reboot_of_controller).
  returned: failure
  type: str
remedy:
  description: What to do about it.
  returned: failure
  type: str
"""
