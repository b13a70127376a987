# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_look_again; the logic is in plugins/action/toa_look_again.py and plugins/plugin_utils/fleet/soak.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_look_again
short_description: Look again at a host that was rolled out
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Looks at the host as M(realip.toa.toa_plan) does, and compares with what its turn has left.
    It must be of the same boot, translating, without a new oops of its kernel, and without drift.
  - A host that cannot be looked at is no failure of this task, but an answer.
extends_documentation_fragment: [realip.toa.attributes]
options:
  host:
    description: Name of the host; the task is delegated to it.
    type: str
    required: true
  wait_for_traffic:
    description:
      - Seconds after its proof until a real connection has to have come translated; 0 asks for none.
      - The wait ends with the first one.
    type: int
    default: 0
attributes:
  check_mode:
    description: It does the same in check mode.
  diff_mode:
    support: none
    description: It changes nothing on a host.
"""

EXAMPLES = r"""
- name: Is it still well?
  realip.toa.toa_look_again:
    host: "{{ item }}"
  delegate_to: "{{ item }}"
  loop: "{{ __toa_gate.well }}"
"""

RETURN = r"""
host:
  description: Name of the host.
  returned: success
  type: str
why:
  description: What has gone wrong with it, empty where nothing has.
  returned: success
  type: str
"""
