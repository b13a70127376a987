# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof against this machine's kernel, with a receiver of the test's own (fixtures/toa200.bpf.c) on a cgroup of the test's own.

Every Python runs the very program that the channel would send. Needs root, /dev/net/tun, cgroup v2, clang and bpftool.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.programs import probe
from ansible_collections.realip.toa.plugins.module_utils.testbench import cases as probe_cases
from ansible_collections.realip.toa.plugins.module_utils.testbench import connection as handshake
from ansible_collections.realip.toa.plugins.module_utils.testbench import questions
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import in_child
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import parse_format
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle
from sshd import ROOT, VENVS, pythons

FIXTURES = Path(__file__).parent / "fixtures"
NONCE = "test"
PYTHONS = pythons()
PROGRAMS = {
    "sock_ops": "toa_read",
    "getpeername4": "toa_getpeername4",
    "getpeername6": "toa_getpeername6",
    "getsockopt": "toa_getsockopt",
}
EVERYTHING = ["sock_ops", "getpeername4", "getpeername6"]
GROUPS = ["ipv6", "mptcp", "defer_accept", "syn_cookies", "fastopen"]


def sh(*command: t.Any) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


class Cgroup:
    """A cgroup to run probes in, with some of the receiver's programs attached."""

    def __init__(self, folder: Path, pins: Path) -> None:
        self.folder = folder
        self.pins = pins

    def attach(self, *hooks: str) -> Cgroup:
        for hook in hooks:
            sh("bpftool", "cgroup", "attach", self.folder, hook, "pinned", self.pins / PROGRAMS[hook], "multi")
        return self

    def enter(self) -> None:
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))


@pytest.fixture(scope="module")
def pins(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Path]:
    """A bpffs of our own with the receiver's programs loaded."""
    folder = tmp_path_factory.mktemp("receiver")
    built = folder / "toa200.o"
    sh(
        "clang",
        "-O2",
        "-g",
        "-target",
        "bpf",
        f"-I/usr/include/{os.uname().machine}-linux-gnu",
        "-c",
        FIXTURES / "toa200.bpf.c",
        "-o",
        built,
    )
    mount = folder / "bpffs"
    mount.mkdir()
    sh("mount", "-t", "bpf", "bpf", mount)
    try:
        sh("bpftool", "prog", "loadall", built, mount / "toa")
        yield mount / "toa"
    finally:
        sh("umount", mount)


@pytest.fixture
def cgroup(pins: Path) -> t.Iterator[Cgroup]:
    mount = next(
        line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if line.split()[2] == "cgroup2"
    )
    folder = Path(tempfile.mkdtemp(prefix="realip-probe-", dir=mount))
    try:
        yield Cgroup(folder, pins)
    finally:
        folder.rmdir()  # programs go with their cgroup


def program(**args: t.Any) -> bytes:
    return bundle.build("programs.probe").render({"check": False, **args}, NONCE, 60)


def start(python: str, text: bytes, cgroup: Cgroup | None = None, wrap: str = "exec {}") -> subprocess.Popen[bytes]:
    """A host's Python with a program on its standard input; `wrap` is the shell that starts it."""
    process = subprocess.Popen(
        ["sh", "-c", wrap.format(f"{shlex.quote(python)} -")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=cgroup.enter if cgroup else None,
    )
    assert process.stdin
    process.stdin.write(text)
    process.stdin.close()
    process.stdin = None
    return process


def answer(process: subprocess.Popen[bytes]) -> dict[str, t.Any]:
    out, err = process.communicate(timeout=60)
    frame = re.search(rf"\n@realip-toa {NONCE} \d+ (.*) @end {NONCE}\n", out.decode())
    assert frame, (out, err)
    assert err == b""
    return json.loads(frame[1])


def ask(
    python: str = sys.executable, cgroup: Cgroup | None = None, wrap: str = "exec {}", before: str = "", **args: t.Any
) -> dict[str, t.Any]:
    result = answer(start(python, before.encode() + program(**args), cgroup, wrap))
    assert not result.get("failed"), result
    assert result["changed"] is False
    return result["probe"]


def row(found: dict[str, t.Any], case: str) -> dict[str, t.Any]:
    return next(row for row in found["matrix"] if row["case"] == case)


every_python = pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)


@every_python
def test_nothing_here_translates(python: str) -> None:
    found = ask(python, option_kinds=["200/8"])
    assert found["verdict"] == "absent", found
    assert row(found, "no option inet")["accept"].startswith("192.0.2.2:")
    assert row(found, "no option inet6")["accept"].startswith("[::ffff:192.0.2.2]:")
    assert found["option_kinds"] == [] and found["capabilities"]["getpeername"] is False


@every_python
def test_a_receiver_is_proven(python: str, cgroup: Cgroup) -> None:
    found = ask(python, cgroup.attach(*EVERYTHING), option_kinds=["200/8"])
    assert found["verdict"] == "translating", found
    for case, client in (("200/8 ack inet", "203.0.113.7:4242"), ("200/8 ack inet6", "[::ffff:203.0.113.7]:4242")):
        assert row(found, case)["accept"] == row(found, case)["getpeername"] == client
        assert row(found, case)["ok"] is True
    # This receiver reads the packet that completes the handshake and no other.
    assert row(found, "200/8 syn inet")["accept"].startswith("192.0.2.2:")
    assert row(found, "200/8 data inet")["accept"].startswith("192.0.2.2:")
    assert found["summary"] == {"cases": 9, "ok": 9, "failed": [], "untestable": []}


@every_python
def test_a_wrong_kind_is_named(python: str, cgroup: Cgroup) -> None:
    found = ask(python, cgroup.attach(*EVERYTHING), option_kinds=["254/8"])
    assert found["verdict"] == "wrong_kind", found
    assert found["option_kinds"] == ["200/8"] and "200/8" in found["reason"] and "254/8" in found["reason"]


@every_python
def test_on_request(python: str, cgroup: Cgroup) -> None:
    found = ask(python, cgroup.attach(*EVERYTHING), option_kinds=["200/8"], groups=GROUPS)
    assert found["verdict"] == "translating", found
    assert found["summary"]["untestable"] == []
    for case in (
        "ack inet mptcp",
        "data inet defer_accept",
        "ack inet syn_cookies",
        "ack inet6 mptcp",
        "data inet6 defer_accept",
        "ack inet6 syn_cookies",
    ):
        assert "203.0.113.7" in row(found, f"200/8 {case}")["accept"]
    assert row(found, "no option inet6 from ipv6 ipv6")["accept"].startswith("[2001:db8:0:1::2]:")


@every_python
def test_the_default_case_is_quick(python: str, cgroup: Cgroup) -> None:
    """The goal is 150 ms on an idle machine; the median of five keeps a neighbour's burst out."""
    cgroup.attach(*EVERYTHING)
    assert statistics.median(ask(python, cgroup, option_kinds=["200/8"])["elapsed_ms"] for _ in range(5)) <= 150


def test_without_a_wish_the_formats_are_found_out(cgroup: Cgroup) -> None:
    found = ask(cgroup=cgroup.attach(*EVERYTHING))
    assert found["verdict"] == "translating" and found["option_kinds"] == found["wanted_kinds"] == ["200/8"]


@pytest.mark.parametrize("family, missing", [("4", "200/8 ack inet6"), ("6", "200/8 ack inet")])
def test_half_a_receiver_is_partial(family: str, missing: str, cgroup: Cgroup) -> None:
    found = ask(cgroup=cgroup.attach("sock_ops", f"getpeername{family}"), option_kinds=["200/8"])
    assert found["verdict"] == "partial", found
    assert found["summary"]["failed"] == [missing] and missing in found["reason"]


def test_a_receiver_that_was_attached_and_reads_nothing_is_inert(cgroup: Cgroup) -> None:
    found = ask(
        cgroup=cgroup.attach("getpeername4", "getpeername6"),
        option_kinds=["200/8"],
        claims=["eBPF programs are attached"],
    )
    assert found["verdict"] == "inert" and "eBPF programs are attached" in found["reason"]


def test_getsockopt_is_seen_beside_getpeername(cgroup: Cgroup) -> None:
    found = ask(cgroup=cgroup.attach(*PROGRAMS), option_kinds=["200/8"])
    assert found["verdict"] == "translating" and found["capabilities"] == {
        "getpeername": True,
        "getsockopt_1348": True,
        "ipv6": False,
    }
    assert (
        row(found, "200/8 ack inet")["getsockopt_1348"]
        == row(found, "200/8 ack inet6")["getsockopt_1348"]
        == "203.0.113.7:4242"
    )
    assert row(found, "200/8 syn inet")["getsockopt_1348"] is None


def test_getsockopt_alone_is_partial(cgroup: Cgroup) -> None:
    found = ask(cgroup=cgroup.attach("sock_ops", "getsockopt"), option_kinds=["200/8"])
    assert found["verdict"] == "partial" and "only getsockopt(1348)" in found["reason"]
    assert found["capabilities"] == {"getpeername": False, "getsockopt_1348": True, "ipv6": False}


def test_spoofed_options_are_told(cgroup: Cgroup) -> None:
    found = ask(
        cgroup=cgroup.attach(*EVERYTHING),
        option_kinds=["200/8"],
        groups=["spoof"],
        peers=["10.1.2.3"],
        untrusted_peers=["198.51.100.9"],
    )
    assert found["verdict"] == "partial" and "198.51.100.9" in found["reason"]
    assert row(found, "no option inet")["accept"].startswith("10.1.2.3:")


def test_several_probes_at_once(cgroup: Cgroup) -> None:
    cgroup.attach(*EVERYTHING)
    processes = [start(python, program(option_kinds=["200/8"]), cgroup) for python in list(PYTHONS.values())[:4]]
    assert [answer(process)["probe"]["verdict"] for process in processes] == ["translating"] * len(processes)


def host_network() -> dict[str, str]:
    """What of the host's own network a probe could have touched."""
    state = {
        name: Path("/proc/net", name).read_text()
        for name in ("route", "if_inet6", "fib_trie")
        if Path("/proc/net", name).exists()
    }
    state["interfaces"] = " ".join(sorted(name for _index, name in socket.if_nameindex()))
    for knob in Path("/proc/sys/net").rglob("*"):
        if knob.is_file() and "count" not in knob.name:  # nf_conntrack_count and its like are no settings
            with contextlib.suppress(OSError):
                state[str(knob)] = knob.read_text()
    return state


def test_nothing_is_left_and_the_host_is_untouched() -> None:
    """In this very process: same namespace, same descriptors, no child; and the same interfaces, routes and sysctls."""
    before = host_network(), os.readlink("/proc/self/ns/net"), sorted(os.listdir("/proc/self/fd"))
    found = probe.main({"option_kinds": ["200/8", "253/20"], "groups": [*GROUPS, "spoof"], "check": False})["probe"]
    assert found["verdict"] == "absent"
    assert (host_network(), os.readlink("/proc/self/ns/net"), sorted(os.listdir("/proc/self/fd"))) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


PLAY = """
- hosts: localhost
  gather_facts: false
  vars:
    toa_vendor: "{{ 'ten' ~ 'cent' }}"
    toa_trusted_sources: ["10.1.0.0/16"]
  tasks:
    - realip.toa.toa_probe: {require: true}
      register: proven
    - realip.toa.toa_probe: {vendor: huawei, require: true, rows: none}
      ignore_errors: true
      register: refused
    - realip.toa.toa_probe: {option_kinds: ["3/8"]}
      ignore_errors: true
      register: bad
    - copy: {content: "{{ {'proven': proven, 'refused': refused, 'bad': bad} | to_json }}", dest: "{{ answer }}"}
      check_mode: false
      vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
"""


@pytest.mark.parametrize("options", [[], ["--check", "--diff"]], ids=["for real", "check"])
def test_the_module(core: str, options: list[str], cgroup: Cgroup, tmp_path: Path) -> None:
    cgroup.attach(*EVERYTHING)
    (tmp_path / "play.yml").write_text(PLAY)
    done = subprocess.run(
        [
            VENVS / core / "bin/ansible-playbook",
            "-c",
            "local",
            "-i",
            "localhost,",
            "-e",
            f"answer={tmp_path}/answer",
            *options,
            tmp_path / "play.yml",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=cgroup.enter,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads((tmp_path / "answer").read_text())
    assert seen["proven"]["changed"] is False
    assert seen["proven"]["probe"]["verdict"] == "translating" and seen["proven"]["probe"]["wanted_kinds"] == ["200/8"]
    assert row(seen["proven"]["probe"], "no option inet")["accept"].startswith("10.1.0.1:")
    assert (
        seen["refused"]["failed"]
        and seen["refused"]["code"] == "not_translating"
        and "wrong_kind" in seen["refused"]["msg"]
    )
    assert seen["refused"]["probe"]["matrix"] == []
    assert seen["bad"]["code"] == "bad_option" and "3/8" in seen["bad"]["msg"]


NO_TUN = "exec unshare -m sh -c 'mount -t tmpfs none /dev/net && exec {}'"
OPEN_TUN = (
    "exec unshare -m sh -c 'mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 "
    "&& exec setpriv --reuid 65534 --regid 65534 --clear-groups {}'"
)
NO_RIGHTS = (
    "exec unshare -U --map-root-user sh -c "
    "'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin {}'"
)
NO_MORE_NAMESPACES = "exec unshare -U --map-root-user sh -c 'echo 0 >/proc/sys/user/max_net_namespaces && exec {}'"


@every_python
@pytest.mark.parametrize(
    "wrap, words",
    [(NO_TUN, "/dev/net/tun"), (NO_RIGHTS, "no permission"), (NO_MORE_NAMESPACES, "cannot make a network namespace")],
)
def test_what_makes_a_proof_impossible_is_named(python: str, wrap: str, words: str) -> None:
    found = ask(python, wrap=wrap, option_kinds=["200/8"])
    assert found["verdict"] == "unprovable" and words in found["reason"], found
    assert found["matrix"] == []


@pytest.mark.parametrize("version", [version for version in PYTHONS if tuple(map(int, version.split("."))) < (3, 12)])
def test_a_python_without_ctypes(version: str) -> None:
    found = ask(PYTHONS[version], before="import sys; sys.modules['ctypes'] = None\n", option_kinds=["200/8"])
    assert found["verdict"] == "unprovable" and "ctypes" in found["reason"]


def test_no_root_is_needed_where_users_may_make_namespaces(cgroup: Cgroup) -> None:
    """setpriv runs the system's Python: those below root's home are out of an ordinary user's reach."""
    found = ask("/usr/bin/python3", cgroup.attach(*EVERYTHING), wrap=OPEN_TUN, option_kinds=["200/8"])
    assert found["verdict"] == "translating", found


NO_IPV6 = """
import socket
class Socket(socket.socket):
    def __init__(self, family=socket.AF_INET, *rest, **more):
        if family == socket.AF_INET6:
            raise socket.error(97, "Address family not supported by protocol")
        socket.socket_.__init__(self, family, *rest, **more)
socket.socket_, socket.socket = socket.socket, Socket
"""


@every_python
def test_a_kernel_without_ipv6(python: str, cgroup: Cgroup) -> None:
    """As with ipv6.disable=1: no AF_INET6 socket can be made."""
    found = ask(python, cgroup.attach(*EVERYTHING), before=NO_IPV6, option_kinds=["200/8"])
    assert found["verdict"] == "translating" and "no IPv6" in found["reason"], found
    assert row(found, "200/8 ack inet")["accept"] == "203.0.113.7:4242"
    assert row(found, "200/8 ack inet6")["ok"] is None and "no IPv6" in row(found, "200/8 ack inet6")["note"]


@pytest.mark.parametrize(
    "variant, counter",
    [
        ("syn_cookies", "SyncookiesRecv"),
        ("fastopen", "TCPFastOpenPassive"),
        ("defer_accept", "TCPDeferAcceptDrop"),
        ("mptcp", "MPTCP"),
    ],
)
def test_each_variant_is_what_it_says(variant: str, counter: str) -> None:
    """The namespace's own counters are the witness: one connection of that kind (one listener for MPTCP) for each case, none for plain ones."""
    plan = questions.Questions([parse_format("200/8")], groups=[variant])

    def work(asked: list[probe_cases.Case]) -> list[t.Any]:
        bench = handshake.Bench()  # kept: its listeners close with it
        return [[case.seen for case in bench.run(asked, time.time() + 10)], kernel_counters()[counter]]

    cases = plan.group_cases()
    assert in_child(lambda: work(cases), 20) == [["peer"] * 2, 2]
    assert in_child(lambda: work(plan.wanted_cases()), 20) == [["peer"] * 6, 0]


def kernel_counters() -> dict[str, int]:
    """/proc/net/netstat (pairs of lines, names and numbers), and how many MPTCP sockets there are."""
    lines = [line.split()[1:] for line in Path("/proc/net/netstat").read_text().splitlines()]
    counters = {}
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        counters.update(zip(names, map(int, values), strict=True))
    counters["MPTCP"] = sum(
        int(line.split()[2])
        for line in Path("/proc/net/protocols").read_text().splitlines()
        if line.startswith("MPTCP")
    )
    return counters
