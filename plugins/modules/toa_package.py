# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_package; the logic is in plugins/action/toa_package.py and plugins/module_utils/programs/package.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_package
short_description: Fetch, check, install, hold and remove kernel packages
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Installs the packages of a TOA kernel beside the running one, which stays installed.
  - A file is used only when its size and SHA-256 are those that were reviewed. Package name, version, architecture and kernel release,
    the room in C(/boot) and C(/), and the lock of the package database are looked at before anything is installed.
  - What fails after that is taken back, so that the host is either complete or as it was.
  - An rpm is installed beside what is there, never with C(--force) or C(--nodeps). What these would run over is found beforehand and named
    (codes C(file_conflict), C(dependency_missing), C(package_conflict), C(downgrade_needs_consent)), and a script of a package that fails,
    which is a warning for rpm, is a failure here.
  - Runs on the host's own Python, 2.6 to 3.14, and needs nothing installed there.
extends_documentation_fragment: [realip.toa.attributes]
options:
  packages:
    description:
      - The packages, as a plan of M(realip.toa.toa_plan) lists them.
      - May be left out with O(state=absent), O(state=held) and O(state=unheld); then it is what this module has installed.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the package, as its package manager knows it.
        type: str
        required: true
      file:
        description: Name of the file, without a folder. The default is the last part of O(packages[].url).
        type: str
      url:
        description: Where to fetch the file, with http or https. Certificates are verified.
        type: str
      sha256:
        description: SHA-256 of the file. Needed unless O(accept_unverified=true).
        type: str
      size:
        description: Size of the file in bytes. Without it, 512 MiB are the limit.
        type: int
      format:
        description: Kind of package. The default is what the name of the file ends in.
        type: str
        choices: [deb, rpm]
      role:
        description: What the package is; V(image) for the one with the kernel in it, which must then bring the kernel and its modules.
        type: str
      release:
        description: What C(uname -r) says under the kernel of the package.
        type: str
      repository:
        description:
          - Install the newest one from the repositories that the host has, with C(dnf) or C(yum), and remove it in the same way.
          - What is installed is then for those repositories, and their signatures, to answer for.
        type: bool
        default: false
  state:
    description:
      - V(present) installs, V(absent) purges and removes the cache as well.
      - V(held) keeps the package from being updated or removed by an update, V(unheld) lets it go again. rpm has no hold, so that
        C(exclude=) in C(dnf.conf) and C(yum.conf) keeps every other kernel away meanwhile.
      - V(staged) only fetches and checks, for an installation later.
    type: str
    choices: [present, absent, held, unheld, staged]
    default: present
  accept_unverified:
    description: Install files of which no digest is known. What the mirror serves is then believed.
    type: bool
    default: false
  accept_downgrade:
    description: Install a kernel where a newer one is installed. Both stay; rpm asks for this, dpkg does not.
    type: bool
    default: false
  src:
    description: A folder on the host in which the files already are; nothing is fetched then.
    type: str
  push_from:
    description:
      - A folder on the controller that has the files. Those that the host lacks are copied over the connection, so that it needs neither a
        mirror nor a network. The SHA-256 is compared before a file is sent, and again on the host.
    type: path
  timeout:
    description: Seconds that one transfer may take.
    type: int
    default: 600
  lock_timeout:
    description: Seconds to wait for another package tool that is at work on the host.
    type: int
    default: 120
attributes:
  check_mode:
    description: Predicts the result; files that are in the cache already are checked as well. Nothing is fetched.
  diff_mode:
    description: Shows versions installed, names held and files in the cache.
seealso:
  - module: realip.toa.toa_plan
  - module: realip.toa.toa_boot
"""

EXAMPLES = r"""
- name: Install a TOA kernel beside the running one
  realip.toa.toa_package:
    packages:
      - name: linux-image-4.4.87.toa
        url: http://mirror.example.com/linux-image-4.4.87.toa_1.0_amd64.deb
        sha256: 5b1b50bbd7ba7ab01a0fc1b9b0b3a25ea8ffcdabc9b9f3d5cbd0a6b8a3c0d2ef
        size: 54678020
        role: image
        release: 4.4.87.toa

- name: Fetch and check only, before the maintenance window
  realip.toa.toa_package:
    packages: "{{ toa_plan.plan.packages }}"
    state: staged

- name: Install vtoa from the repositories of Alibaba Cloud Linux
  realip.toa.toa_package:
    packages:
      - name: vtoa
        repository: true

- name: Keep the kernel through updates
  realip.toa.toa_package:
    state: held

- name: Remove what this module has installed
  realip.toa.toa_package:
    state: absent
"""

RETURN = r"""
before:
  description:
    - How it was. C(before.installed) maps names to versions, C(before.held) and C(before.cached) are lists.
    - A file of rpm goes by name, version, release and architecture, because several kernels are installed under one name.
  returned: success
  type: dict
  sample: {installed: {}, held: [], cached: []}
after:
  description: How it is, or would be in check mode.
  returned: success
  type: dict
  sample: {installed: {linux-image-4.4.87.toa: "1.0"}, held: [], cached: [linux-image-4.4.87.toa_1.0_amd64.deb]}
signatures:
  description:
    - What is known of who has signed each file, or package of a repository, that was just fetched or installed; C(none) for one that nobody has.
    - An rpm whose signature is wrong is refused. One that is not signed, or by a key that the host does not have, is not; its SHA-256 is what counts.
  returned: where something was fetched or installed
  type: dict
  sample: {linux-image-4.4.87.toa_1.0_amd64.deb: none}
code:
  description:
    - Why it failed. Among others C(digest_mismatch), C(package_truncated), C(package_too_large), C(package_unavailable), C(no_digest),
      C(package_mismatch), C(package_corrupt), C(boot_full), C(disk_full), C(package_lock_held), C(package_tool_interrupted),
      C(running_kernel), C(last_kernel), C(install_failed), C(install_incomplete). Of rpm also C(file_conflict), C(dependency_missing),
      C(package_conflict), C(package_needed), C(downgrade_needs_consent), C(package_unsigned), C(bad_signature), C(repository_unreachable).
  returned: failure
  type: str
  sample: digest_mismatch
remedy:
  description: What to do about it.
  returned: failure
  type: str
"""
