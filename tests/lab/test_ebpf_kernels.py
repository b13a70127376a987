# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One object, unchanged, on the stock kernels of Debian 11 (5.10), 12 (6.1) and 13 (6.12): attached, every cell of the matrix, spoofing, detached."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils import ebpf_object
from stock_kernels import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from ebpf_matrix import CELLS, option_of, shows_client, wrong_cells

KINDS = ["200/8", "254/8", "253/8", "253/20", "254/20", "28/7", "28/19"]
ATTACH = {"state": "attached", "object": ebpf_object.PACKED, "option_kinds": KINDS}
NETWORKS = ["10.0.0.0/8", "2001:db8:0:1::/64"]
PEERS = [("10.9.8.7", 4), ("198.51.100.66", 4), ("2001:db8:0:1::2", 6), ("2001:db8:0:2::66", 6)]
NO_MPTCP = "this kernel has no Multipath TCP"


@pytest.mark.parametrize("suite, release", [("bullseye", "5.10."), ("bookworm", "6.1."), ("trixie", "6.12.")])
def test_a_stock_kernel(suite: str, release: str, tmp_path: Path) -> None:
    spoofing = [[option_of("200/8"), packet, "inet6", family, "", peer] for peer, family in PEERS for packet in ("syn", "ack", "data")]
    kernel, answers, left = run(suite, tmp_path, [
        ("ebpf", ATTACH),
        ("crafted", {"cases": [[*cell.case(), ""] for cell in CELLS], "between": []}),
        ("ebpf", {**ATTACH, "trusted_sources": NETWORKS}),
        ("crafted", {"cases": spoofing, "between": []}),
        ("inspect_host", {}),
        ("ebpf", {**ATTACH, "trusted_sources": NETWORKS}),
        ("ebpf", {"state": "detached"}),
        ("ebpf", {"state": "detached"}),
    ])  # fmt: skip
    attached, matrix, changed, spoofed, facts, again, detached, nothing = answers
    assert kernel.startswith(release)
    assert attached["after"]["attached"] and attached["after"]["object"] == ebpf_object.DIGEST, attached
    cells, rows = CELLS, matrix["rows"]
    if suite == "bullseye":  # Debian built MPTCP into its kernels from 12 on
        pairs = [pair for pair in zip(cells, rows, strict=True) if not str(pair[1][4]).startswith(NO_MPTCP)]
        assert {cell.variant for cell in cells} - {cell.variant for cell, _row in pairs} == {"mptcp"}
        cells, rows = zip(*pairs, strict=True)
    print(f"\n{kernel}: {len(cells)} cells")
    assert wrong_cells(cells, rows) == []
    assert changed["changed"] and [shows_client(row) for row in spoofed["rows"]] == [True] * 3 + [False] * 3 + [True] * 3 + [False] * 3
    assert facts["ebpf"]["complete"] and facts["ebpf"]["trusted_sources"] == NETWORKS and facts["counters"]["ebpf_untrusted"] == 6
    assert not again["changed"]
    assert detached["changed"] and not nothing["changed"] and left == ""
