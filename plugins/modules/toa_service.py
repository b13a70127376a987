# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_service; the logic is in plugins/action/toa_service.py and plugins/module_utils/programs/service.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_service
short_description: Start, stop, restart, enable and disable the service of vtoa
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Does what C(systemctl) does with the unit that the package C(vtoa) brings. Unit and kernel modules are found out from the package itself.
  - A service counts as started when its unit is active and its module is loaded.
  - Needs systemd; elsewhere it fails with code C(no_systemd).
extends_documentation_fragment: [realip.toa.attributes]
options:
  name:
    description: Name of the package.
    type: str
    default: vtoa
  state:
    description:
      - V(started) starts it, also where the unit is active but its module is not loaded any more. V(stopped) stops it.
      - V(restarted) always restarts it.
      - V(enabled) has it started at every boot, V(disabled) does not; neither changes what runs now.
      - V(status) only looks.
      - A service that is not there is stopped and disabled.
    type: str
    choices: [started, stopped, restarted, enabled, disabled, status]
    default: started
  unit:
    description: Name of the unit, where the package has several and none of them is called like it.
    type: str
attributes:
  check_mode:
    description: Looks at the unit and predicts the result.
seealso:
  - module: realip.toa.toa_package
  - module: realip.toa.toa_probe
"""

EXAMPLES = r"""
- name: Install vtoa; the package starts it and enables it at boot
  realip.toa.toa_package:
    packages:
      - name: vtoa
        repository: true

- name: Start vtoa where somebody has stopped it
  realip.toa.toa_service:
    state: started

- name: Start it at every boot
  realip.toa.toa_service:
    state: enabled
"""

RETURN = r"""
before:
  description: How it was.
  returned: success
  type: dict
  sample: {name: vtoa, active: false, enabled: true}
after:
  description: How it is, or would be in check mode.
  returned: success
  type: dict
  sample: {name: vtoa, active: true, enabled: true}
unit:
  description: The unit.
  returned: success
  type: str
  sample: vtoa.service
version:
  description: Version of the package; empty where rpm does not know it.
  returned: success
  type: str
  sample: 2.1.0-1.al8
modules:
  description: The modules that change addresses, and whether each is loaded and has made its statistics.
  returned: success
  type: list
  elements: dict
  sample: [{name: vtoa, loaded: true, live: true}]
code:
  description: Why it failed. C(no_systemd), C(service_missing), C(service_masked), C(service_failed), C(unit_ambiguous), C(bad_option).
  returned: failure
  type: str
  sample: service_failed
remedy:
  description: What to do about it.
  returned: failure
  type: str
"""
