# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_facts; the logic is in plugins/action, plugins/module_utils/programs/facts.py and plugins/plugin_utils/facts/clean.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_facts
short_description: Look at a host's kernel, boot loader and TOA modules
version_added: 1.0.0
extends_documentation_fragment: [realip.toa.attributes.read_only]
author: The realip.toa authors (@realip)
description:
  - Reads, in one round trip and without running a command on the host, what decides which TOA a host can have, and sets it as C(ansible_facts.toa).
  - Works with whatever Python the host has, from 2.6 on, and changes nothing.
  - Hosts are not trusted. Whatever one answers, the facts have the documented shape, with short and printable texts.
  - Distributions are told by os-release, or by the release file where there is none, and never by C(ansible_os_family).
options: {}
seealso:
  - module: realip.toa.toa_plan
"""

EXAMPLES = r"""
- name: Look at the host
  realip.toa.toa_facts:

- name: Which kernels are installed?
  ansible.builtin.debug:
    msg: "{{ ansible_facts.toa.kernels | map(attribute='release') }}"
"""

RETURN = r"""
ansible_facts:
  description: Facts that are added to the host's.
  returned: success
  type: dict
  contains:
    toa:
      description: All that follows.
      type: dict
      contains:
        schema:
          description: Version of this shape.
          type: int
          sample: 1
        os:
          description:
            - C(id) and C(id_like) in lower case, C(version_id), C(major) (0 where there is none), C(platform_id), C(pretty_name), C(variant),
              C(package_manager) (C(rpm), C(deb) or C(none)) and C(source), the file that said so.
          type: dict
        kernel:
          description: The running kernel, in the parts of P(realip.toa.kernel_release#filter).
          type: dict
        python:
          description: C(executable) and C(version) of the Python that answered.
          type: dict
        init:
          description: C(systemd), C(upstart), C(sysvinit) or C(other).
          type: str
        boot:
          description:
            - C(boot_id), C(loader) (C(grub2), C(grub2_bls), C(grub_legacy), C(other)), C(config), C(default) and C(next) (releases), C(env_writable),
              C(one_shot) and C(reason) why not, C(free_kib) in /boot (null where it is not known), C(oopses) of the running kernel so far.
          type: dict
        hardware:
          description:
            - What a kernel has to know of the machine, C(firmware) (C(uefi), C(bios)), C(root_driver) as in C(dm+nvme), C(nic_driver) of the interface
              with the default route, and C(machine), which is the same for one machine under several names.
          type: dict
        kernels:
          description: Installed kernels, each with C(release), C(image), C(toa_modules), C(package) and C(lacks), drivers of this machine that
            it has not.
          type: list
          elements: dict
        modules:
          description:
            - TOA modules of the running kernel, each with C(name), C(file), C(loaded), C(live) (loaded, and its start succeeded), C(parameters),
              C(stats), C(refcount) and C(state).
          type: list
          elements: dict
        counters:
          description: Counters of the modules, summed over CPUs.
          type: dict
        ebpf:
          description: C(possible) and C(reason) why not, C(cgroup2) mount, C(attached) programs of ours, C(foreign) ones on the getpeername hooks.
          type: dict
        persistence:
          description:
            - Places that are meant to load TOA at boot, each with C(path), C(kind), C(module), C(line), C(line_number), C(effective), C(reason) why not,
              and C(ours).
          type: list
          elements: dict
        service:
          description: C(name), C(enabled) and C(active) of the vtoa unit, or null. C(active) is null where the host cannot tell.
          type: dict
        security:
          description:
            - C(secure_boot) (not where shim has been told not to validate), C(lockdown), C(sig_enforce), C(modules_disabled), C(trusted_keys) (names,
              only where the kernel demands signatures), C(selinux) (C(enforcing), C(permissive) or empty), C(selinux_domain) of this call, C(fapolicyd).
          type: dict
        container:
          description: Name of the container technology that this host is itself inside of, or empty.
          type: str
        conflicts:
          description: What else may change peer addresses, each with C(code) and C(detail).
          type: list
          elements: dict
        firewall:
          description: C(backend), one of C(nft), C(iptables), C(none).
          type: dict
        held:
          description: Kernel packages that are held against updates.
          type: list
          elements: str
        state:
          description: The record that a rollout keeps on the host.
          type: dict
        unread:
          description: Sections that could not be read, each with C(section) and C(problem).
          type: list
          elements: dict
"""
