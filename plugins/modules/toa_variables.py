# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_variables; the logic is in plugins/action/toa_variables.py and plugins/plugin_utils/variables/check.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_variables
short_description: Check the variables of a run, once for all hosts
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Checks every variable that begins with C(toa_) on every host of the play, on the controller, before any host is asked. One task does it for the whole fleet,
    and a fault that many hosts share is told once.
  - A variable that is null or an empty text is not set; so are the answers that nobody has given to a survey of AWX.
  - A text counts as what it says, for extra variables are texts on some versions of Ansible - V(false) is false, and V(80,443) is a list.
extends_documentation_fragment: [realip.toa.attributes, realip.toa.attributes.read_only]
options:
  by_type:
    description: Variables of which nothing but the type is looked at, for a playbook that reads them in a way of its own.
    type: list
    elements: str
    default: []
  required:
    description: Variables that have to be set.
    type: list
    elements: str
    default: []
  folders:
    description: Variables that name folders on the controller in which files will be written. It is tried by writing one.
    type: list
    elements: str
    default: []
  files:
    description: Variables that name files on the controller that will be written. It is tried by writing another one beside each.
    type: list
    elements: str
    default: []
seealso:
  - module: realip.toa.toa_plan
"""

EXAMPLES = r"""
- name: Check the variables
  realip.toa.toa_variables:
    folders: [toa_report_dir]
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
hosts:
  description: How many hosts were checked.
  returned: success
  type: int
msg:
  description: A sentence for each fault, with the hosts that share it unless all do.
  returned: failure
  type: str
  sample: "toa_vendor is 'tencnt'; expected one of tencent, alibaba; did you mean tencent? (web1, web2)"
code:
  description: V(bad_variable).
  returned: failure
  type: str
remedy:
  description: What to do about it.
  returned: failure
  type: str
"""
