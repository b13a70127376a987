# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_probe on the controller: what it takes from the inventory, and what it shares with the target code."""

from __future__ import annotations

import pytest
from ansible_collections.realip.toa.plugins.action import toa_probe
from ansible_collections.realip.toa.plugins.module_utils.testbench import cases as probe_cases
from ansible_collections.realip.toa.plugins.module_utils.testbench import questions
from ansible_collections.realip.toa.plugins.plugin_utils import probe_addresses


def test_both_ends_know_the_same_groups_and_addresses() -> None:
    assert toa_probe.GROUPS == questions.GROUPS
    assert set(probe_addresses.DEFAULTS) == set(probe_cases.PEERS.values())
    assert probe_addresses.strangers([]) == list(probe_cases.STRANGERS.values())


@pytest.mark.parametrize(
    "networks, expected",
    [
        ([], []),
        (["10.0.0.0/8"], ["10.0.0.1"]),
        (["10.1.2.3"], ["10.1.2.3"]),
        (["10.1.2.0/24"], ["10.1.2.1"]),
        (["10.0.0.0/31"], ["10.0.0.0"]),
        (["127.0.0.0/8", "100.64.0.0/10"], ["100.64.0.1"]),
        (["127.0.0.0/8"], []),
        (["10.0.0.0/8", "192.0.2.0/24"], []),
        (["2001:db8:ffff::/48", "10.0.0.0/8"], ["10.0.0.1", "2001:db8:ffff::1"]),
    ],
)
def test_peers_that_are_believed(networks: list[str], expected: list[str]) -> None:
    assert probe_addresses.trusted_peers(networks) == expected


@pytest.mark.parametrize(
    "networks, expected",
    [
        ([], [4, 6]),
        (["10.0.0.0/8"], [4]),
        (["2001:db8::/32"], [6]),
        (["2001:db8::/32", "10.0.0.0/8", "10.1.0.0/16"], [4, 6]),
    ],
)
def test_families_in_which_somebody_is_believed(networks: list[str], expected: list[int]) -> None:
    assert probe_addresses.trusted_families(networks) == expected


@pytest.mark.parametrize(
    "networks, expected",
    [
        (["198.51.100.0/24"], ["192.0.2.66", "2001:db8:0:2::66"]),
        (["2001:db8::/32"], ["198.51.100.66", "fd00::66"]),
        (["64.0.0.0/2", "128.0.0.0/1"], ["2001:db8:0:2::66"]),
        (["64.0.0.0/2", "128.0.0.0/1", "2001:db8::/32", "fc00::/7", "4000::/2"], []),
    ],
)
def test_strangers_are_in_no_network(networks: list[str], expected: list[str]) -> None:
    assert probe_addresses.strangers(networks) == expected


@pytest.mark.parametrize("networks", ["10.0.0.0/8", ["10.0.0.0/40"], ["load balancer"], [""]])
def test_what_is_no_list_of_networks(networks: list[str] | str) -> None:
    with pytest.raises(ValueError):
        probe_addresses.trusted_peers(networks)
