# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The eBPF backend on Debian 11, 12 and 13 as they come: in place without a reboot, there before the first service after one, and gone again.

Each test needs the one before. Debian 12 has no bpftool, and an apt source that offers it; the others have it installed.
"""

from __future__ import annotations

import json
import re

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle
from conftest import TARGET

from lab import disks

KERNELS = {"debian11": "5.10.", "debian12": "6.1.", "debian13": "6.12."}
ONE_WAVE = {"toa_waves": ["100%"]}
NETWORKS = ["10.0.0.0/8", "2001:db8:0:1::/64"]

# A service as early as any may be: it listens, and is connected to, before a socket of systemd's or another service is. What its accept()
# says goes to /run/first.
FIRST_SERVICE = """[Unit]
DefaultDependencies=no
After=sysinit.target
Before=sockets.target basic.target
[Service]
Type=oneshot
StandardInput=file:/srv/first.py
StandardOutput=file:/run/first
ExecStart=/usr/bin/python3 -
[Install]
WantedBy=basic.target
"""
# Option 200/8: port 4242, 203.0.113.7.
FIRST_CLIENT = ["c8081092cb007107", "ack", "inet", 4, "", ""]


@pytest.fixture(scope="module")
def before(debians):
    """The hosts from stock, with a service that is connected to at boot: {host: files}."""
    debians.reset()
    program = (
        bundle.build("crafted", (str(TARGET),))
        .render({"check": False, "cases": [FIRST_CLIENT], "between": []}, "first", 60)
        .decode()
    )
    for host in debians.hosts:
        debians.ssh(
            host,
            f"cat >/etc/systemd/system/first.service <<'END'\n{FIRST_SERVICE}END\ncat >/srv/first.py <<'END'\n{program}\nEND\n"
            "systemctl -q enable first.service && systemctl daemon-reload",
        )
    return disks.look_at_all(debians.hosts)


def by_host(report):
    return {entry["host"]: entry for entry in report["hosts"]}


def boot_id(debians, host):
    return debians.one_line(host, "cat /proc/sys/kernel/random/boot_id")


def assert_unchanged(output):
    assert "changed=0" in output and not re.search(r"changed=[1-9]", output), output


def test_plan(debians, before):
    code, report, output = debians.playbook("realip.toa.plan")
    assert code == 0, output
    for host, entry in by_host(report).items():
        assert entry["kernel"].startswith(KERNELS[host])
        assert (entry["state"], entry["backend"]) == ("pending", "ebpf"), entry
        assert not any("reboot" in step for step in entry["steps"])
        assert "all_sources_trusted" in {reason["code"] for reason in entry["reasons"]}
        assert any("bpftool" in step for step in entry["steps"]) == (host == "debian12"), entry


@pytest.mark.parametrize("words", [{"toa_install": []}, {}], ids=["not allowed", "not to be had"])
def test_without_bpftool_the_host_stays_as_it_was(debians, before, words):
    debians.ssh("debian12", "mv /srv/packages /srv/away")
    code, report, output = debians.playbook("rollout.yml", "debian12", **words)
    debians.ssh("debian12", "mv /srv/away /srv/packages")
    assert code != 0, output
    (entry,) = report["hosts"]
    assert "bpftool_missing" in {entry["code"], *(reason["code"] for reason in entry["reasons"])}, entry
    assert "install" in entry["remedy"]
    assert disks.differences(before["debian12"], disks.look("debian12")) == {}


def test_rollout_needs_no_reboot(debians, before):
    boots = {host: boot_id(debians, host) for host in debians.hosts}
    code, report, output = debians.playbook("rollout.yml", **ONE_WAVE)
    assert code == 0, output
    for host, entry in by_host(report).items():
        assert (entry["state"], entry["verdict"], entry["backend"]) == ("proved", "translating", "ebpf"), entry
        assert entry["kernel"].startswith(KERNELS[host])
        assert boot_id(debians, host) == boots[host]
        shown = {
            row["getsockopt_1348"]
            for row in entry["probe"]["matrix"]
            if row["kind"] == "200/8" and row["packet"] == "ack"
        }
        assert shown == {"203.0.113.7:4242"}


def test_a_second_run_changes_nothing(debians, before):
    for host in debians.hosts:
        debians.ssh(host, "touch /run/second")
    code, report, output = debians.playbook("rollout.yml")
    assert code == 0, output
    assert {entry["state"] for entry in report["hosts"]} == {"converged"}
    assert_unchanged(output)
    assert {host: disks.written_since(host, "/run/second") for host in debians.hosts} == {
        host: [] for host in debians.hosts
    }


def test_after_a_reboot_the_very_first_connection_shows_its_client(debians, before):
    boots = {host: boot_id(debians, host) for host in debians.hosts}
    debians.at_once("reboot")
    code, report, output = debians.playbook("realip.toa.verify")
    assert code == 0, output
    assert {entry["verdict"] for entry in report["hosts"]} == {"translating"}
    for host in debians.hosts:
        assert boot_id(debians, host) != boots[host]
        answer = re.search(
            r"@realip-toa first \d+ (.*) @end first",
            debians.ssh(host, "systemctl is-system-running --wait >/dev/null; cat /run/first"),
        )
        assert answer, host
        accept, getpeername, sockopt, _port, problem = json.loads(answer[1])["rows"][0]
        assert (accept, getpeername, sockopt, problem) == ("203.0.113.7:4242",) * 3 + (None,)


def programs_loaded(debians, host):
    """What of ours the kernel of a host holds: {number: name}."""
    said = debians.ssh(host, "bpftool prog show | grep -o '^[0-9]*: .*name realip_[a-z0-9]*'")
    return {int(line.partition(":")[0]): line.rpartition(" ")[2] for line in said.splitlines()}


def test_trusted_sources_are_set_without_a_reboot(debians, before):
    """And what is not from there is believed no longer; that is what the proof's spoofing cases say. Another generation of the programs takes
    the place of the one before, of which nothing is left."""
    boot = boot_id(debians, "debian13")
    loaded = programs_loaded(debians, "debian13")
    code, report, output = debians.playbook("rollout.yml", "debian13", toa_trusted_sources=NETWORKS)
    assert code == 0, output
    (entry,) = report["hosts"]
    assert (entry["state"], entry["verdict"]) == ("proved", "translating"), entry
    assert boot_id(debians, "debian13") == boot
    reloaded = programs_loaded(debians, "debian13")
    assert sorted(reloaded.values()) == sorted(loaded.values()) != []
    assert not set(reloaded) & set(loaded)
    code, report, output = debians.playbook("rollout.yml", "debian13", toa_trusted_sources=NETWORKS)
    assert (code, report["hosts"][0]["state"]) == (0, "converged"), output
    assert programs_loaded(debians, "debian13") == reloaded
    facts = debians.target("debian13", "programs.facts")
    assert facts["ebpf"]["trusted_sources"] == NETWORKS
    assert facts["counters"]["ebpf_untrusted"] > 0


def test_remove_leaves_nothing(debians, before):
    code, report, output = debians.playbook("realip.toa.remove", **ONE_WAVE)
    assert code == 0, output
    assert {entry["state"] for entry in report["hosts"]} == {"removed"}
    after = disks.look_at_all(debians.hosts)
    for host in debians.hosts:
        assert disks.differences(before[host], after[host]) == {}
        assert (
            debians.one_line(
                host, "find /sys/fs/bpf -name '*realip*'; systemctl list-units --all --no-legend 'realip*'"
            )
            == ""
        )
        assert (debians.ssh(host, "command -v bpftool", check=False) == "") == (host == "debian12")
    code, report, output = debians.playbook("realip.toa.remove")
    assert code == 0, output
    assert_unchanged(output)
