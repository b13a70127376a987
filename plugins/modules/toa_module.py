# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_module; the logic is in plugins/action/toa_module.py and plugins/module_utils/programs/module.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_module
short_description: Load or unload a TOA module, and detect one that is loaded but not working
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Loads a TOA module and looks whether it lives. Most TOA modules stay listed where their initialisation failed, so a module
    counts only when it has made its file in C(/proc/net).
  - Unloading is refused where connections are open that the module has translated, because their sockets keep pointing at what it
    wrote. Removing persistence and rebooting is the safe way.
extends_documentation_fragment: [realip.toa.attributes]
options:
  name:
    description: Name of the module; one that the collection knows (C(toa), C(vtoa), C(tcp_toa), C(ttm), C(ip_vs_ca), C(slb_vtoa)).
    type: str
    default: toa
  state:
    description: V(status) only looks.
    type: str
    choices: [loaded, unloaded, status]
    default: loaded
  params:
    description: Parameters to load the module with. They are compared with those of a module that is loaded already.
    type: dict
    default: {}
  kernel:
    description:
      - Release of the kernel that must be running, or else it fails with code C(wrong_kernel).
      - With O(state=status), the installed kernel in which to look for the module.
    type: str
  reload:
    description: Unload and load once where the module is loaded but not working, or has other parameters.
    type: bool
    default: false
  force:
    description: Unload although connections are open that the module has translated. The kernel may crash.
    type: bool
    default: false
attributes:
  check_mode:
    description: Reads the host's files and predicts the result; no command is run.
seealso:
  - module: realip.toa.toa_probe
  - module: realip.toa.toa_persistence
"""

EXAMPLES = r"""
- name: Load the module, and fail where it is dead
  realip.toa.toa_module:
    name: toa

- name: Look whether an installed kernel has it
  realip.toa.toa_module:
    name: toa
    state: status
    kernel: 4.4.87.toa
"""

RETURN = r"""
before:
  description: How it was.
  returned: success
  type: dict
  sample: {name: toa, loaded: false, live: false, parameters: {}}
after:
  description: How it is, or would be in check mode. Of the parameters, those that were asked for.
  returned: success
  type: dict
  sample: {name: toa, loaded: true, live: true, parameters: {}}
counters:
  description: The module's statistics, summed over the CPUs.
  returned: success
  type: dict
  sample: {syn_recv_sock_toa: 3, getname_toa_ok_v4: 6}
file:
  description: Where the kernel has the module; V(builtin) where it is part of it, empty where there is none.
  returned: success and O(state=status)
  type: str
code:
  description:
    - Why it failed. Among others C(module_inert), C(module_missing), C(module_busy), C(module_in_use), C(module_parameters),
      C(module_wrong_kernel), C(secure_boot_unsigned), C(module_loading_disabled), C(wrong_kernel).
  returned: failure
  type: str
  sample: module_inert
remedy:
  description: What to do about it.
  returned: failure
  type: str
"""
