# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_option_filter; the logic is in plugins/action/toa_option_filter.py and plugins/module_utils/programs/option_filter.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_option_filter
short_description: Believe the load balancers only, with firewall rules that strip address options from strangers
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - A TOA module believes whoever sends the option, so that anybody who can reach a port can name any client address. The option filter strips
    these options from packets that do not come from the load balancers' networks, before they reach TCP. The eBPF backend does so by
    itself and needs no option filter.
  - Options become NOPs; nothing else of a packet changes, and no connection is refused. What is dropped is only what no real sender makes -
    the first fragment of a TCP packet that is too short for its own header, behind which an option could hide.
  - The rules are first tried on the host in a network namespace, with crafted packets. Where they do not strip, strip too much, or where an
    ordinary SSH connection would not pass unchanged, the host is not touched.
  - They are in a table (C(nft)) or chain (C(iptables)) of their own, loaded by a shell script - before the network at every boot by systemd,
    else from C(rc.local) - and loaded again whenever C(nftables), C(firewalld), C(iptables) or C(netfilter-persistent) start or reload
    through systemd.
  - Whatever fails, the host stays as it was. O(state=absent) leaves nothing.
extends_documentation_fragment: [realip.toa.attributes, realip.toa.vendor]
options:
  state:
    description: V(status) only looks. V(absent) takes everything away.
    type: str
    choices: [present, absent, status]
    default: present
  trusted_sources:
    description:
      - Networks of the load balancers, IPv4 and IPv6. If only IPv4 networks are listed, the option is stripped from all IPv6 packets, and the other way round.
      - The default is C(toa_trusted_sources), else the list that is in force. It must not be empty.
    type: raw
  option_kinds:
    description:
      - Formats to strip, as in C(["200/8"]), beside all that any receiver is known to read. Stripping goes by the kind alone.
      - The default is C(toa_option_kinds), else the profile of the vendor.
    type: list
    elements: str
  ports:
    description: TCP ports to filter. The default is C(toa_ports), else all of them.
    type: list
    elements: int
  method:
    description:
      - V(nft) takes C(reset tcp option), which is in Linux 5.18 and later. V(iptables) takes the target C(TCPOPTSTRIP) of C(iptables) and
        C(ip6tables), old ones and those on top of nftables.
      - V(auto) takes the first that passes the trial on the host. The default is V(auto).
    type: str
    choices: [auto, nft, iptables]
attributes:
  check_mode:
    description: The trial in the namespace is made in check mode as well.
seealso:
  - module: realip.toa.toa_ebpf
  - module: realip.toa.toa_probe
"""

EXAMPLES = r"""
- name: Only the load balancers may name clients, on the ports of the web server
  realip.toa.toa_option_filter:
    trusted_sources: [203.0.113.0/24, 2001:db8:77::/48]
    ports: [80, 443]

- name: As the host was before
  realip.toa.toa_option_filter:
    state: absent
"""

RETURN = r"""
before:
  description: >-
    How it was. C(before.active) says whether the rules are loaded just as they were left, C(before.at_boot) names the file that loads them
    at boot.
  returned: success
  type: dict
  sample: {active: false, method: "", kinds: [], trusted_sources: [], ports: [], at_boot: ""}
after:
  description: How it is, or would be in check mode.
  returned: success
  type: dict
  sample: {active: true, method: nft, kinds: [28, 200, 253, 254], trusted_sources: [203.0.113.0/24], ports: [80, 443],
           at_boot: /etc/systemd/system/realip-toa-option-filter.service}
checks:
  description: What the trial has shown, in words; empty where nothing was to be changed.
  returned: success
  type: list
  elements: str
notes:
  description: What the operator should know, in words.
  returned: success
  type: list
  elements: str
code:
  description: >-
    Why it failed. C(option_filter_unusable), C(option_filter_unreliable), C(option_filter_not_loaded),
    C(option_filter_not_removed), C(no_persistence) or C(bad_option).
  returned: failure
  type: str
remedy:
  description: What to do about it.
  returned: failure
  type: str
"""
