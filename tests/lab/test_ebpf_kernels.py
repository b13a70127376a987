# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One object, unchanged, on the stock kernels of Debian 11 (5.10), 12 (6.1) and 13 (6.12): attached, every cell of the matrix, spoofing, detached."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils import ebpf_object

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from ebpf_matrix import CELLS, VARIANTS, option_of, shows_client, wrong_cells

KINDS = ["200/8", "254/8", "253/8", "253/20", "254/20", "28/7", "28/19"]
ATTACH = {
    "state": "attached",
    "packets": ["syn", "ack", "data"],
    "object": ebpf_object.PACKED,
    "option_kinds": KINDS,
    "install_bpftool": True,
}
NETWORKS = ["10.0.0.0/8", "2001:db8:0:1::/64"]
PEERS = [("10.9.8.7", 4), ("198.51.100.66", 4), ("2001:db8:0:1::2", 6), ("2001:db8:0:2::66", 6)]
NO_MPTCP = "this kernel has no Multipath TCP"


@pytest.mark.parametrize("host, release", [("debian11", "5.10."), ("debian12", "6.1."), ("debian13", "6.12.")])
def test_a_stock_kernel(debians, host: str, release: str) -> None:
    debians.reset(host)
    kernel = debians.one_line(host, "uname -r")
    assert kernel.startswith(release)

    attached = debians.target(host, "programs.ebpf", **ATTACH, trusted_sources=[])
    assert attached["after"]["attached"] and attached["after"]["object"] == ebpf_object.DIGEST, attached
    rows = []
    for variant in (
        VARIANTS
    ):  # an emulated machine takes half a minute for all of them, and a busy one longer than target code has
        rows += debians.target(
            host, "crafted", cases=[[*cell.case(), ""] for cell in CELLS if cell.variant == variant], between=[]
        )["rows"]
    pairs = list(zip(CELLS, rows, strict=True))
    if host == "debian11":  # Debian built MPTCP into its kernels from 12 on
        pairs = [pair for pair in pairs if not str(pair[1][4]).startswith(NO_MPTCP)]
        assert {cell.variant for cell in CELLS} - {cell.variant for cell, _row in pairs} == {"mptcp"}
    cells, rows = zip(*pairs, strict=True)
    print(f"\n{kernel}: {len(cells)} cells")
    assert wrong_cells(cells, rows) == []

    assert debians.target(host, "programs.ebpf", **ATTACH, trusted_sources=NETWORKS)["changed"]
    spoofing = [
        [option_of("200/8"), packet, "inet6", family, "", peer]
        for peer, family in PEERS
        for packet in ("syn", "ack", "data")
    ]
    spoofed = debians.target(host, "crafted", cases=spoofing, between=[])["rows"]
    assert [shows_client(row) for row in spoofed] == [True] * 3 + [False] * 3 + [True] * 3 + [False] * 3
    facts = debians.target(host, "programs.facts")
    assert (
        facts["ebpf"]["complete"]
        and facts["ebpf"]["trusted_sources"] == NETWORKS
        and facts["counters"]["ebpf_untrusted"] == 6
    )
    assert not debians.target(host, "programs.ebpf", **ATTACH, trusted_sources=NETWORKS)["changed"]

    assert debians.target(host, "programs.ebpf", state="detached")["changed"]
    assert not debians.target(host, "programs.ebpf", state="detached")["changed"]
    assert debians.one_line(host, "find /sys/fs/bpf /var/lib /etc/systemd -name '*realip*'") == ""
    # No test after this one needs the machine, and its memory is wanted elsewhere.
    debians.command("down", host)
