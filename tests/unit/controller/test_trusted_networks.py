# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trusted sources, and the object that the controller sends."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import zlib
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bpf import maps as ebpf_maps
from ansible_collections.realip.toa.plugins.module_utils.bpf import settings as ebpf_settings
from ansible_collections.realip.toa.plugins.plugin_utils import ebpf_object, trusted_networks
from ansible_collections.realip.toa.plugins.plugin_utils.facts import clean
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "texts, expected",
    [
        ([], []),
        (["10.0.0.0/8"], ["10.0.0.0/8"]),
        (["10.0.0.0/255.0.0.0", "10.0.0.0/8", " 192.0.2.7 "], ["10.0.0.0/8", "192.0.2.7/32"]),
        (["2001:DB8:0::/32", "::1"], ["2001:db8::/32", "::1/128"]),
    ],
)
def test_networks_have_one_way_to_be_written(texts: list[str], expected: list[str]) -> None:
    assert trusted_networks.normalise(texts) == expected
    # The host writes them as the controller does, or a plan would never converge.
    assert [ebpf_maps.read_network(ebpf_settings.network_key(text)) for text in expected] == expected


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


@pytest.mark.parametrize(
    "given, expected",
    [(None, None), ("all", []), ([], []), (["10.0.0.0/8"] * 2, ["10.0.0.0/8"]), (("::1",), ["::1/128"])],
)
def test_a_choice(given: object, expected: list[str] | None) -> None:
    assert trusted_networks.choice(given) == expected


@pytest.mark.parametrize(
    "given, said",
    [
        (["::ffff:10.0.0.0/104"], "write 10.0.0.0/8"),
        (["::ffff:10.0.0.1"], "write 10.0.0.1/32"),
        (["::ffff:0:0/96"], "write IPv4 networks as such"),
        (["10.0.0.1/8"], "write 10.0.0.0/8 for the network, or 10.0.0.1 for the address alone"),
        (["2001:db8::1/32"], "write 2001:db8::/32 for the network"),
        (["0.0.0.0/0"], "toa_trusted_sources: all"),
        (["::/0"], "toa_trusted_sources: all"),
        (["0.0.0.0/1", "128.0.0.0/1"], "every IPv4 address"),
        (["10.0.0.0/8", "::/1", "8000::/2", "c000::/2"], "every IPv6 address"),
        (["all"], "the word stands alone"),
        (["All "], "the word stands alone"),
        (["fe80::1%eth0"], "is not a network"),
        ([True], "is not a network"),
        ([167772160], "is not a network"),
        ("", "or the word all; got ''"),
        ("ALL", "or the word all; got 'ALL'"),
        ("none", "or the word all; got 'none'"),
        (False, "or the word all; got False"),
        (b"all", "or the word all"),
        ({"10.0.0.0/8": 1}, "or the word all"),
    ],
)
def test_what_is_no_choice_is_said_in_one_sentence(given: object, said: str) -> None:
    with pytest.raises(ValueError) as problem:
        trusted_networks.choice(given)
    assert said in str(problem.value) and "\n" not in str(problem.value) and len(str(problem.value)) < 300


@given(
    st.lists(
        st.one_of(
            st.ip_addresses(network="0.0.0.0/0"), st.ip_addresses(network="::/0"), st.text(max_size=12), st.none()
        ),
        max_size=6,
    ),
    st.integers(0, 128),
)
def test_every_list_is_a_list_of_real_networks_or_one_sentence(items: list[object], prefix: int) -> None:
    """Whatever the words: no traceback, and what is taken never covers a whole family and never an IPv4-mapped address."""
    texts = [
        f"{item}/{prefix}" if isinstance(item, ipaddress.IPv4Address | ipaddress.IPv6Address) else item
        for item in items
    ]
    try:
        found = trusted_networks.choice(texts)
    except ValueError as problem:
        assert str(problem)
        return
    assert found is not None
    networks = [ipaddress.ip_network(text) for text in found]
    for probe in ("0.0.0.0/0", "::/0"):
        whole = ipaddress.ip_network(probe)
        merged = list(ipaddress.collapse_addresses(network for network in networks if network.version == whole.version))
        assert whole not in merged
    mapped = ipaddress.ip_network("::ffff:0:0/96")
    assert not any(network.version == 6 and network.subnet_of(mapped) for network in networks)
    assert [ebpf_maps.read_network(ebpf_settings.network_key(text)) for text in found] == found
