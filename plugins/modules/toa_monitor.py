# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_monitor; the logic is in plugins/action/toa_monitor.py and plugins/module_utils/programs/monitor.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_monitor
short_description: Have a host write metrics about its real client addresses
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Leaves one Python program on the host, and a timer of systemd - or a file in C(/etc/cron.d) - that runs it. It needs no controller and
    nothing but the Python that this module has run with. It is made of the collection's own code, so that its facts and its proof are those
    of M(realip.toa.toa_facts) and M(realip.toa.toa_probe).
  - Each run writes C(realip_toa.prom) for the textfile collector of the Prometheus node exporter, in one step - kernel, what translates,
    whether the proof has just succeeded, counters, and drift from what the last rollout has proved.
  - The program is run once before the timer gets it. Whatever fails, the host stays as it was.
extends_documentation_fragment: [realip.toa.attributes, realip.toa.backends.recorded, realip.toa.vendor]
options:
  state:
    description:
      - V(status) only looks. V(absent) takes everything away, and with it the record of what was proved.
      - V(recorded) writes that record, with or without a monitor on the host - the O(backend), the running kernel and the time, from which
        C(ansible_facts.toa.drift) is measured. A rollout does so when a host is proved and confirmed; it counts as no change of the host.
    type: str
    choices: [present, absent, status, recorded]
    default: present
  textfile_dir:
    description:
      - Folder that the node exporter reads (C(--collector.textfile.directory)).
      - The default is C(toa_monitor_textfile_dir), else C(/var/lib/prometheus/node-exporter) where that is there, else
        C(/var/lib/node_exporter/textfile_collector), which is made where it is missing.
    type: path
  interval:
    description: Minutes from one run to the next, 1 to 59. The default is C(toa_monitor_interval), else 5.
    type: int
  probe:
    description: Prove at each run, where anything claims to translate. It takes a tenth of a second in a network namespace of its own.
    type: bool
    default: true
  option_kinds:
    description: Formats that the proof must find translated. The default is C(toa_option_kinds), else the profile of the vendor, else what the host reads.
    type: list
    elements: str
  listeners:
    description:
      - The families of sockets that programs on the host listen with, and that the proof asks for. V([inet]) is for modules that know AF_INET alone.
    type: list
    elements: str
    choices: [inet, inet6]
seealso:
  - module: realip.toa.toa_probe
"""

EXAMPLES = r"""
- name: Metrics every ten minutes
  realip.toa.toa_monitor:
    interval: 10

- name: As the host was before
  realip.toa.toa_monitor:
    state: absent
"""

RETURN = r"""
before:
  description: How it was. C(before.run_by) names the timer or the crontab.
  returned: success
  type: dict
  sample: {installed: false, textfile: "", minutes: 0, probe: false, run_by: ""}
after:
  description: How it is, or would be in check mode.
  returned: success
  type: dict
  sample: {installed: true, textfile: /var/lib/prometheus/node-exporter/realip_toa.prom, minutes: 5, probe: true,
           run_by: /etc/systemd/system/realip-toa-monitor.timer}
code:
  description: Why it failed. C(monitor_failed), C(no_timer) or C(bad_option).
  returned: failure
  type: str
remedy:
  description: What to do about it.
  returned: failure
  type: str
"""
