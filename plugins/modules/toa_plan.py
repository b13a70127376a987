# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_plan; the logic is in plugins/action/toa_plan.py and plugins/plugin_utils/planner/decide.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_plan
short_description: Decide what has to be done to a host, and say why
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Looks at the host as M(realip.toa.toa_facts) does, proves what claims to be active as M(realip.toa.toa_probe) does, both in one round trip, and
    decides on the controller. Nothing is changed.
  - With O(assume) it decides about a machine that is not there, without any connection.
  - Every option that is not given is taken from the variable of the same name with C(toa_) in front, so a playbook passes nothing.
extends_documentation_fragment: [realip.toa.attributes.read_only, realip.toa.backends, realip.toa.vendor.plan]
options:
  goal:
    description:
      - V(install) plans the way to a proven TOA, V(remove) the way back to the stock kernel with nothing of ours left.
      - V(rollback) only goes back to the kernel of before, with TOA off; kernel packages stay installed.
    type: str
    choices: [install, remove, rollback]
    default: install
  assume:
    description: A machine to decide about. What it would show freshly installed is assumed for all that is not given.
    type: dict
    suboptions:
      os_release:
        description: Text of its C(/etc/os-release), or of its release file.
        type: str
        required: true
      kernel:
        description: What C(uname -r) prints there.
        type: str
        required: true
      arch:
        description: What C(uname -m) prints there. Without it, what the release says, else x86_64.
        type: str
        default: ""
  probe:
    description: Whether to prove what claims to be active.
    type: bool
    default: true
  rows:
    description: Which rows of the proof's matrix come home. Of a host that is in order, V(failed) leaves the verdict and the counts.
    type: str
    choices: [all, failed]
    default: failed
  option_kinds:
    description: Formats that must be translated, written C(KIND/LENGTH), as in V(200/8).
    type: list
    elements: str
  package_mirror:
    description: Address of a mirror, as in V(http://mirror.example/toa). It takes the place of scheme and host in the address of every package.
    type: str
  source:
    description: The source of the backend V(source_module).
    type: dict
    suboptions:
      url:
        description: URL of a tar archive, a directory or archive on the controller, or a git repository.
        type: str
        default: ""
      reference:
        description:
          - Which bytes are meant, as a SHA-256 of the archive or, of a git repository, the full name of a commit.
          - Of what lies on the controller it may be left out, for it is read there.
        type: str
        default: ""
      tree:
        description: How it is built, by the name of a known tree or described, as O(realip.toa.toa_source#module:tree) has it.
        type: raw
        default: ""
      method:
        description: V(auto) takes DKMS where it is installed or can be.
        type: str
        choices: [auto, dkms, plain]
        default: auto
      signing_key:
        description: Private key on the controller that modules are signed with, for hosts that take only signed ones.
        type: path
        default: ""
      signing_certificate:
        description: The certificate of that key, which the hosts must trust.
        type: path
        default: ""
  builder:
    description:
      - Inventory name of the host that builds for all hosts with the same kernel, and what is signed. They take its module, without headers or compiler,
        and trust it.
    type: str
  accept:
    description:
      - What the operator allows, as a list of words. V(conflicts) is TOA beside something else that changes peer addresses; V(kernel_downgrade) a TOA
        kernel that is older than the running one; V(no_fallback) a reboot into a new kernel where the host could not come back by itself;
        V(unverified_packages) packages and sources of which no SHA-256 is known.
    type: list
    elements: str
    choices: [conflicts, kernel_downgrade, no_fallback, unverified_packages]
  trusted_sources:
    description:
      - Networks of the load balancers as in V(10.0.0.0/8\), which alone may name clients, or the word V(all) where the network in front of the
        host lets nobody else through. A choice that has to be made - without it a host is blocked with the code C(spoofable).
      - The eBPF programs take the option from no others, M(realip.toa.toa_option_filter) strips it from others where a module translates, and the
        proof plays a load balancer inside these networks.
      - On a host that has a list already, leaving it out leaves the list. V(all), or an empty list, takes it away, and the plan says so.
    type: raw
  option_filter:
    description:
      - How packets of strangers lose the option where a module translates and O(trusted_sources) is a list. V(auto) takes the first of V(nft) and
        V(iptables) that passes a trial on the host.
      - With V(none) nothing is filtered on the host, for something in front of it does; the host then trusts all sources.
    type: str
    choices: [auto, nft, iptables, none]
  option_packets:
    description: Packets on which the load balancer writes its option, where the profile of O(vendor) does not say so.
    type: list
    elements: str
    choices: [syn, ack, data]
  option_place:
    description: Where in the header it does so, where the profile of O(vendor) does not say so.
    type: str
    choices: [unknown, front, end]
  listeners:
    description:
      - The families of sockets that programs on the host listen with, and that the proof asks for. V([inet]) is for modules that know AF_INET alone.
    type: list
    elements: str
    choices: [inet, inet6]
  ports:
    description: TCP ports on which the option is read or stripped; all of them where none is named.
    type: list
    elements: int
  monitor:
    description: Whether M(realip.toa.toa_monitor) is to leave its program on the host.
    type: bool
  push_packages:
    description: Whether packages are pushed from the controller, so that they need no address.
    type: bool
  ebpf_getsockopt:
    description:
      - Which options of C(getsockopt(IPPROTO_IP, ...)) the eBPF backend answers. V(1348) is the client of a connection; V(4096) the IPv6 client of an
        IPv4 connection.
    type: list
    elements: int
    choices: [1348, 4096]
  install:
    description:
      - What may be installed beside TOA. V(bpftool), which the eBPF backend needs, and V(build_tools) - headers, compiler, DKMS - come from the
        distribution's repositories; V(headers) are those of a TOA kernel.
    type: list
    elements: str
    choices: [bpftool, build_tools, headers]
  catalog:
    description:
      - Entries that extend the catalog of TOA kernels, or change those with the same C(key). The shape is that of
        C(plugins/plugin_utils/catalog/catalog.yml) in the collection.
    type: list
    elements: dict
  catalog_file:
    description:
      - Path on the controller of a file with such entries, as the playbook C(realip.toa.build_kernel) writes it; looked for like O(lockfile).
      - Without it and without C(toa_catalog_file), V(toa.catalog.yml).
    type: path
  lock:
    description: Contents of a lock file, C({packages} a list of {file, url, size, sha256}). Takes the place of O(lockfile).
    type: dict
  lockfile:
    description:
      - Path of the lock file on the controller, as the playbook C(realip.toa.lock) writes it. A relative path is looked for in the current directory,
        beside the playbook, and beside the inventory. A file that is not there is an empty lock.
      - Without it and without C(toa_lockfile), V(toa.lock.yml).
    type: path
requirements:
  - PyYAML on the controller, which Ansible needs anyway
seealso:
  - module: realip.toa.toa_facts
  - module: realip.toa.toa_probe
"""

EXAMPLES = r"""
- name: What would happen to this host, and why?
  realip.toa.toa_plan:
  register: looked

- name: What would happen to a machine that is not there? (works on localhost)
  realip.toa.toa_plan:
    assume:
      os_release: |
        ID=ubuntu
        VERSION_ID="16.04"
      kernel: 4.4.0-210-generic
    vendor: tencent
  register: forecast

- name: Stop where something stands in the way
  ansible.builtin.assert:
    that: looked.plan.state in ['converged', 'pending']
    fail_msg: "{{ looked.plan.remedy }}"
"""

RETURN = r"""
run:
  description: The id of this run, the same for every host of the task.
  returned: always
  type: str
  sample: 3f2a9c0d11be
plan:
  description: The decision.
  returned: success
  type: dict
  contains:
    state:
      description:
        - C(converged), nothing to do. C(pending), the steps will be taken. C(blocked), the operator has to allow something or put something right
          first. C(unsupported), nothing that exists will do.
      type: str
      sample: pending
    goal:
      description: C(install) or C(remove).
      type: str
    backend:
      description: The backend chosen, empty where there is none.
      type: str
      sample: kernel_package
    steps:
      description: What will be done, in order, in words.
      type: list
      elements: str
    reasons:
      description:
        - Why, each with a stable C(code), C(severity) (C(info), C(warning), C(block)), C(message), C(remedy) and C(backend). What was preferred and
          passed over is told as C(info).
      type: list
      elements: dict
      sample:
        - {code: downgrade_needs_consent, severity: block, backend: kernel_package,
           message: "kernel_package: the TOA kernel 3.10.0-693.el7.centos.toa.x86_64 is older than the running 3.10.0-1160.el7.x86_64, ...",
           remedy: "set toa_accept: [kernel_downgrade] for hosts on which that is acceptable"}
    remedy:
      description: The one thing the operator can do, empty where nothing is needed.
      type: str
    kernel_target:
      description: Release of the kernel to boot, empty where the running one stays.
      type: str
      sample: 4.4.87.toa
    packages:
      description: Packages of that kernel, each with C(name), C(role), C(url), C(file), C(format), C(sha256), C(size) (bytes, 0 if unknown) and C(release).
      type: list
      elements: dict
    reboot:
      description: Whether a reboot is part of it.
      type: bool
    module:
      description: Module to load, empty for eBPF.
      type: str
      sample: toa
    option_kinds:
      description: Formats that will be translated.
      type: list
      elements: str
      sample: ["200/8"]
    capabilities:
      description: C(getpeername), C(getsockopt_1348) and C(ipv6), each true or false.
      type: dict
    entry:
      description: Key of the catalog entry, empty where none was used.
      type: str
      sample: tencent-ubuntu-16.04
probe:
  description: The proof, as M(realip.toa.toa_probe) returns it with C(probe.matrix) limited to failed rows; null where nothing claims to be active.
  returned: success
  type: dict
ansible_facts:
  description: The facts, as M(realip.toa.toa_facts) sets them.
  returned: success
  type: dict
"""
