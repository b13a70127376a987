# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_record; the logic is in plugins/action/toa_record.py and plugins/plugin_utils/fleet/records.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_record
short_description: Write into the record of a host's run
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - The roles of this collection keep one record of what happens to a host in a run, the variable C(__toa). M(realip.toa.toa_plan) begins it in the first play;
    this module returns it with what has just happened, and the result is registered under the same name.
  - It comes by C(register), because Ansible takes nothing of a registered result for a template, and words of hosts are in it.
  - A skipped task registers too. So a task with this module never has a C(when), and stands in no block with one.
extends_documentation_fragment: [realip.toa.attributes]
options:
  step:
    description:
      - V(begin) is the first step of a host's turn. From then on the host counts as lost until it has another outcome, since Ansible runs no rescue for a host
        that becomes unreachable in a task of the operator.
      - V(end) is the last one.
    type: str
    choices: [begin, note, end]
    default: note
  undo:
    description: A stage that has begun, or will in a moment, and has to be undone where the host fails.
    type: str
    default: ""
  undone:
    description: A stage that nobody has to undo any more.
    type: str
    default: ""
  drained:
    description: Whether the host is out of service. Without it, that stays as it is.
    type: bool
  changed_since:
    description: What has changed on the host since its plan was made.
    type: list
    elements: str
  plan:
    description: The plan that was made anew because of that.
    type: dict
    default: {}
  trouble:
    description: Which of the operator's tasks has failed, and in what; it becomes the outcome in place of the task that says so.
    type: dict
    default: {}
  reverted:
    description: What M(realip.toa.toa_boot) answered when it made the old kernel the default again.
    type: dict
    default: {}
  outcome:
    description: How the host ends.
    type: dict
    default: {}
  later:
    description: What failed after the outcome, which it changes nothing of; it is added to what the outcome says.
    type: dict
    default: {}
attributes:
  check_mode:
    description: The record is written in check mode too.
  diff_mode:
    support: none
    description: It changes nothing on a host.
"""

EXAMPLES = r"""
- name: Whatever fails from here on, the kernel has to be taken back
  realip.toa.toa_record:
    undo: kernel
  register: __toa
"""

RETURN = r"""
run:
  description: Id of the run.
  returned: success
  type: str
plan:
  description: The plan that the first play made.
  returned: success
  type: dict
probe:
  description: The proof of the first play.
  returned: success
  type: dict
slot:
  description: Where the host stands in the waves.
  returned: success
  type: dict
outcome:
  description: How the host ended.
  returned: success
  type: dict
times:
  description: When its turn began and ended.
  returned: success
  type: dict
undo:
  description: Stages that would have to be undone, in the order in which they began.
  returned: success
  type: list
  elements: str
drained:
  description: Whether the host is out of service.
  returned: success
  type: bool
changed_since:
  description: What has changed on the host since its plan was made.
  returned: success
  type: list
  elements: str
trouble:
  description: Which of the operator's tasks has failed.
  returned: success
  type: dict
reverted:
  description: The answer of M(realip.toa.toa_boot) on the way back.
  returned: success
  type: dict
"""
