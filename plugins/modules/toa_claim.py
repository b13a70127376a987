# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_claim; the logic is in plugins/action/toa_claim.py and plugins/module_utils/programs/claim.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_claim
short_description: Claim a host for one run, and remember that it is out of service
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Two controllers that work on one host at once would take turns in undoing each other's steps. The first one claims the host, the
    second one is told who has it (code C(host_claimed)). The claim stands in C(/var/lib/realip-toa/state.json) and is gone with the run.
  - The claim of a run that has died is taken over at once by the next run on the same controller, which sees that its process has ended;
    by another controller after 70 minutes without a sign of life, or with O(takeover=true). The host's uptime tells the age, not its clock.
  - The same record remembers that a host is out of service, and is written before it is, so that the next run puts it back if this one dies.
extends_documentation_fragment: [realip.toa.attributes]
options:
  state:
    description: V(taken) claims the host or renews the claim, V(released) lets it go. Whether it is drained stays remembered in both.
    type: str
    choices: [taken, released]
    default: taken
  drained:
    description: Whether the host is out of service from here on. Without it, that stays as it is.
    type: bool
  window:
    description:
      - Fail with code C(outside_window) where the controller's clock is outside of it. One text or a list of them, each of days, times and a time
        zone, as in C(Sat,Sun 01:00-05:00 Europe/Berlin). Days may be left out, and are then all; the zone too, and is then UTC.
      - A window that ends before it begins ends on the next day.
    type: raw
  takeover:
    description: Take a claim of somebody else over, whoever has it.
    type: bool
    default: false
seealso:
  - module: realip.toa.toa_boot
  - module: realip.toa.toa_reboot
"""

EXAMPLES = r"""
- name: Out of service from here on, and only at night
  realip.toa.toa_claim:
    drained: true
    window: 01:00-05:00 Europe/Berlin

- name: Back in service, and done
  realip.toa.toa_claim:
    state: released
    drained: false
"""

RETURN = r"""
before:
  description: Who had the host, and whether it was out of service.
  returned: success
  type: dict
  sample: {owner: "", drained: false}
after:
  description: Who has it now.
  returned: success
  type: dict
  sample: {owner: ops@awx-1 pid 4242, drained: true}
took_over:
  description: Whose claim was taken over and why; empty where there was none.
  returned: success
  type: str
  sample: ops@awx-1 pid 4100, which has ended
changed_since:
  description:
    - What is not as the facts of the play have it, in words - another boot, another kernel, another record. Empty where a plan that was made from them
      still fits.
  returned: success, with O(state=taken)
  type: list
  elements: str
  sample: [it was rebooted]
code:
  description: Why it failed. C(host_claimed), C(outside_window), C(host_locked), C(bad_option).
  returned: failure
  type: str
  sample: host_claimed
remedy:
  description: What to do about it.
  returned: failure
  type: str
"""
