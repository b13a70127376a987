# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_detect; the logic is in plugins/action/toa_detect.py and plugins/module_utils/programs/detect.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_detect
short_description: See which TCP option the load balancer sends to a host
version_added: "1.0.0"
author: The realip.toa authors (@realip)
description:
  - Listens to the host's connections for a while and says which options of TOA's shapes arrive, on which packet, from which addresses and to which ports.
  - Changes nothing. The packets are copies that the kernel gives to a packet socket, 160 bytes of each; what a firewall drops afterwards is seen too.
  - Takes at most a hundredth of one processor, or 5,000 packets a second. On a busy host it looks at a part of the connections, and says so.
  - A connection counts where the host answered it and the client read the answer, because the sender of a single packet can forge its address.
  - Needs root, and a kernel from 2.6.32 on.
extends_documentation_fragment: [realip.toa.attributes.read_only]
options:
  seconds:
    description: How long to listen at most, from 1 to 500.
    type: int
    default: 30
  enough:
    description: End after so many connections with an option, where nothing new came for three seconds. V(0) listens for the whole time.
    type: int
    default: 200
  redact:
    description: Show the networks of clients instead of their addresses.
    type: bool
    default: false
seealso:
  - module: realip.toa.toa_probe
"""

EXAMPLES = r"""
- name: Which option does my load balancer send?
  realip.toa.toa_detect:
    seconds: 30
  register: found

- name: The lines for the inventory
  ansible.builtin.debug:
    msg: "{{ found.inventory + found.notes }}"
"""

RETURN = r"""
detect:
  description: What was seen.
  returned: success
  type: dict
  contains:
    seconds:
      description: Seconds that the host listened.
      type: float
    ended:
      description: C(time), or C(enough) where it ended early.
      type: str
    rows:
      description:
        - For each option, packet, source and port the number of connections. C(kind) is 0 for connections without an option.
        - C(packet) is C(syn), C(ack) (the last of the handshake), C(data) (the first) or C(later).
        - C(established) counts connections that were answered, C(unproved) those of which the sender may be forged. C(here) is false for
          addresses that are not the host's own.
      type: list
      elements: dict
      sample:
        - {here: true, kind: 200, length: 8, version: null, packet: ack, source: 100.64.3.1, port: 80, established: 25, unproved: 0, several: 0,
           samples: ["203.0.113.7:4321"]}
    share:
      description: Of how many connections one was looked at.
      type: int
    cpu_ms:
      description: Milliseconds of processor that listening took.
      type: int
inventory:
  description: Lines for the inventory; empty where nothing can be suggested.
  returned: success
  type: list
  elements: str
  sample: ["toa_vendor: tencent", 'toa_trusted_sources: ["100.64.3.0/28"]']
notes:
  description: What contradicts the inventory, what was seen and is not suggested, and what is missing.
  returned: success
  type: list
  elements: str
"""
