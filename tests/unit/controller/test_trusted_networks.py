# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trusted sources, and the object that the controller sends."""

from __future__ import annotations

import base64
import hashlib
import zlib
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bpf import maps as ebpf_maps
from ansible_collections.realip.toa.plugins.plugin_utils import ebpf_object, trusted_networks
from ansible_collections.realip.toa.plugins.plugin_utils.facts import clean

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "given, expected",
    [
        ([], []),
        (["10.0.0.0/8"], ["10.0.0.0/8"]),
        (["10.1.2.3/8", "10.0.0.0/8", " 192.0.2.7 "], ["10.0.0.0/8", "192.0.2.7/32"]),
        (["2001:DB8:0::/32", "::1"], ["2001:db8::/32", "::1/128"]),
    ],
)
def test_networks_have_one_way_to_be_written(given: list[str], expected: list[str]) -> None:
    assert trusted_networks.normalise(given) == expected
    # The host writes them as the controller does, or a plan would never converge.
    assert [ebpf_maps.read_network(ebpf_maps.network_key(text)) for text in expected] == expected


@pytest.mark.parametrize("given", ["10.0.0.0/8", ["10.0.0.0/33"], ["lb.example"], [""], [None], 7, {"a": 1}.values()])
def test_what_is_no_list_of_networks_is_named(given: object) -> None:
    with pytest.raises(ValueError, match="trusted source"):
        trusted_networks.normalise(given)


def test_the_object_is_sent_whole() -> None:
    committed = (ROOT / "plugins/plugin_utils/ebpf/toa.bpf.o").read_bytes()
    assert zlib.decompress(base64.b64decode(ebpf_object.PACKED)) == committed
    assert hashlib.sha256(committed).hexdigest().startswith(ebpf_object.DIGEST)


def test_facts_take_as_many_networks_as_the_backend() -> None:
    assert clean.NETWORKS_LIMIT == ebpf_maps.MOST_NETWORKS
