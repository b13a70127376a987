# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An adversary against every way in which this machine can refuse strangers: the eBPF programs, and the option filter of each firewall.

The handshakes are hypothesis's; the seed of a run is printed, and REALIP_SEED takes it again. A find is told as a line for seeds.json, which holds
what was found before and is tried first, always. `make adversary-lab` plays the same against a kernel's own module on a lab machine.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
import typing as t
from pathlib import Path

import handshakes
import pytest
from ansible_collections.realip.toa.plugins.module_utils.testbench.forgeries import areas
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle
from ebpf_stage import EbpfStage
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from test_option_filter import FLAVOURS, OptionFilterStage

HERE = Path(__file__).parent
SEEDS: list[dict[str, t.Any]] = json.loads((HERE / "seeds.json").read_text())
SEED = int(os.environ.get("REALIP_SEED") or random.SystemRandom().randrange(1 << 32))
# Handshakes for each defence, at least, and of clients as many again: 25,000 in all.
EACH = 5000
AT_ONCE = 30
# Seconds that the other side lives at most, on a machine that is busy with other things.
LONGEST = 3600
TARGET = HERE.parent / "integration" / "target"
KINDS = [28, 200, 201, 202, 249, 250, 252, 253, 254]
FOLDER = "/var/lib/realip-toa/option-filter"
DEFENCES = ("ebpf", *FLAVOURS)


class Gun:
    """The other side, as a process on the stage that is asked line by line."""

    def __init__(self, stage: EbpfStage, name: str = "adversary", **args: t.Any) -> None:
        self.stage = stage
        pipes = [str(stage.base / f"{name}-{way}") for way in ("shots", "seen")]
        for pipe in pipes:
            os.mkfifo(pipe)
        program = stage.base / f"{name}.py"
        call = {"check": False, "shots": None, "kinds": KINDS, "pipes": pipes, **args}
        program.write_bytes(bundle.build("adversary", (str(TARGET),)).render(call, "stage", LONGEST))
        self.log = (stage.base / f"{name}.log").open("w+")
        self.process = subprocess.Popen(stage.command("python3", program), stdout=self.log, stderr=self.log)
        self.there = open(pipes[0], "w")  # noqa: SIM115 - each waits for the other end
        self.back = open(pipes[1])  # noqa: SIM115
        self.shots = self.lost = 0

    def fire(self, shots: t.Sequence[handshakes.Shot]) -> list[handshakes.Seen]:
        self.there.write(json.dumps(shots) + "\n")
        self.there.flush()
        line = self.back.readline()
        self.log.seek(0)
        assert line, self.log.read()
        seen = json.loads(line)
        self.shots += len(shots)
        self.lost += sum(bool(one["lost"]) for one in seen)
        return seen

    def forgeries(self, shots: t.Sequence[handshakes.Shot]) -> list[str]:
        """Of these handshakes, those that have fooled somebody, as lines for seeds.json."""
        told = [(handshakes.wrong(shot, seen), shot, seen) for shot, seen in zip(shots, self.fire(shots), strict=True)]
        return [f"{what}: {json.dumps(shot)} {json.dumps(seen)}" for what, shot, seen in told if what]

    def close(self) -> None:
        self.there.close()
        self.process.wait(30)
        self.back.close()
        self.log.close()


@pytest.fixture(scope="module", params=DEFENCES)
def gun(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Gun]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "ebpf":
        with EbpfStage(folder) as stage:
            answer = stage.ebpf(kinds=["200/8", "254/8", "253/20"], trusted_sources=handshakes.NETWORKS)
            assert not answer.get("failed"), answer
            gun = Gun(stage)
            yield gun
            gun.close()
        return
    with OptionFilterStage(folder) as stage:
        assert stage.sh(FLAVOURS[request.param]) == ""
        answer = stage.option_filter(kinds=KINDS, trusted_sources=handshakes.NETWORKS)
        assert not answer.get("failed"), answer
        stage.receiver()
        gun = Gun(stage, filter=FOLDER)
        yield gun
        gun.close()


def test_the_oracle_can_tell(gun: Gun) -> None:
    """The load balancer's word is believed, a stranger's connection goes on, and a defence that is not there would be found."""
    option = handshakes.forged(200, "203.0.113.7", 4242).hex()
    for family in (4, 6):
        trusted, stranger = handshakes.TRUSTED[family][0], handshakes.STRANGERS[family][0]
        shots = [
            handshakes.plain(family, trusted, ack=option),
            handshakes.plain(family, stranger, ack=option),
            handshakes.plain(family, stranger),
        ]
        client, forged, ordinary = gun.fire(shots)
        assert "203.0.113.7:4242" in client["told"][1].replace("[::ffff:203.0.113.7]", "203.0.113.7")
        assert handshakes.wrong(shots[0], client), "an address that nobody has written in the oracle's eyes"
        assert not handshakes.wrong(shots[1], forged) and not handshakes.wrong(shots[2], ordinary)
        assert not forged["lost"] and not ordinary["lost"]


@pytest.mark.parametrize("gun", ["nft"], indirect=True)
def test_a_careless_filter_is_found(gun: Gun) -> None:
    """One rule of nft takes the first option of its kind and leaves the second."""
    careless = FOLDER + "-careless"
    stage = gun.stage
    text = stage.sh(f"cat {FOLDER}/rules.nft")
    start = text.index("chain again {") + len("chain again {")
    stage.sh(f"cp -r {FOLDER} {careless}")
    stage.put(f"{careless}/rules.nft", text[:start] + "\n" + text[text.index("}", start) :])
    other = Gun(stage, "careless", filter=careless)
    option = handshakes.forged(200, "203.0.113.7", 4242).hex()
    shot = handshakes.plain(4, handshakes.STRANGERS[4][0], ack=option * 2)
    assert "the application saw" in "".join(other.forgeries([shot]))
    assert other.forgeries([{**shot, "options": {"syn": option * 2}, "odd": True}]), (
        "what is on the SYN no application sees here, and a filter lets it through"
    )
    other.close()


def test_what_was_once_found(gun: Gun) -> None:
    """Every seed, and every area that is known to pass a careless filter, on every packet and kind of listener."""
    shots = [dict(shot) for shot in SEEDS if not shot["genuine"]]
    for family in (4, 6):
        for _name, options in areas(handshakes.forged(200, "203.0.113.7", 4242)):
            for variant in dict.fromkeys(handshakes.VARIANTS):
                for packet in ("syn", "ack", "data"):
                    shot = handshakes.plain(family, handshakes.STRANGERS[family][0], **{packet: options.hex()})
                    shots.append({**shot, "variant": variant, "odd": True})
    assert gun.forgeries(shots) == []


def attacked(gun: Gun, one: st.SearchStrategy[handshakes.Shot], what: str) -> None:
    """At least EACH handshakes; none may show anybody but the peer, or whom the balancer named."""
    began, before = time.monotonic(), gun.shots

    @seed(SEED)
    @settings(
        max_examples=2 * EACH // AT_ONCE, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
        phases=[Phase.reuse, Phase.generate], database=DirectoryBasedExampleDatabase(HERE / ".found"), print_blob=False,
    )  # fmt: skip
    @given(st.lists(one, min_size=AT_ONCE // 2, max_size=AT_ONCE * 2))
    def attack(shots: list[handshakes.Shot]) -> None:
        if gun.shots - before < EACH:
            found = gun.forgeries(shots)
            assert not found, "\n".join(found)

    try:
        attack()
    finally:
        told = f"{gun.shots - before} handshakes of {what} in {time.monotonic() - began:.0f} s"
        print(f"adversary: {told} ({gun.lost} lost); REALIP_SEED={SEED}")
    assert gun.shots - before >= EACH


def test_no_stranger_is_believed(gun: Gun, request: pytest.FixtureRequest) -> None:
    attacked(gun, handshakes.strangers(), f"strangers against {request.node.callspec.params['gun']}")


@pytest.mark.parametrize("gun", ["ebpf"], indirect=True)
def test_no_client_is_taken_for_another(gun: Gun) -> None:
    """Through the balancer, which passes on what the client writes: a filter cannot help there, the programs can."""
    found = gun.forgeries([shot for shot in SEEDS if shot["genuine"]])
    assert not found, "\n".join(found)
    attacked(gun, handshakes.clients(), "clients through the balancer against ebpf")
