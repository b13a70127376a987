# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option filter of a TOA module on a real machine with nftables of its own: whom the probe believes, that it lasts, and that SSH does not mind."""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

from cases import STRANGERS
from conftest import judged
from mid_run import rollout
from test_faults import come_back, in_short

from lab import debian_packages, machines


def test_strangers_are_not_believed(lab: t.Any, tmp_path: Path) -> None:
    started = time.monotonic()
    try:
        filtered(lab, tmp_path)
    except BaseException as problem:
        judged(STRANGERS.name, "FAIL", in_short(problem), started)
        raise
    judged(STRANGERS.name, "ok", STRANGERS.ends, started)


def filtered(lab: t.Any, folder: Path) -> None:
    lab.begin(STRANGERS.on, STRANGERS.start)
    debian_packages.offer(lab.victim, ["nftables"])
    lab.ssh(lab.victim, "DEBIAN_FRONTEND=noninteractive apt-get -qq -y install nftables >/dev/null")
    code, entries, output = rollout(lab, STRANGERS, dict(STRANGERS.variables), folder)
    assert code == 0 and entries[lab.victim]["state"] == "proved", output
    believed(lab)
    # As it is set up at boot, and not by us.
    machines.reboot(lab.victim)
    come_back(lab, STRANGERS)
    believed(lab)
    assert lab.target(lab.victim, "option_filter", state="absent")["changed"]
    assert "realip" not in lab.ssh(lab.victim, "nft list ruleset")
    assert proof(lab)["verdict"] == "partial", "without it strangers are believed"


def believed(lab: t.Any) -> None:
    """The rules are there; who is trusted names the client, a stranger does not; and this is asked over SSH by somebody who is not trusted."""
    option_filter = lab.target(lab.victim, "option_filter", state="status")["after"]
    assert option_filter["active"] and option_filter["method"] == "nft" and option_filter["at_boot"], option_filter
    probe = proof(lab)
    assert probe["verdict"] == "translating", probe
    seen = {row["case"]: row["getpeername"] for row in probe["matrix"]}
    assert seen["200/8 ack inet"] == "203.0.113.7:4242" and seen["200/8 ack inet spoof"].startswith("198.51.100.9:"), (
        seen
    )


def proof(lab: t.Any) -> dict[str, t.Any]:
    answer = lab.target(
        lab.victim,
        "probe",
        option_kinds=["200/8"],
        groups=["spoof"],
        untrusted_peers=["198.51.100.9"],
        option_filter=True,
    )
    found: dict[str, t.Any] = answer["probe"]
    return found
