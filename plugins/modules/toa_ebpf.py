# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_ebpf; the logic is in plugins/action/toa_ebpf.py and plugins/module_utils/programs/ebpf.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_ebpf
short_description: Show real client addresses on a stock kernel, with eBPF programs
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - From Linux 5.10 on no module and no other kernel is needed. The programs read the option from the packets of a connection and show the
    client's address in C(accept()), C(getpeername()) and C(getsockopt(IPPROTO_IP, 1348)). No reboot, no taint, no headers; Secure Boot
    and containers do not mind.
  - They are attached now, and before ordinary services at every boot - by a unit of systemd, or a line in C(rc.local) - with nothing but the
    distribution's C(bpftool) and a shell.
  - Other settings, as another version of the programs, are complete and attached before those of before are detached.
    No connection is dropped, and open ones keep their clients, but for O(state=detached), which shows the peer again.
  - Whatever fails, the host stays as it was.
extends_documentation_fragment: [realip.toa.attributes, realip.toa.vendor]
options:
  state:
    description: V(status) only looks. V(detached) takes everything away, packages that came with O(install_bpftool) included.
    type: str
    choices: [attached, detached, status]
    default: attached
  option_kinds:
    description:
      - Option formats to read, as in C(["200/8"]). Lengths 8 and 20 carry a port and an IPv4 or IPv6 address, 7 and 19 a version and an
        address.
      - The default is C(toa_option_kinds), else the profile of the vendor, else C(200/8), C(254/8) and C(253/20).
    type: list
    elements: str
  option_packets:
    description:
      - The packets on which the load balancer writes its option, and on no others is it read - V(syn), V(ack) that completes the handshake, and
        V(data) for the first packet with data of a client that has acknowledged nothing yet. What else a client forges is then not seen.
      - The default is C(toa_option_packets), else that of the vendor's profile, else what is read already, else V(ack).
    type: list
    elements: str
    choices: [syn, ack, data]
  option_place:
    description:
      - Where in the header the load balancer puts its option - in V(front) of those that the client sent, or at the V(end). So of two options the
        right one is read. Where that is V(unknown), a packet with two of them shows the peer, and is counted as C(ambiguous).
      - The default is C(toa_option_place), else that of the vendor's profile, else what holds already, else V(unknown).
    type: str
    choices: [unknown, front, end]
  ports:
    description: TCP ports on which the option is read, at most 1024. The default is C(toa_ports), else all of them.
    type: list
    elements: int
  trusted_sources:
    description:
      - Networks of the load balancers, at most 4096. An option counts only in a packet that comes from one of them. With the word V(all), or an
        empty list, anybody who can reach a port can forge an address.
      - The default is C(toa_trusted_sources), else the list that is in force. Where there is none, attaching is refused with C(spoofable).
    type: raw
  getsockopt:
    description: Offer C(getsockopt(IPPROTO_IP, 1348)), as vtoa does. Every C(getsockopt()) of the host then passes a program.
    type: bool
    default: true
  getsockopt_nat64:
    description:
      - Answer C(getsockopt(IPPROTO_IP, 4096)) with the IPv6 client of an IPv4 connection, as the modules of DPVS and Tencent do for patched nginx.
        Needs O(getsockopt).
    type: bool
    default: false
  cgroup:
    description: The cgroup (version 2) whose processes are to see clients, instead of the whole host.
    type: path
  accept_conflicts:
    description: Attach although programs of others, such as Cilium's, sit on the getpeername hooks.
    type: bool
    default: false
  install_bpftool:
    description: Install C(bpftool) from the host's own repositories where it is missing.
    type: bool
    default: false
seealso:
  - module: realip.toa.toa_probe
  - module: realip.toa.toa_plan
"""

EXAMPLES = r"""
- name: Clients behind Tencent's Anti-DDoS, as named by its nodes and nobody else
  realip.toa.toa_ebpf:
    vendor: tencent
    trusted_sources: [203.0.113.0/24]

- name: As the host was before
  realip.toa.toa_ebpf:
    state: detached
"""

RETURN = r"""
before:
  description: How it was. C(before.object) names the programs' version, C(before.at_boot) the file that attaches them at boot.
  returned: success
  type: dict
  sample:
    attached: false
    cgroup: ""
    object: ""
    option_kinds: []
    packets: []
    place: unknown
    ports: []
    trusted_sources: []
    getsockopt: false
    getsockopt_nat64: false
    at_boot: ""
after:
  description: How it is, or would be in check mode.
  returned: success
  type: dict
counters:
  description: >-
    Connections since the programs were first attached, summed over the CPUs. What became of each is one of C(translated), C(no_option),
    C(untrusted), C(malformed), C(impossible), C(ambiguous), C(misplaced) and C(other_port); docs/ebpf.md says what they mean.
  returned: success
  type: dict
  sample: {translated: 1200, translated_on_ack: 1200, no_option: 14, untrusted: 0, malformed: 0, misplaced: 2}
notes:
  description: What the operator should know, in words.
  returned: success
  type: list
  elements: str
code:
  description: >-
    Why it failed. C(kernel_too_old), C(arch_not_supported), C(lockdown), C(no_btf), C(no_cgroup2), C(no_bpffs), C(ebpf_impossible),
    C(bpftool_missing), C(bpftool_too_old), C(conflict_ebpf_getpeername), C(load_failed), C(attach_refused), C(maps_refused),
    C(not_attached), C(no_persistence), C(unknown_format), C(spoofable) or C(bad_option).
  returned: failure
  type: str
remedy:
  description: What to do about it.
  returned: failure
  type: str
"""
