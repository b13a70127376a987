# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_gate; the logic is in plugins/action/toa_gate.py and plugins/plugin_utils/fleet/waves.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_gate
short_description: Say whether a part of a wave, or the next one, may begin
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Belongs to the playbooks, which run it once for the hosts of a part of a wave, before it begins and when it has ended.
  - The gate counts every host that did not end well, those that vanished included.
extends_documentation_fragment: [realip.toa.attributes]
options:
  step:
    description:
      - V(begin) says which hosts of the part do not begin after all, for no host of their kind was proved, or their failure domain can spare no more.
      - V(end) counts. V(soaked) counts again, with what was seen when the hosts of the wave were looked at again.
      - V(bad) says of one host whether it went bad while its wave soaked.
    type: str
    choices: [begin, end, soaked, bad]
    default: end
  named:
    description: Hosts that the operator's own tasks have found bad; a list, or a mapping of host and reason.
    type: raw
  trouble:
    description: Why the operator's own tasks say that nothing more is to begin.
    type: str
    default: ""
attributes:
  check_mode:
    description: It does the same in check mode.
  diff_mode:
    support: none
    description: It changes nothing on a host.
"""

EXAMPLES = r"""
- name: Count the hosts that did not end well
  realip.toa.toa_gate:
  register: __toa_gate
  run_once: true
"""

RETURN = r"""
held:
  description: The outcome of each host of the part that does not begin.
  returned: O(step=begin)
  type: dict
open:
  description: Whether more may begin.
  returned: O(step=end), O(step=soaked)
  type: bool
ask:
  description: Whether somebody is to be asked before.
  returned: O(step=end), O(step=soaked)
  type: bool
last:
  description: Whether the wave ends with this part.
  returned: O(step=end), O(step=soaked)
  type: bool
why:
  description: Why no more may begin, or why a host went bad.
  returned: success
  type: str
remedy:
  description: What to do then.
  returned: O(step=end), O(step=soaked)
  type: str
words:
  description: The outcome of the hosts that do not begin.
  returned: O(step=end), O(step=soaked)
  type: dict
well:
  description: Hosts of the wave that ended well.
  returned: O(step=end), O(step=soaked)
  type: list
  elements: str
unproven:
  description: Hosts of the wave that did not, with their states.
  returned: O(step=end), O(step=soaked)
  type: dict
unproved:
  description: Kinds whose canary did not end well, with that canary.
  returned: O(step=end), O(step=soaked)
  type: dict
out:
  description: Hosts of each failure domain that are out of service.
  returned: O(step=end), O(step=soaked)
  type: dict
bad:
  description: Hosts of the run that went bad while their wave soaked, and why.
  returned: O(step=end), O(step=soaked)
  type: dict
shares:
  description: Which hosts each host of the part looks at again.
  returned: O(step=end), O(step=soaked)
  type: dict
run:
  description: Id of the run.
  returned: O(step=end), O(step=soaked)
  type: str
wave:
  description: Number of the wave.
  returned: O(step=end), O(step=soaked)
  type: int
part:
  description: Number of the part, counted over all waves.
  returned: O(step=end), O(step=soaked)
  type: int
"""
