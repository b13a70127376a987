# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_persistence; the logic is in plugins/action/toa_persistence.py and plugins/module_utils/programs/persistence.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_persistence
short_description: Load a TOA module at every boot, in the one place that works on the host
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Writes one place that this host really runs at boot, and takes away the lines of the vendors' recipes in C(rc.local) and
    C(/etc/sysconfig/modules), those that work and those that never did - after an C(exit 0), in a file that is not executable, within
    typographic quotes, with the path of one kernel, or below C(/etc/rc.d) on a distribution that does not look there.
  - What is changed is recorded on the host with its bytes, mode and owner. O(state=absent) puts exactly that back; a file that
    somebody has changed since keeps that change, and only our own lines are taken out.
  - Afterwards the host is read anew. Where the module would not be loaded all the same, everything is put back and the task fails.
extends_documentation_fragment: [realip.toa.attributes]
options:
  name:
    description: Name of the module.
    type: str
    default: toa
  method:
    description:
      - V(auto) takes the first of the others, in this order, that runs on the host; V(systemd) and V(service) only when they are named.
      - V(modules_load) is a file in C(/etc/modules-load.d), or lines in C(/etc/modules) on Debian without systemd.
      - V(sysconfig_modules) is a script in C(/etc/sysconfig/modules), as CentOS 6 runs them.
      - V(rc_local) is a line in the C(rc.local) that the distribution runs, before its C(exit 0).
      - V(systemd) is a unit of its own, C(realip-toa-module.service).
      - V(service) is the unit that came with the module in a package, as vtoa's. It must be enabled; nothing is added, and what else would
        load the module is cleared away.
    type: str
    choices: [auto, modules_load, rc_local, sysconfig_modules, systemd, service]
    default: auto
  state:
    description: Whether the module is to be loaded at boot by us.
    type: str
    choices: [present, absent]
    default: present
attributes:
  diff_mode:
    description: Shows the files with their content.
seealso:
  - module: realip.toa.toa_module
"""

EXAMPLES = r"""
- name: Load toa at every boot
  realip.toa.toa_persistence:
    name: toa

- name: As the host was before
  realip.toa.toa_persistence:
    state: absent
"""

RETURN = r"""
before:
  description: The files concerned, each with mode and a digest of its content (which C(--diff) shows), or null where there is none.
  returned: success
  type: dict
  sample: {files: {/etc/modules-load.d/realip-toa.conf: null}}
after:
  description: The same files as they are, or would be in check mode.
  returned: success
  type: dict
method:
  description: The method in use; V(none) with O(state=absent).
  returned: success
  type: str
  sample: modules_load
path:
  description: The file that loads the module.
  returned: success
  type: str
  sample: /etc/modules-load.d/realip-toa.conf
notes:
  description: What was taken away and why it did not run, in words.
  returned: success
  type: list
  elements: str
  sample: ["/etc/rc.local, line 7: modprobe toa removed; it did not run: comes after the exit in line 6"]
code:
  description: Why it failed. C(no_persistence), C(method_unusable), C(persistence_ineffective), C(bad_link) or C(bad_option).
  returned: failure
  type: str
remedy:
  description: What to do about it.
  returned: failure
  type: str
"""
