# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_detect against a load balancer of the tests' own (balancer.py): vendors, strangers, interfaces, GRO, a busy host, the playbook."""

from __future__ import annotations

import json
import subprocess
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle
from ansible_collections.realip.toa.plugins.plugin_utils.detection import advice
from ansible_collections.realip.toa.plugins.plugin_utils.detection.findings import Findings, add_up
from ansible_collections.realip.toa.plugins.plugin_utils.detection.seen import redacted, seen_of
from balancer import Street, sh
from sshd import ROOT, Controller, Sshd, pythons
from test_first_host import blamed

PYTHONS = pythons()
ORDERED = sorted(PYTHONS, key=lambda version: [int(part) for part in version.split(".")])

TENCENT = 'Sender(["100.64.3.%d" % n for n in range(1, 9)], lambda c: v4(200, c))'
ALIBABA = 'Sender(["10.20.5.%d" % n for n in (4, 77, 200)], lambda c: v4(254, c), ["ack"])'
ALIBABA6 = 'Sender(["2001:db8:5::%x" % n for n in range(1, 9)], lambda c: v6(253, "2001:db8:ffff::7"), ["ack"])'
HUAWEI = 'Sender(["100.125.9.%d" % n for n in range(1, 9)], lambda c: v4(254, c))'
CDN = 'Sender(["192.0.2.%d" % n for n in range(1, 30)], lambda c: cdn(c), ["syn"])'
DPVS = 'Sender(["2001:db8:9::%x" % n for n in range(1, 9)], lambda c: v6(254, "2001:db8:ffff::9"))'
NOBODY = 'Sender(["198.51.100.%d" % n for n in range(1, 250)], lambda c: b"", [])'


@pytest.fixture
def made(request: pytest.FixtureRequest) -> Iterator[Street]:
    with Street(f"toa-d{abs(hash(request.node.nodeid)) % 100000}") as street:
        yield street


class Listening:
    """The module in the server's namespace, from the moment it hears until its answer."""

    def __init__(self, street: Street, python: str = ORDERED[-1], seconds: int = 20, enough: int = 40) -> None:
        program = bundle.build("programs.detect").render(
            {"seconds": seconds, "enough": enough, "check": False}, "n", 100
        )
        self.street = street
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", street.server, PYTHONS[python], "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert self.process.stdin is not None
        self.process.stdin.write(program)
        self.process.stdin.close()
        self._wait()

    def _wait(self) -> None:
        """Until its packet socket is there."""
        until = time.monotonic() + 30
        while len(sh("ip", "netns", "exec", self.street.server, "cat", "/proc/net/packet").splitlines()) < 2:
            assert time.monotonic() < until and self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)

    def answer(self) -> dict[str, t.Any]:
        assert self.process.stdout is not None
        text = self.process.stdout.read().decode()
        self.process.wait(60)
        answer = json.loads(text.partition("@realip-toa n ")[2].partition(" ")[2].rpartition(" @end")[0])
        assert not answer.get("failed"), answer
        return seen_of(answer["detect"])


def hear(street: Street, play: str, **more: t.Any) -> tuple[dict[str, t.Any], Findings]:
    listening = Listening(street, **more)
    player = street.play(play)
    answer = listening.answer()
    output = player.communicate()[0]
    assert player.returncode == 0, output
    return answer, add_up({"web": answer})


def inventory(found: Findings) -> dict[str, t.Any]:
    return yaml.safe_load("\n".join(advice.lines(found))) or {}


def connections(*senders: str, number: int = 60, port: int = 80) -> str:
    """So many connections of each sender, one after the other in turn."""
    return (
        f"for n in range({number}):\n    for s in [{', '.join(senders)}]:\n        assert wire.connect(s, n, {port})\n"
    )


def traffic(seconds: int, pause: float = 0) -> str:
    """Connections of the sender `a` for so long."""
    begin = f"until = time.monotonic() + {seconds}\nn = 0\nwhile time.monotonic() < until:\n"
    return begin + f"    n += 1\n    wire.connect(a, n, 80)\n    time.sleep({pause})\n"


def preface(data: str) -> str:
    """Nine connections that begin with these bytes."""
    return f"s = Sender(['10.1.1.1'], lambda c: b'', [], payload=b'{data}')\n" + connections("s", number=9)


@pytest.mark.parametrize(
    ("senders", "vendor", "sources"),
    [
        ([TENCENT], "tencent", ["100.64.3.0/28"]),
        ([ALIBABA, ALIBABA6], "alibaba", ["10.20.5.0/24", "2001:db8:5::/124"]),
        ([ALIBABA], "alibaba", ["10.20.5.0/24"]),
        ([HUAWEI], "huawei", ["100.125.9.0/28"]),
        ([CDN], "alibaba_cdn", ["192.0.2.0/27"]),
        ([DPVS], "dpvs", ["2001:db8:9::/124"]),
    ],
)
def test_a_vendor(made: Street, senders: list[str], vendor: str, sources: list[str]) -> None:
    """Vendor, sources and port are named right, beside strangers who send nothing and forge what they like, within ten seconds."""
    play = (
        "forger = Sender(['198.51.100.250'], lambda c: v4(200, '192.0.2.99'), ['syn', 'ack', 'data'])\n"
        "assert wire.connect(forger, 1, 80) and wire.connect(forger, 2, 80)\n"
        "for n in range(50):\n    wire.lone_syn(forger, n, 443)\n    wire.lone_syn(forger, n, 443, ACK)\n"
    ) + connections(*senders, NOBODY, number=120)
    answer, found = hear(made, play)
    assert answer["ended"] == "enough" and answer["seconds"] < 10
    lines = inventory(found)
    assert (lines["toa_vendor"], lines["toa_trusted_sources"], lines["toa_ports"]) == (vendor, sources, [80])
    notes = " ".join(advice.notes(found))
    assert "198.51.100.250 (2)" in notes and "never established" in notes


@pytest.mark.parametrize("python", sorted({ORDERED[0], ORDERED[len(ORDERED) // 2], ORDERED[-1]}))
def test_on_every_python(made: Street, python: str) -> None:
    """What is heard does not depend on the Python that listens."""
    answer, found = hear(made, connections(TENCENT, number=40), python=python)
    assert inventory(found)["toa_trusted_sources"] == ["100.64.3.0/28"]
    assert answer["with_option"] == answer["established"] == 40
    packets = {row["packet"] for row in answer["rows"]}
    assert packets == {"ack", "data"}
    assert "203.0.113.7:4321" in found.sent[0].samples
    assert not any("203.0.113.7" in sample for row in redacted(answer)["rows"] for sample in row["samples"])


def test_contradictions(made: Street) -> None:
    """What arrives is held against what the inventory says."""
    _answer, found = hear(made, connections(ALIBABA))
    said = " ".join(advice.notes(found, advice.Settings("tencent", (), ("100.64.0.0/10",), (443,))))
    assert "254/8 arrives, and toa_vendor tencent says 200/8." in said
    assert "10.20.5.0/24" in said and "toa_trusted_sources does not hold" in said
    assert "port 80" in said and "toa_ports does not hold" in said
    assert advice.notes(found, advice.Settings("alibaba", (), ("10.0.0.0/8",), (80,))) == []


@pytest.mark.parametrize(
    ("play", "said"),
    [
        ("time.sleep(0.1)", "No connection was begun"),
        (connections(NOBODY, number=30), "no option that could be TOA"),
        (preface("PROXY TCP4 203.0.113.7 10.0.0.1 1 2\\r\\n"), "Proxy Protocol v1"),
        (preface("\\r\\n\\r\\n\\x00\\r\\nQUIT\\n!!"), "Proxy Protocol v2"),
    ],
)  # fmt: skip
def test_what_is_not_there(made: Street, play: str, said: str) -> None:
    answer, found = hear(made, play, seconds=3)
    assert answer["ended"] == "time" and inventory(found) == {}
    assert said in " ".join(advice.notes(found))


def test_one_packet_suggests_nothing(made: Street) -> None:
    """Whoever floods with single packets, forged or not, is named, and no line of the inventory follows from him."""
    flood = "s = Sender(['100.64.3.%d' % n for n in range(1, 200)], lambda c: v4(200, c), ['syn'])\n"
    flood += "for n in range(5000):\n    wire.lone_syn(s, n, 80)\n    wire.lone_syn(s, n, 80, ACK)\n"
    _answer, found = hear(made, flood + connections(NOBODY, number=30), seconds=6)
    assert inventory(found) == {}
    assert "never established" in " ".join(advice.notes(found))


def gro(street: Street) -> None:
    """Generic receive offload on a veth, which needs NAPI there."""
    sh("ip", "netns", "exec", street.server, "ethtool", "-K", "eth0", "gro", "on")


def vlan(street: Street) -> None:
    for namespace, device in ((street.client, "lb0"), (street.server, "eth0")):
        sh("ip", "-n", namespace, "link", "add", "link", device, "name", f"{device}.7", "type", "vlan", "id", "7")
        sh("ip", "-n", namespace, "link", "set", f"{device}.7", "up")
    street.wire = "lb0.7"
    move(street, "eth0.7")


def bond(street: Street) -> None:
    sh("ip", "-n", street.server, "link", "add", "bond0", "type", "bond", "mode", "active-backup")
    sh("ip", "-n", street.server, "link", "set", "eth0", "down")
    sh("ip", "-n", street.server, "link", "set", "eth0", "master", "bond0")
    sh("ip", "-n", street.server, "link", "set", "bond0", "up")
    move(street, "bond0")


def move(street: Street, device: str) -> None:
    """The server's addresses to another interface."""
    sh("ip", "-n", street.server, "addr", "flush", "dev", "eth0")
    sh("ip", "-n", street.server, "-6", "addr", "flush", "dev", "eth0")
    street.address_on(device)


@pytest.mark.parametrize("under", [gro, vlan, bond])
def test_interfaces(made: Street, under: t.Callable[[Street], None]) -> None:
    """What GRO merges is not what carries the option; a VLAN and a bond show each packet twice, and it counts once."""
    try:
        under(made)
    except AssertionError as problem:
        if "Unknown device type" in str(problem) or "Operation not supported" in str(problem):
            pytest.skip(f"this kernel has none: {problem}")
        raise
    answer, found = hear(made, connections(TENCENT, number=48))
    assert inventory(found)["toa_trusted_sources"] == ["100.64.3.0/28"]
    assert answer["with_option"] == answer["established"] == 48
    assert {row["packet"]: row["established"] for row in answer["rows"] if row["source"] == "100.64.3.1"} == {
        "ack": 6,
        "data": 6,
    }


def test_addresses_of_others(made: Street) -> None:
    """A macvlan child in another namespace has its own address: its connections are told apart, and suggest nothing."""
    child = f"{made.server}-pod"
    sh("ip", "netns", "add", child)
    try:
        sh("ip", "-n", made.server, "link", "add", "link", "eth0", "name", "mv0", "type", "macvlan", "mode", "bridge")
        sh("ip", "-n", made.server, "link", "set", "mv0", "netns", child)
        pod = Street(made.server)
        pod.client, pod.server = made.client, child
        sh("ip", "-n", made.server, "addr", "flush", "dev", "eth0")
        pod.address_on_child("mv0")
        pod.start()
        try:
            listening = Listening(made, seconds=5, enough=0)
            player = pod.play(connections(TENCENT, number=24))
            answer = listening.answer()
            assert (player.communicate()[0], player.returncode) == ("", 0)
        finally:
            pod.stop()
        found = add_up({"web": answer})
        assert inventory(found) == {} and answer["for_others"] == 24
        assert "not a host's own" in " ".join(advice.notes(found))
    finally:
        sh("ip", "netns", "del", child)


def test_a_busy_host_is_sampled(made: Street) -> None:
    """Far more connections than can be looked at: the listener keeps to a hundredth of a processor, says that it sampled, and is still right."""
    answer, found = hear(made, f"a = {TENCENT}\n" + traffic(11), seconds=10, enough=0)
    assert answer["share"] > 1 or answer["plain_share"] > 1
    # The budget, what the start may take, and what one look at a full buffer takes.
    assert answer["cpu_ms"] <= 1000 * (0.01 * 10 + 0.15) + 100, answer["cpu_ms"]
    assert inventory(found)["toa_vendor"] == "tencent" and inventory(found)["toa_trusted_sources"] == ["100.64.3.0/28"]


def test_the_playbook(made: Street, core: str, tmp_path: Path) -> None:
    """What a user runs, on two hosts of which one cannot be reached."""
    login = tmp_path / "login"
    login.write_text(f'exec ip netns exec {made.server} sh -c "$SSH_ORIGINAL_COMMAND"\n')
    with Sshd(tmp_path / "sshd", {"127.77.0.1": [f"ForceCommand . {login}"]}, []) as sshd:
        hosts = {**sshd.host("web1", "127.77.0.1"), **sshd.host("gone", "127.77.0.9")}
        hosts["web1"]["toa_vendor"] = "huawei"
        path = tmp_path / "inventory.json"
        path.write_text(json.dumps({"all": {"hosts": hosts}}))
        player = made.play(f"a = {TENCENT}\n" + traffic(25, pause=0.02))
        try:
            run = Controller(core, tmp_path).command(
                ["ansible-playbook", "-i", str(path), "-e", "toa_detect_seconds=8", str(ROOT / "playbooks/detect.yml")]
            )
        finally:
            player.kill()
            player.communicate()
    assert run.rc == 2 and blamed(run) == {"gone"}, run.output
    for text in (
        "toa_vendor: tencent",
        "100.64.3.0/28",
        "toa_ports: [80]",
        "200/8 arrives, and toa_vendor huawei says 254/8",
        "gone: did not listen",
    ):
        assert text in run.output.replace('\\"', '"'), run.output
