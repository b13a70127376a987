# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose options a host takes today: needed where the operator leaves the choice out, for then the list of before stays."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type


def list_in_force(facts):
    """Networks that this host trusts alone: by what is loaded, else by our records; [] where there is no list.

    `facts` as programs/facts.py makes them, cleaned or not; `state` alone will do.
    """
    state = _mapping(facts.get("state"))
    for holder in (
        facts.get("ebpf"),
        _mapping(facts.get("firewall")).get("option_filter"),
        state.get("ebpf"),
        state.get("option_filter"),
    ):
        networks = _mapping(holder).get("trusted_sources")
        if networks and isinstance(networks, list):
            return networks
    return []


def _mapping(value):
    return value if isinstance(value, dict) else {}
