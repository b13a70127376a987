# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The adversary against kernels' own modules, which trust whoever sends an option: only the option filter keeps strangers out."""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.testbench.connection import SYSCTLS

sys.path.insert(0, str(Path(__file__).parents[1] / "adversary"))

import handshakes

SEED = int(os.environ.get("REALIP_SEED") or random.SystemRandom().randrange(1 << 32))
MANY = 1500
FOLDER = "/var/lib/realip-toa/option-filter"
KINDS = [28, 200, 201, 202, 249, 250, 252, 253, 254]
# A module that comes with the kernel, and a vendor's kernel.
MACHINES = {"alinux3": "vtoa", "ubuntu1604": "kernel_package"}


@pytest.mark.parametrize("host", MACHINES)
def test_no_stranger_is_believed(lab, host: str) -> None:
    code, report, output = lab.playbook("rollout.yml", host, toa_trusted_sources=handshakes.NETWORKS)
    assert code == 0, output
    (entry,) = report["hosts"]
    assert (entry["state"], entry["backend"], entry["trusts_all_sources"]) == ("proved", MACHINES[host], False), entry
    kind = int(entry["option_kinds"][0].partition("/")[0])
    client = handshakes.plain(4, handshakes.TRUSTED[4][0], ack=handshakes.forged(kind, "203.0.113.7", 4242).hex())
    release = [int(number) for number in entry["kernel"].split("-")[0].split(".")[:2]]
    # A kernel whose namespaces share a sysctl cannot play what needs it without a change to the host.
    shared = {variant for variant, (_sysctl, _value, since) in SYSCTLS.items() if release < since}
    shots = [shot for shot in handshakes.some(MANY, SEED) if shot["variant"] not in shared]
    assert len(shots) > MANY / 2
    print(f"adversary: {len(shots)} handshakes against {MACHINES[host]}; REALIP_SEED={SEED}")
    answer = lab.target(host, "adversary", shots=[client, *shots], kinds=KINDS, filter=FOLDER)
    assert "seen" in answer, answer
    believed, *seen = answer["seen"]
    assert believed["told"][0] == "203.0.113.7:4242", believed
    told = [(handshakes.wrong(shot, one), shot, one) for shot, one in zip(shots, seen, strict=True)]
    assert not [json.dumps(found) for found in told if found[0]]


def test_children_that_the_filter_cannot_see_are_found(debians) -> None:
    """A real macvlan child in a namespace of its own, which takes its packets from the driver of the host's interface."""
    assert debians.target("debian12", "programs.facts")["firewall"]["filter_partial"] == []
    child = "ip netns add apart && ip link add under type dummy && ip link add link under name child type macvlan && ip link set child netns apart"
    debians.ssh("debian12", f"{child} && (setsid ip netns exec apart sleep 600 >/dev/null 2>&1 &)")
    try:
        found = debians.target("debian12", "programs.facts")["firewall"]["filter_partial"]
        assert [text for text in found if text.startswith("the macvlan interface child in the namespace of")], found
    finally:
        debians.ssh("debian12", "ip netns pids apart | xargs -r kill; ip netns del apart; ip link del under")
