# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_order; the logic is in plugins/action/toa_order.py and plugins/plugin_utils/fleet/run_order.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_order
short_description: Work out who goes when in a run
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Reads what M(realip.toa.toa_plan) has found of all hosts of the play, and the inventory, and gives each host with something to do its place in the waves.
    Each kind of host has a canary, failure domains lose no more hosts than they can spare, and hosts through which others are reached come last.
  - Run once for all hosts and registered as C(__toa_order), which the hosts then share.
extends_documentation_fragment: [realip.toa.attributes]
options:
  only:
    description: JMESPath expression over C(facts) and C(plan). Without it the variable C(toa_only) counts.
    type: str
    default: ""
  begins:
    description: Whether this run is to do what it has planned; otherwise there is no command that goes on.
    type: bool
    default: true
attributes:
  check_mode:
    description: It does the same in check mode.
  diff_mode:
    support: none
    description: It changes nothing on a host.
"""

EXAMPLES = r"""
- name: Who goes when
  realip.toa.toa_order:
  register: __toa_order
  run_once: true
"""

RETURN = r"""
slots:
  description: The place of each host that goes, in order, with C(wave), C(of), C(part), C(size), C(allowed), C(first), C(until), C(kind), C(canary), C(domain).
  returned: success
  type: dict
left:
  description: The outcome of each host that has something to do and does not go.
  returned: success
  type: dict
kinds:
  description: Each kind of host that goes, with the number of its C(hosts), its C(canary), or the host that it is C(proved_by).
  returned: success
  type: list
  elements: dict
waves:
  description: Each wave, with the number of its C(hosts) and C(parts), its C(canaries) and C(kinds).
  returned: success
  type: list
  elements: dict
domains:
  description: Each failure domain that has a limit, with the number of its C(hosts), its C(limit), and those that are C(out) already.
  returned: success
  type: list
  elements: dict
notes:
  description: What is to be known beside that, in sentences.
  returned: success
  type: list
  elements: str
lines:
  description: All of this as people read it.
  returned: success
  type: list
  elements: str
go_on:
  description: The command that goes on where the run has ended.
  returned: success
  type: str
go_on_approved:
  description: The command that goes on behind the canaries.
  returned: success
  type: str
soak:
  description: Seconds that a wave has to do well before the next one begins.
  returned: success
  type: int
wait_for_traffic:
  description: Seconds after its proof until a host has to have shown the client of a real connection; 0 asks for none.
  returned: success
  type: int
looks_again:
  description: Whether the hosts of a wave are looked at again before the next one begins.
  returned: success
  type: bool
ask_after:
  description: The wave after which somebody is asked; 0 is none.
  returned: success
  type: int
goal:
  description: What the plans are about.
  returned: success
  type: str
run:
  description: Id of the run.
  returned: success
  type: str
"""
