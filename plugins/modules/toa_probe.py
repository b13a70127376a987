# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_probe; the logic is in plugins/action/toa_probe.py and plugins/module_utils/programs/probe.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_probe
short_description: Prove that a host shows programs the real client address
version_added: "1.0.0"
author: The realip.toa authors (@realip)
description:
  - Completes crafted connections with the host's own kernel, with a TCP option on them that names a made-up client, and looks at what
    C(accept), C(getpeername) and C(getsockopt) with IPPROTO_IP and 1348 say. A module that is loaded proves nothing; this does.
  - The connections live on a TUN device inside a network namespace that the probe makes and that goes with it. Nothing leaves the host,
    and its interfaces, routes, sysctls and firewall are neither changed nor asked. For that reason a firewall rule of the host that strips
    the option is not seen either.
  - Needs root (or a kernel that lets users make namespaces) and C(/dev/net/tun); where something is missing, the verdict is V(unprovable).
extends_documentation_fragment: [realip.toa.attributes.read_only, realip.toa.vendor]
options:
  option_kinds:
    description:
      - The option formats that must work, written C(KIND/LENGTH).
      - Without it, the variable C(toa_option_kinds), then the profile of O(vendor). Where these say nothing either, the probe finds out which formats
        the host reads, and those must work.
    type: list
    elements: str
  vendor:
    description: The profile whose formats must work where O(option_kinds) names none. Without it, the variable C(toa_vendor).
  also_kinds:
    description: Formats to try where a wanted one does not work, so that the verdict can name what the host reads instead. Without it, every format known.
    type: list
    elements: str
  cases:
    description: V(full) tries O(also_kinds) even where all is well.
    type: str
    choices: [default, full]
    default: default
  groups:
    description:
      - Further cases. V(ipv6) crosses address families, V(mptcp) listens with Multipath TCP as Go does, V(defer_accept) as nginx C(deferred) and
        Apache do, V(syn_cookies) keeps nothing of the SYN, V(fastopen) takes data with it, V(spoof) sends the option from O(untrusted_peers).
    type: list
    elements: str
    choices: [ipv6, mptcp, defer_accept, syn_cookies, fastopen, spoof]
    default: []
  listeners:
    description:
      - The families of sockets that programs on the host listen with, and that the proof asks for. V([inet]) is for modules that know AF_INET alone.
    type: list
    elements: str
    choices: [inet, inet6]
  claims:
    description: Words for what says that it translates on this host, besides loaded modules. They tell V(inert) from V(absent).
    type: list
    elements: str
    default: []
  peers:
    description:
      - Addresses the crafted connections come from, at most one IPv4 and one IPv6 address.
      - Without it, an address inside O(trusted_sources) where that is a list, else 192.0.2.2 and 2001:db8:0:1::2.
    type: list
    elements: str
  untrusted_peers:
    description: Addresses that must not be believed, for the group V(spoof). Without it, one of each family that is in no network of
      O(trusted_sources); the group is left out where there is none.
    type: list
    elements: str
  trusted_sources:
    description:
      - Networks that are trusted, or the word V(all); they decide where the crafted connections come from unless O(peers) does.
      - The default is C(toa_trusted_sources), else the list that is in force on the host.
    type: raw
  option_filter:
    description:
      - Load the rules that M(realip.toa.toa_option_filter) has left on the host into the probe's own network namespace, from the very files that are
        loaded at boot, so that the group V(spoof) shows whether this kernel with these rules believes a stranger. On a host without an option filter
        it does nothing.
      - Whether the same rules are loaded outside that namespace is not a question for a packet; C(ansible_facts.toa.firewall.option_filter.active)
        says it.
    type: bool
    default: false
  rows:
    description: Which rows of the matrix to return.
    type: str
    choices: [all, failed, none]
    default: all
  timeout:
    description: Seconds for all connections together, from 1 to 300.
    type: int
    default: 10
  require:
    description: Fail unless the verdict is V(translating).
    type: bool
    default: false
  capabilities:
    description:
      - What a plan of M(realip.toa.toa_plan) promises. With O(require=true), C(getpeername) and C(getsockopt_1348) must be seen where they are
        true here; code C(capability_missing) otherwise.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Is this host translating what Tencent Cloud sends?
  realip.toa.toa_probe:
    vendor: tencent
    require: true

- name: IPv6 clients and the listeners of nginx too
  realip.toa.toa_probe:
    option_kinds: ["254/8", "253/20"]
    groups: [ipv6, defer_accept]
  register: proof
"""

RETURN = r"""
probe:
  description: The proof.
  returned: always
  type: dict
  contains:
    verdict:
      description: C(translating), C(inert) (something claims to translate and nothing does), C(wrong_kind), C(partial), C(absent) or C(unprovable).
      type: str
      sample: translating
    reason:
      description: The verdict in one sentence.
      type: str
      sample: 200/8 gives the client's address in accept() and getpeername()
    matrix:
      description:
        - One row for each crafted connection. C(expected) is C(client), C(peer) or C(either); C(ok) is null where it could not be tried, and C(note) says why.
        - Formats nobody asked for are in it only where the host reads them.
      type: list
      elements: dict
      sample:
        - {case: 200/8 ack inet, kind: 200/8, packet: ack, listener: inet, family: 4, expected: client, accept: "203.0.113.7:4242",
           getpeername: "203.0.113.7:4242", getsockopt_1348: null, ok: true}
    summary:
      description: Numbers of cases run and good, names of those that failed, and what could not be tested and why.
      type: dict
      sample: {cases: 9, ok: 9, failed: [], untestable: []}
    option_kinds:
      description: The formats that this host was seen to read.
      type: list
      elements: str
      sample: ["200/8"]
    wanted_kinds:
      description: The formats that were asked for.
      type: list
      elements: str
    capabilities:
      description: C(getpeername), C(getsockopt_1348) and C(ipv6) (an IPv6 client came through), each as seen.
      type: dict
    claims:
      description: What on this host says that it translates.
      type: list
      elements: str
    counters_before:
      description: Counters of the TOA modules before, summed over CPUs.
      type: dict
    counters_after:
      description: The same after.
      type: dict
    elapsed_ms:
      description: Milliseconds on the host.
      type: int
      sample: 30
"""
