# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_monitor on a host: what it writes without us, what it sees when the host drifts, and what is left of it, which is nothing."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.action import toa_monitor
from ebpf_stage import EbpfStage
from sshd import pythons

UNITS = "/etc/systemd/system/realip-toa-monitor"
TEXTFILE = "/var/lib/node_exporter/textfile_collector/realip_toa.prom"
NOTHING = {"installed": False, "textfile": "", "minutes": 0, "probe": False, "run_by": ""}
PYTHONS = pythons()
ORDERED = sorted(PYTHONS, key=lambda version: [int(part) for part in version.split(".")])


@pytest.fixture
def stage(tmp_path: Path) -> t.Iterator[EbpfStage]:
    with EbpfStage(tmp_path) as stage:
        yield stage


def monitor(stage: EbpfStage, state: str = "present", **args: t.Any) -> dict[str, t.Any]:
    usual = {"minutes": 5, "probe": True, "probe_args": {"option_kinds": ["200/8"]}, "program": toa_monitor.packed()}
    return stage.target("programs.monitor", **{"state": state, **usual, **args})


def host_of(stage: EbpfStage) -> dict[str, str]:
    noise = (
        "/run/systemctl.log",
        "/run/realip-toa/lock",
        "/run/realip-toa/traffic.json",
        "/run/realip-toa/traffic.json.lock",
    )
    return {name: text for name, text in stage.written().items() if name not in noise}


def metrics(stage: EbpfStage, path: str = TEXTFILE) -> dict[str, float]:
    """Samples of the metrics; every line is one that Prometheus can read."""
    samples = {}
    for line in stage.sh(f"cat {path}").splitlines():
        match = re.fullmatch(r'(realip_toa_[a-z_]+(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)+\})?) (-?\d+)', line)
        assert match or re.fullmatch(r"# (HELP realip_toa_\w+ .+|TYPE realip_toa_\w+ (gauge|counter))", line), line
        if match:
            assert match[1] not in samples
            samples[match[1]] = float(match[2])
    return samples


def run(stage: EbpfStage) -> None:
    """What the timer runs."""
    command = re.findall(r"^ExecStart=(.*)$", stage.sh(f"cat {UNITS}.service"), re.M)[0]
    done = stage.run("sh", "-c", command)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("python", [ORDERED[0], ORDERED[-1]])
def test_there_and_back(stage: EbpfStage, python: str) -> None:
    """Check mode foretells, a second run changes nothing, and taking it away leaves the host as it was."""
    before = host_of(stage)
    wanted = {"installed": True, "textfile": TEXTFILE, "minutes": 5, "probe": True, "run_by": UNITS + ".timer"}
    for check, changed in ((True, True), (False, True), (False, False), (True, False)):
        answer = monitor(stage, check=check, python=PYTHONS[python])
        assert (answer.get("changed"), answer.get("after")) == (changed, wanted), answer
        assert answer["before"] == (NOTHING if changed else wanted)
        if check and changed:
            assert host_of(stage) == before
    assert stage.sh("cat /run/systemctl.log").splitlines() == [
        "daemon-reload",
        "reload-or-restart realip-toa-monitor.service",
        "reload-or-restart realip-toa-monitor.timer",
    ]
    assert "OnUnitActiveSec=5min" in stage.sh(f"cat {UNITS}.timer")
    assert metrics(stage)["realip_toa_translating"] == 0
    for check, changed in ((True, True), (False, True), (False, False)):
        answer = monitor(stage, "absent", check=check, python=PYTHONS[python])
        assert (answer["changed"], answer["after"]) == (changed, NOTHING)
    assert host_of(stage) == before and "No such file" in stage.sh("ls /var/lib/node_exporter")


def test_a_unit_that_the_init_cannot_start_is_no_success(stage: EbpfStage) -> None:
    """fapolicyd or SELinux forbid to the init what they allow to a login."""
    stage.be_refused_by_the_init()
    before = host_of(stage)
    answer = monitor(stage)
    assert answer["code"] == "unit_not_started" and "Permission denied" in answer["msg"], answer
    assert host_of(stage) == before


def test_what_it_sees_without_us(stage: EbpfStage) -> None:
    """Translating and proved; then the programs are gone, and it says since when; then they are back."""
    stage.ebpf()
    assert stage.target("programs.probe", option_kinds=["200/8"])["probe"]["verdict"] == "translating"
    recorded = monitor(stage, "recorded", proved=toa_monitor._proved("ebpf"))
    assert recorded.get("changed") is False and recorded["after"] == NOTHING, recorded
    monitor(stage)
    seen = metrics(stage)
    assert (
        seen["realip_toa_live"] == seen["realip_toa_translating"] == 1
        and seen['realip_toa_drift{code="ebpf_gone"}'] == 0
    )
    assert any(name.startswith('realip_toa_proved_info{backend="ebpf"') for name in seen)
    assert seen['realip_toa_events_total{event="ebpf_translated"}'] > 0
    assert stage.target("programs.facts")["drift"] == []

    stage.detach_by_hand()
    run(stage)
    seen = metrics(stage)
    since = seen['realip_toa_drift_since_seconds{code="ebpf_gone"}']
    assert (
        seen["realip_toa_live"] == seen["realip_toa_translating"] == 0
        and seen['realip_toa_drift{code="ebpf_gone"}'] == 1
    )
    assert 0 <= seen["realip_toa_run_time_seconds"] - since < 60
    stage.sh("sed -i 's/[0-9][0-9]*/1763000000/' /var/lib/realip-toa/monitor/seen.json")
    run(stage)
    assert metrics(stage)['realip_toa_drift_since_seconds{code="ebpf_gone"}'] == 1763000000, (
        "the time when it was seen first is kept"
    )
    (finding,) = stage.target("programs.facts")["drift"]
    assert (
        finding["code"] == "ebpf_gone"
        and finding["since"] == "2025-11-13T02:13:20Z"
        and "not attached any more" in finding["detail"]
    )

    stage.ebpf()
    run(stage)
    seen = metrics(stage)
    assert seen["realip_toa_translating"] == 1 and seen['realip_toa_drift{code="ebpf_gone"}'] == 0
    assert 'realip_toa_drift_since_seconds{code="ebpf_gone"}' not in seen


def test_a_crontab_where_there_is_no_systemd(stage: EbpfStage) -> None:
    stage.sh(
        "rm -rf /run/systemd; mkdir -p /etc/init.d /etc/rc2.d /etc/cron.d /srv/metrics; : >/etc/inittab; : >/etc/init.d/rc.local"
    )
    before = host_of(stage)
    answer = monitor(stage, minutes=10, probe=False, textfile_dir="/etc/metrics/")
    assert answer["after"] == {"installed": True, "textfile": "/etc/metrics/realip_toa.prom", "minutes": 10, "probe": False,
                               "run_by": "/etc/cron.d/realip-toa-monitor"}, answer  # fmt: skip
    lines = stage.sh("cat /etc/cron.d/realip-toa-monitor").splitlines()
    assert re.fullmatch(
        r"\*/10 \* \* \* \* root /\S+ -E -s -S /var/lib/realip-toa/monitor/monitor.py >/dev/null 2>&1", lines[1]
    )
    assert "realip_toa_translating" not in metrics(stage, "/etc/metrics/realip_toa.prom")
    moved = monitor(stage, minutes=1, textfile_dir="/etc/other")
    assert (
        moved["changed"]
        and "No such file" in stage.sh("cat /etc/metrics/realip_toa.prom")
        and metrics(stage, "/etc/other/realip_toa.prom")
    )
    monitor(stage, "absent")
    assert host_of(stage) == before and stage.sh("ls -d /etc/metrics /etc/other 2>/dev/null") == ""
    stage.sh("rm -r /etc/cron.d")
    refused = monitor(stage)
    assert refused["failed"] and refused["code"] == "no_timer"


def test_a_program_that_does_not_run_is_not_left(stage: EbpfStage) -> None:
    before = host_of(stage)
    stage.sh("mkdir -p /etc/metrics/realip_toa.prom/taken")
    answer = monitor(stage, textfile_dir="/etc/metrics")
    assert answer["code"] == "monitor_failed" and "directory" in answer["msg"].lower(), answer
    stage.sh("rm -r /etc/metrics")
    assert host_of(stage) == before


def test_the_module(stage: EbpfStage, core: str) -> None:
    variables = {"toa_monitor_interval": "7", "toa_vendor": "tencent", "toa_monitor_textfile_dir": "/etc/metrics"}
    answer = stage.module("toa_monitor", core, variables=variables)
    assert answer.get("after", answer)["minutes"] == 7
    assert '"200/8"' in stage.sh("cat /var/lib/realip-toa/monitor/settings.json")
    assert not stage.module("toa_monitor", core, check=True, variables=variables)["changed"]
    assert stage.module("toa_monitor", core, interval=60)["code"] == "bad_option"
    assert stage.module("toa_monitor", core, state="recorded")["code"] == "bad_option"
    assert stage.module("toa_monitor", core, check=True, state="recorded", backend="vtoa")["changed"] is False
    assert "proof" not in stage.sh("cat /var/lib/realip-toa/state.json")
    stage.module("toa_monitor", core, state="recorded", backend="vtoa")
    assert stage.module("toa_facts", core)["ansible_facts"]["toa"]["drift"][0]["code"] == "module_gone"
    assert stage.module("toa_monitor", core, state="absent")["after"] == NOTHING
