# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_report; the logic is in plugins/action/toa_report.py and plugins/plugin_utils/report/data.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_report
short_description: Write what a run has seen and done
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Reads what M(realip.toa.toa_plan) and the roles have left in the variables of every host of the run, and writes it to files on the controller. No host is
    asked, and one task does it for the whole fleet.
  - The HTML page is one file that needs nothing else; the JSON has a schema, C(plugins/plugin_utils/report/page/report.schema.json).
  - Every run is kept, in the folder C(KIND/TIME) of O(dir). The files C(KIND.html) and so on, and the link C(KIND/latest), are the last run of all hosts; a dry
    run, and a run of some of the hosts, take nobody's place.
  - The last run of all hosts is what C(Changed since the last report) is about.
extends_documentation_fragment: [realip.toa.attributes]
options:
  kind:
    description: What the run was.
    type: str
    choices: [plan, rollout, verify, rollback, remove]
    required: true
  dir:
    description:
      - Folder for the files, on the controller. They are called as the O(kind), with the ending of their format.
      - A relative path is looked for where the run was started, beside the playbook, and beside the inventory; where it is in none of them, it is made in the
        first that can be written.
      - Where it is not given the variable C(toa_report_dir) counts.
    type: path
    default: reports
  formats:
    description:
      - Which files. Without V(json), the next report cannot say what has changed.
      - Where it is not given the variable C(toa_report_formats) counts.
    type: list
    elements: str
    choices: [html, json, csv, junit]
    default: [html, json]
  only:
    description:
      - JMESPath expression over C(facts) and C(plan) of a host; the report is about those for which it is true, and those that could not be looked at.
      - With O(reread), the expression is over the host's entry in the report.
      - Where it is not given the variable C(toa_only) counts; an empty text is all hosts.
    type: str
    default: ""
  reread:
    description: Make the other files anew out of the JSON that is there, without looking at what this run has done. Where there is none, nothing is written.
    type: bool
    default: false
  parts:
    description:
      - Folders with the reports of the slices of one run, or patterns such as C(jobs/*). They become one report in O(dir), whatever this run has done.
      - All of them have a report of this O(kind) (or none has, and O(parts) counts for nothing), and no host is in two of them.
    type: list
    elements: path
    default: []
  keep:
    description:
      - How many runs of this kind are kept; V(0) keeps all.
      - Where it is not given the variable C(toa_report_keep) counts.
    type: int
    default: 50
  write:
    description: Whether files are written, and not only told what would be in them.
    type: bool
    default: true
attributes:
  check_mode:
    description: The files are written in check mode too; they are what a dry run is for.
  diff_mode:
    support: none
    description: It changes nothing but its own files.
seealso:
  - module: realip.toa.toa_plan
"""

EXAMPLES = r"""
- name: Report
  realip.toa.toa_report:
    kind: plan
    dir: reports
    formats: [html, json, csv, junit]
  run_once: true
  delegate_to: localhost

- name: A page about the hosts that have failed, out of the last report
  realip.toa.toa_report:
    kind: rollout
    dir: reports
    reread: true
    only: state == 'failed'
  run_once: true
  delegate_to: localhost

- name: One report of a verify that AWX has run in slices
  realip.toa.toa_report:
    kind: verify
    dir: reports
    parts: [/srv/reports/jobs/*]
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
files:
  description: The files that were written.
  returned: success
  type: list
  elements: str
  sample: [/home/ops/reports/rollout.html, /home/ops/reports/rollout.json]
folder:
  description: The folder with the files of this run; an empty text where none was written.
  returned: success
  type: str
  sample: /home/ops/reports/rollout/2026-11-22T01-40-00Z
artifact:
  description: The report in small, for the artefacts of a job - who ran what, totals, waves, the hosts of each state, and why some need attention.
  returned: success
  type: dict
lines:
  description: Who ran what, a line for each host, and the totals, for a terminal. Of a large fleet only hosts that need attention.
  returned: success
  type: list
  elements: str
summary:
  description: How many hosts there are in each state.
  returned: success
  type: dict
  sample: {proved: 3, failed: 1}
attention:
  description: Whether a host ended in a state that this O(kind) of run calls a failure.
  returned: success
  type: bool
verdict:
  description: The sentence that says so, or an empty text.
  returned: success
  type: str
concerned:
  description: The hosts because of which that is so, each with C(host), C(why) and the C(group) for M(realip.toa.toa_group).
  returned: success
  type: list
  elements: dict
msg:
  description: What is wrong.
  returned: failure
  type: str
code:
  description: Stable code of the failure, such as V(report_not_written), V(bad_selection), V(part_missing) or V(bad_parts).
  returned: failure
  type: str
remedy:
  description: What to do about it.
  returned: failure
  type: str
"""
