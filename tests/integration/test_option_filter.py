# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_option_filter on a host with a network and a kernel's firewall of its own: strangers are not believed, everybody else notices nothing.

The receiver is the eBPF program that believes everybody (fixtures/toa200.bpf.c): what a TOA module is to the option filter.
"""

from __future__ import annotations

import os
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.option_filter import rules as option_filter_rules
from ansible_collections.realip.toa.plugins.module_utils.option_filter import trial as option_filter_check
from ansible_collections.realip.toa.plugins.module_utils.testbench.forgeries import areas
from ebpf_matrix import option_of, shown, shows_client
from ebpf_stage import EbpfStage
from sshd import pythons

FIXTURES = Path(__file__).parent / "fixtures"
SCRIPT = "/var/lib/realip-toa/option-filter/filter.sh"
UNIT = "/etc/systemd/system/realip-toa-option-filter.service"
KINDS = [28, 200, 253, 254]
TRUSTED = ["192.0.2.0/24", "2001:db8:0:1::/64"]
NOTHING: dict[str, t.Any] = {
    "active": False,
    "method": "",
    "kinds": [],
    "trusted_sources": [],
    "ports": [],
    "at_boot": "",
}
PYTHONS = pythons()
# What Debian calls iptables, and what old distributions do.
FLAVOURS = {"nft": "", "iptables-nft": "rm /usr/sbin/nft", "iptables-legacy": "rm /usr/sbin/nft && cd /usr/sbin && for command in iptables ip6tables; do "
            "ln -sf xtables-legacy-multi $command; ln -sf xtables-legacy-multi $command-restore; done"}  # fmt: skip


class OptionFilterStage(EbpfStage):
    """A stage with its own network, in which systemctl does nothing but write down what it was told."""

    NAMESPACES = ("-m", "-n")

    def option_filter(self, state: str = "present", **args: t.Any) -> dict[str, t.Any]:
        return self.target(
            "programs.option_filter", **{"state": state, "kinds": KINDS, "trusted_sources": TRUSTED, **args}
        )

    def rules(self) -> str:
        """Rules of every kind, without the empty chains that iptables makes when it looks."""
        shown = self.sh(
            "nft -s list ruleset; for way in nft legacy; do iptables-$way-save -t mangle; ip6tables-$way-save -t mangle; done"
        )
        return "\n".join(line for line in shown.splitlines() if "REALIP" in line or "realip" in line or "reset" in line)

    def receiver(self) -> None:
        """Attach programs that believe everybody."""
        script = (
            f"clang -O2 -g -target bpf -I/usr/include/{os.uname().machine}-linux-gnu -c {FIXTURES}/toa200.bpf.c -o /run/toa200.o && "
            "bpftool prog loadall /run/toa200.o /sys/fs/bpf/toa && "
            f"bpftool cgroup attach {self.mount} sock_ops pinned /sys/fs/bpf/toa/toa_read multi && "
            f"bpftool cgroup attach {self.mount} getpeername4 pinned /sys/fs/bpf/toa/toa_getpeername4 multi && "
            f"bpftool cgroup attach {self.mount} getpeername6 pinned /sys/fs/bpf/toa/toa_getpeername6 multi"
        )
        assert self.sh(script) == ""

    def proof(self, **args: t.Any) -> dict[str, t.Any]:
        return self.target(
            "programs.probe",
            **{"option_kinds": ["200/8"], "groups": ["spoof"], "untrusted_peers": ["198.51.100.9"], **args},
        )["probe"]


@pytest.fixture
def stage(tmp_path: Path) -> t.Iterator[OptionFilterStage]:
    with OptionFilterStage(tmp_path) as stage:
        yield stage


@pytest.fixture
def sysvinit(stage: OptionFilterStage) -> OptionFilterStage:
    stage.sh(
        "rm -rf /run/systemd /etc/rc.local; mkdir -p /etc/init.d /etc/rc2.d; : >/etc/inittab; : >/etc/init.d/rc.local"
    )
    return stage


def host_of(stage: OptionFilterStage) -> tuple[dict[str, str], str]:
    """All that could be left on a host; the log is the stage's own, and the lock of iptables is a file."""
    noise = (
        "/run/systemctl.log",
        "/run/realip-toa/lock",
        "/run/realip-toa/traffic.json",
        "/run/realip-toa/traffic.json.lock",
        "/run/xtables.lock",
        "/run/toa200.o",
    )
    return {name: text for name, text in stage.written().items() if name not in noise}, stage.rules()


OLDEST, NEWEST = (
    sorted(PYTHONS, key=lambda version: [int(part) for part in version.split(".")])[place] for place in (0, -1)
)
EVERY_WAY = [(OLDEST, "nft"), (NEWEST, "nft"), (OLDEST, "iptables-nft"), (OLDEST, "iptables-legacy")]


@pytest.mark.parametrize("python, flavour", EVERY_WAY, ids=["-".join(way) for way in EVERY_WAY])
def test_there_and_back(stage: OptionFilterStage, python: str, flavour: str) -> None:
    """Check mode foretells, a second run changes nothing, and taking it away leaves the host as it was."""
    assert stage.sh(FLAVOURS[flavour]) == ""
    before = host_of(stage)
    wanted = {
        "active": True,
        "method": flavour[:8].rstrip("-"),
        "kinds": KINDS,
        "trusted_sources": TRUSTED,
        "ports": [],
        "at_boot": UNIT,
    }
    for check, changed in ((True, True), (False, True), (False, False), (True, False)):
        answer = stage.option_filter(python=PYTHONS[python], check=check)
        assert (answer.get("changed"), answer.get("after")) == (changed, wanted), answer
        assert answer["before"] == (NOTHING if changed else wanted)
        assert bool(answer["checks"]) is changed and answer["notes"] == []
        if check and changed:
            assert host_of(stage) == before
    assert stage.rules() and stage.option_filter("status", python=PYTHONS[python])["after"] == wanted
    facts = stage.target("programs.facts", python=PYTHONS[python])
    assert facts["firewall"]["option_filter"] == wanted and facts["unread"] == []
    for check, changed in ((True, True), (False, True), (False, False)):
        answer = stage.option_filter("absent", python=PYTHONS[python], check=check)
        assert (answer["changed"], answer["after"]) == (changed, NOTHING)
    assert host_of(stage) == before


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("ports", [[], [443]], ids=["every port", "one port"])
def test_the_probe_proves_it(stage: OptionFilterStage, flavour: str, ports: list[int]) -> None:
    """From a trusted address the client comes through, from an untrusted one it does not; without the option filter both do."""
    stage.sh(FLAVOURS[flavour])
    stage.receiver()
    assert stage.proof()["verdict"] == "partial"
    assert not stage.option_filter(ports=ports).get("failed")
    assert stage.proof()["verdict"] == "partial", "without `option_filter` the rules are not where the packets are"
    proof = stage.proof(option_filter=True)
    assert proof["verdict"] == "translating", proof["reason"]
    seen = {row["case"]: row["getpeername"] for row in proof["matrix"]}
    assert seen["200/8 ack inet"] == "203.0.113.7:4242" and seen["200/8 ack inet spoof"].startswith("198.51.100.9:")
    stage.option_filter("absent")
    assert stage.proof(option_filter=True)["verdict"] == "partial"


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_many_options_are_no_way_around_it(stage: OptionFilterStage, flavour: str) -> None:
    """One rule of nft takes the first option of a kind only: two copies, or two bytes of junk, and the second was believed."""
    stage.sh(FLAVOURS[flavour])
    assert not stage.option_filter(kinds=[200, 253, 254]).get("failed")
    stage.receiver()
    crowd = [area.hex() for _name, area in areas(bytes.fromhex(option_of("200/8")))]
    assert len(crowd) > 10
    load = "/bin/sh /var/lib/realip-toa/option-filter/filter.sh start"
    for listener, family, peer in (("inet", 4, "198.51.100.9"), ("inet6", 6, "2001:db8:0:2::66")):
        rows = stage.crafted([(area, "ack", listener, family, "", peer) for area in crowd], between=load)
        assert [row for row in rows if row[0] != shown(peer, row[3], listener) and not row[4]] == []
        assert [row[0] for row in rows].count(None) <= 2, "only what is broken may be lost"
    trusted = stage.crafted([(area, "ack") for area in crowd], between=load)
    assert [shows_client(row) for row in trusted].count(True) >= 6


def broken(method: str, monkeypatch: pytest.MonkeyPatch, *changes: tuple[str, str]) -> str:
    """What is said of rules with a mistake in them."""
    real = option_filter_rules.rules_of

    def rules_of(*args: t.Any) -> dict[str, str]:
        rules = real(*args)
        for name, text in rules.items():
            for before, after in changes:
                assert re.search(before, text), f"{before} is not in the rules"
                text = re.sub(before, after, text)
            rules[name] = text
        return rules

    monkeypatch.setattr(option_filter_check, "rules_of", rules_of)
    with pytest.raises(TargetError) as problem:
        option_filter_check.try_out(method, [28, 200], TRUSTED, [80, 443])
    return f"{problem.value.code}: {problem.value.message}"


NFT_MISTAKES = [
    ("reset tcp option 200", "accept", "option_filter_unreliable: nft: IPv4: option 200 from 10.66.66.66 is not stripped"),
    ("ip saddr @trusted4 return", "accept", "option_filter_unreliable: nft: IPv4: option 28 from 10.66.66.66 is not stripped"),
    ("ip saddr @trusted4 return\n.*", "", "option_filter_unreliable: nft: IPv4: the option of 192.0.2.2, which is to be believed, does not come through"),
    ("ip6 saddr @trusted6 return", "", "option_filter_unreliable: nft: IPv6: the option of 2001:db8:0:1::2, which is to be believed, does not come through"),
    ("ip frag-off .* drop", "", "option_filter_unreliable: nft: IPv4: option 28 from 10.66.66.66 comes through in fragments"),
    ("frag frag-off 0 .* drop", "", "option_filter_unreliable: nft: IPv6: option 28 from 2001:db8:0:2::66 comes through in fragments"),
    ("tcp dport != .* return", "", "option_filter_unreliable: nft: IPv4: port 8080, which is not filtered, is not left alone"),
    ("reset tcp option 28", "reset tcp option 28\nreset tcp option timestamp", "option_filter_unreliable: nft: IPv4: an ordinary connection from 10.66.66.66"),
    ("ip frag-off .* drop", "tcp flags syn drop", "option_filter_unreliable: nft: IPv4: a connection from 10.66.66.66 with option 28 is lost"),
    ("tcp dport != .* return", "tcp dport 22 drop\n", "option_filter_unreliable: nft: IPv4: an ordinary connection from 10.66.66.66 to port 22"),
    ("ip frag-off .* drop", "ip saddr 203.0.113.66 @th,160,32 set 0", "option_filter_unreliable: nft: IPv4: "),
    ("tcp option 28 exists goto again", "", "option_filter_unreliable: nft: IPv4: option 28 from 10.66.66.66 comes through: 28, twice"),
    ("exists goto again", "exists return", "option_filter_unreliable: nft: IPv4: option 28 from 10.66.66.66 comes through: 28, twice"),
    ("(?s)chain again .*?}", "chain again {\nreset tcp option 28\n}",
     "option_filter_unreliable: nft: IPv4: option 28 from 10.66.66.66 comes through: 28, as often as it fits"),
    ("reset tcp option 28", "reset tcp options 28", "option_filter_unusable: nft: the option filter's rules cannot be loaded"),
]  # fmt: skip


@pytest.mark.parametrize("before, after, said", NFT_MISTAKES, ids=range(len(NFT_MISTAKES)))
def test_the_trial_finds_every_mistake(before: str, after: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said in broken("nft", monkeypatch, (before, after))


@pytest.mark.parametrize(
    "before, after, said",
    [
        ("28,200$", "28", "option_filter_unreliable: iptables: IPv4: option 200 from 10.66.66.66 is not stripped"),
        (
            "TCPOPTSTRIP .*",
            "DROP",
            "option_filter_unreliable: iptables: IPv4: a connection from 10.66.66.66 with option 28 is lost",
        ),
        ("TCPOPTSTRIP", "NOSUCHTARGET", "option_filter_unusable: iptables: the option filter's rules cannot be loaded"),
    ],
)
def test_the_trial_finds_mistakes_of_iptables(
    before: str, after: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said in broken("iptables", monkeypatch, (f"(?m){before}", after))


def test_where_nothing_works_the_host_is_untouched(stage: OptionFilterStage) -> None:
    stage.sh(
        "printf '#!/bin/sh\\necho Operation not supported >&2; exit 1\\n' >/usr/sbin/nft; rm /usr/sbin/iptables-restore"
    )
    before = host_of(stage)
    answer = stage.option_filter()
    assert (
        answer["failed"] and answer["code"] == "option_filter_unusable" and "Operation not supported" in answer["msg"]
    )
    assert "iptables is not installed" in answer["msg"] and "toa_option_filter: none" in answer["remedy"]
    assert host_of(stage) == before


def test_an_nft_that_cannot_is_passed_over_for_iptables(stage: OptionFilterStage) -> None:
    """As on Linux before 5.18, where the rules are refused."""
    stage.sh("printf '#!/bin/sh\\necho Operation not supported >&2; exit 1\\n' >/usr/sbin/nft")
    assert stage.option_filter()["after"]["method"] == "iptables"
    assert stage.option_filter(method="nft")["code"] == "option_filter_unusable"
    assert stage.option_filter("status")["after"]["active"], "a refusal leaves what there was"


def test_rules_that_somebody_flushed_are_missed_and_come_back(stage: OptionFilterStage) -> None:
    stage.option_filter()
    stage.sh("nft flush ruleset")
    now = stage.option_filter("status")["after"]
    assert (now["active"], now["at_boot"]) == (False, UNIT)
    assert stage.option_filter()["changed"] and stage.option_filter("status")["after"]["active"]
    stage.sh("nft add rule inet realip_toa option_filter accept")
    assert stage.option_filter("status")["after"]["active"] is False, (
        "rules that were changed are not those that were tried"
    )


def test_changes_in_place(stage: OptionFilterStage) -> None:
    stage.option_filter(method="iptables")
    stage.option_filter(method="nft", trusted_sources=["192.0.2.0/24"], ports=[80])
    assert "REALIP-TOA" not in stage.rules() and "192.0.2.0/24" in stage.sh("nft list table inet realip_toa")
    stage.option_filter(method="iptables")
    assert "realip_toa" not in stage.rules() and "REALIP-TOA" in stage.sh("iptables -t mangle -S")


def test_a_failure_half_way_leaves_the_filter_of_before(stage: OptionFilterStage) -> None:
    stage.option_filter(method="nft")
    before, rules = stage.written(), stage.rules()
    # The tool works in every namespace but the host's own.
    here = stage.sh("readlink /proc/self/ns/net").strip()
    stage.sh("mv /usr/sbin/iptables-restore /usr/sbin/real-restore; cp -P /usr/sbin/real-restore /run/iptables-restore; "
             f"printf '#!/bin/sh\\n[ \"$(readlink /proc/self/ns/net)\" != \"{here}\" ] || exit 1\\nexec /run/iptables-restore \"$@\"\\n' "
             ">/usr/sbin/iptables-restore; chmod 755 /usr/sbin/iptables-restore; ln -sf /usr/sbin/xtables-nft-multi /run/iptables-restore")  # fmt: skip
    answer = stage.option_filter(method="iptables")
    assert answer["code"] == "option_filter_not_loaded", answer
    assert stage.rules() == rules
    changed = {name for name, text in stage.written().items() if before.get(name) != text}
    assert not [name for name in changed if name.startswith(("/etc", "/var/lib/realip-toa/option-filter"))], changed


def test_boot(stage: OptionFilterStage) -> None:
    """A boot leaves the files; what systemd runs before the unit counts as started brings the rules back."""
    stage.option_filter()
    stage.sh("nft flush ruleset")
    command = re.findall(r"^ExecStartPre=(.*)$", stage.sh(f"cat {UNIT}"), re.M)[0]
    assert stage.sh(command) == "" and stage.option_filter("status")["after"]["active"]
    assert stage.sh("cat /run/systemctl.log").splitlines() == [
        "daemon-reload",
        "reload-or-restart realip-toa-option-filter.service",
    ]
    assert (
        stage.sh("readlink /etc/systemd/system/nftables.service.wants/realip-toa-option-filter.service").strip() == UNIT
    )


# SELinux, as measured: the firewall's tools may not open a file of ours, and a file that is their input already is /dev/null to them.
# A process like that is one for which the folder is empty.
CONFINED = """#!/bin/sh
[ ! -f /dev/stdin ] || exec </dev/null
exec unshare -m sh -c 'mount -t tmpfs none /var/lib/realip-toa; exec /run/real/"$0" "$@"' {name} "$@"
"""


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_tools_that_may_not_read_our_files(stage: OptionFilterStage, flavour: str) -> None:
    stage.sh(FLAVOURS[flavour])
    stage.sh("mkdir -p /run/real")
    for name in ("nft", "iptables-restore", "ip6tables-restore"):
        if stage.sh(f"ls /usr/sbin/{name} 2>/dev/null"):
            stage.sh(
                f"ln -s $(readlink -f /usr/sbin/{name}) /run/real/{name}"
                if name != "nft"
                else "cp /usr/sbin/nft /run/real/nft"
            )
            stage.put(f"/usr/sbin/{name}", CONFINED.format(name=name), 0o755)
    answer = stage.option_filter()
    assert answer["after"]["active"], answer
    stage.sh(
        "nft flush ruleset 2>/dev/null; for way in iptables ip6tables; do $way -t mangle -F; $way -t mangle -X; done"
    )
    assert not stage.option_filter("status")["after"]["active"]
    assert stage.sh(f"/bin/sh {SCRIPT} start") == "" and stage.option_filter("status")["after"]["active"]


@pytest.mark.parametrize("flavour", ["iptables-nft", "iptables-legacy"])
def test_a_tool_that_loads_nothing_and_calls_it_a_success(stage: OptionFilterStage, flavour: str) -> None:
    """In the host's own namespace, that is: in the trial it works."""
    stage.sh(FLAVOURS[flavour])
    before = host_of(stage)
    here = stage.sh("readlink /proc/self/ns/net").strip()
    stage.sh("mkdir -p /run/real; ln -s $(readlink -f /usr/sbin/iptables-restore) /run/real/iptables-restore")
    stage.put(
        "/usr/sbin/iptables-restore",
        f'#!/bin/sh\n[ "$(readlink /proc/self/ns/net)" != "{here}" ] || exec cat >/dev/null\nexec /run/real/iptables-restore "$@"\n',
        0o755,
    )
    answer = stage.option_filter()
    assert answer["code"] == "option_filter_not_loaded" and "has not loaded" in answer["msg"], answer
    after = host_of(stage)
    assert (after[1], {k: v for k, v in after[0].items() if not k.startswith(("/usr/sbin", "/run/real"))}) == (
        before[1],
        {k: v for k, v in before[0].items() if not k.startswith("/usr/sbin")},
    )


def test_a_unit_that_the_init_cannot_start_is_no_success(stage: OptionFilterStage) -> None:
    """Our process loads the rules, and the boot would not: as on a host where SELinux confines what systemd starts."""
    stage.be_refused_by_the_init()
    before = host_of(stage)
    answer = stage.option_filter()
    assert answer["code"] == "unit_not_started" and "Permission denied" in answer["msg"], answer
    assert host_of(stage) == before


def test_boot_without_systemd(sysvinit: OptionFilterStage) -> None:
    text = "#!/bin/sh -e\n# rc.local\n\necho started >>/run/rc.log\nexit 0\n"
    sysvinit.sh(f"printf '%s' '{text}' >/etc/rc.local; chmod 755 /etc/rc.local")
    before = host_of(sysvinit)
    assert sysvinit.option_filter()["after"]["at_boot"] == "/etc/rc.local"
    assert sysvinit.option_filter()["changed"] is False
    sysvinit.sh("nft flush ruleset; /etc/rc.local")
    assert sysvinit.option_filter("status")["after"]["active"]
    assert sysvinit.target("programs.persistence", name="toa", state="absent")["changed"] is False, (
        "the option filter is not toa_persistence's"
    )
    sysvinit.sh("sed -i 's/started/STARTED/; $d' /etc/rc.local; rm /run/rc.log")
    sysvinit.option_filter("absent")
    after = host_of(sysvinit)
    assert after[0].pop("/etc/rc.local") == text.replace("started", "STARTED").replace("exit 0\n", "")
    before[0].pop("/etc/rc.local")
    assert after == before


def test_a_lost_record_is_no_reason_to_stay(stage: OptionFilterStage) -> None:
    before = host_of(stage)
    stage.option_filter()
    stage.sh("rm /var/lib/realip-toa/state.json")
    assert stage.option_filter("absent")["changed"]
    assert (
        host_of(stage)[1] == before[1]
        and stage.sh("ls -d /var/lib/realip-toa /etc/systemd/system/*realip* 2>&1 | grep -v cannot") == ""
    )
    stage.option_filter()
    stage.sh("rm /var/lib/realip-toa/state.json")
    assert stage.option_filter()["changed"], "without a record nobody knows that these rules were tried"
    stage.option_filter("absent")
    assert stage.sh("ls /etc/systemd/system | grep realip") == "" and stage.rules() == before[1]


def test_the_module(stage: OptionFilterStage, core: str) -> None:
    """Options from the inventory, and refusals on the controller and on the host."""
    variables = {
        "toa_vendor": "tencent",
        "toa_trusted_sources": "{{ ['10.0.0.0/8'] }}",
        "toa_ports": ["443", 80],
    }
    answer = stage.module("toa_option_filter", core, variables=variables, method="iptables")
    assert answer.get("after") == {"active": True, "method": "iptables", "kinds": [28, 200, 201, 202, 249, 250, 252, 253, 254],
                               "trusted_sources": ["10.0.0.0/8"], "ports": [80, 443], "at_boot": UNIT}, answer  # fmt: skip
    assert not stage.module("toa_option_filter", core, check=True, variables=variables, method="iptables")["changed"]
    left_out = {key: value for key, value in variables.items() if key != "toa_trusted_sources"}
    assert not stage.module("toa_option_filter", core, variables=left_out, method="iptables")["changed"], (
        "left out, the list stays"
    )
    facts = stage.module("toa_facts", core)["ansible_facts"]["toa"]["firewall"]
    assert facts["option_filter"] == answer["after"]
    for options, words in (
        ({"trusted_sources": "all"}, "names nobody"),
        ({"trusted_sources": []}, "names nobody"),
        ({"trusted_sources": ["10.0.0.0/40"]}, "10.0.0.0/40"),
        ({"trusted_sources": TRUSTED, "option_kinds": ["8/10"]}, "Timestamps"),
        ({"trusted_sources": TRUSTED, "ports": [70000]}, "70000"),
        ({"trusted_sources": TRUSTED, "method": "ufw"}, "ufw"),
    ):
        refused = stage.module("toa_option_filter", core, **options)
        assert refused.get("code") == "bad_option" and words in refused["msg"], refused


def test_ssh_goes_on(stage: OptionFilterStage) -> None:
    """A connection from a stranger that was open before the rules came, and one that is made after them."""
    script = (
        "import socket, subprocess, sys\n"
        "server = socket.create_server(('127.0.0.1', 2222))\n"
        "def connect():\n"
        "    client = socket.create_connection(('127.0.0.1', 2222))\n"
        "    return client, server.accept()[0]\n"
        "def talks(pair):\n"
        "    pair[0].sendall(b'x' * 100000); got = b''\n"
        "    while len(got) < 100000: got += pair[1].recv(65536)\n"
        "    return got == b'x' * 100000\n"
        "old = connect()\n"
        "assert talks(old)\n"
        "subprocess.run(['/bin/sh', '/var/lib/realip-toa/option-filter/filter.sh', 'start'], check=True)\n"
        "assert talks(old) and talks(connect())\n"
        "print('talks')\n"
    )
    stage.sh("ip link set lo up")
    stage.option_filter()
    stage.sh("sh /var/lib/realip-toa/option-filter/filter.sh stop")
    done = subprocess.run(
        stage.command("python3", "-c", script), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == "talks\n", done.stderr


BEFORE_OURS = """
set -e
export PATH={tools}:$PATH
filter="sh {folder}/filter.sh"
$filter start
$filter show >{folder}/shown
for command in iptables ip6tables; do $command -t mangle -I PREROUTING 1 -m conntrack --ctstate ESTABLISHED -j ACCEPT; done
! $filter show >/dev/null
$filter start
$filter start
$filter show | diff {folder}/shown -
for command in iptables ip6tables; do $command -t mangle -S PREROUTING | sed 1d; done
$filter stop
iptables -t mangle -S PREROUTING | sed 1d
"""


@pytest.mark.parametrize("way", ["nft", "legacy"])
def test_no_rule_of_others_goes_before_ours(tmp_path: Path, way: str) -> None:
    """Calico puts rules first in the table mangle that accept whatever belongs to a connection: the ACK with the option is of that kind."""
    for name in ("iptables", "ip6tables"):
        for tool in ("", "-restore"):
            (tmp_path / f"{name}{tool}").symlink_to(f"/usr/sbin/xtables-{way}-multi")
    option_filter_check.write_rules(str(tmp_path), "iptables", KINDS, TRUSTED, [])
    script = tmp_path / "filter.sh"
    script.write_text(script.read_text().replace("\nPATH=", f"\nPATH={tmp_path}:"))
    words = ["unshare", "--net", "sh", "-c", BEFORE_OURS.format(tools=tmp_path, folder=tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    theirs = "-A PREROUTING -m conntrack --ctstate ESTABLISHED -j ACCEPT"
    assert done.stdout.splitlines() == ["-A PREROUTING -p tcp -j REALIP-TOA", theirs] * 2 + [theirs]
