# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_group; the logic is in plugins/action/toa_group.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_group
short_description: Put a host into a group of a run
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Puts a host of the inventory into a group, for the plays that follow. Used by the roles
    P(realip.toa.waves#role) and P(realip.toa.report#role).
  - Unlike M(ansible.builtin.add_host) it takes the name as the inventory has it, also where that looks like a name with a port, and makes no new host.
extends_documentation_fragment: [realip.toa.attributes]
options:
  host:
    description: Name of the host.
    type: str
    required: true
  group:
    description: Group that it comes into; none where it is empty.
    type: str
    default: ""
  attention:
    description: Why the host needs attention, which the last play of a run fails it with.
    type: str
    default: ""
attributes:
  check_mode:
    description: It is told in check mode too.
  diff_mode:
    support: none
    description: It changes nothing on a host.
"""

EXAMPLES = r"""
- name: One that needs attention
  realip.toa.toa_group:
    host: web1:2222
    group: toa_attention
    attention: it did not come back after its reboot
"""

RETURN = r"""
add_host:
  description: What Ansible is told.
  returned: success
  type: dict
"""
