# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks over a simulated fleet (fleet.py): waves and gates, hooks, windows, rollback, two controllers, controllers that die."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fleet import STOCK, TOA, Fleet, end
from sshd import Run, cores, tried

NEWEST = cores()[-1]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("fleet"), 46, 9) as made:
        # Nobody answers there.
        made.addresses["web10"] = "127.0.46.10"
        yield made


@pytest.fixture(autouse=True)
def stock(fleet: Fleet) -> None:
    for name in fleet.names:
        fleet.be(name)


def states(report: dict[str, t.Any]) -> dict[str, str]:
    return {name: entry["state"] for name, entry in report.items()}


def assert_proved(fleet: Fleet, name: str) -> None:
    host = fleet.host(name)
    assert (host["kernel"], host["default"], host["loaded"], host["held"]) == (TOA, TOA, True, True), host
    assert "claim" not in host["state"], host["state"]


def assert_back(fleet: Fleet, name: str) -> None:
    """On the old kernel, with nothing armed, and nobody's."""
    host = fleet.host(name)
    assert (host["kernel"], host["default"], host["next"]) == (STOCK, STOCK, None), host
    assert "claim" not in host["state"] and host["state"].get("boot", {}).get("state") in (
        None,
        "reverted",
        "default",
    ), host["state"]


DEAD = ["web05", "web11", "web21"]


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[dict[str, tuple[Fleet, Run, dict[str, t.Any]]]]:
    """A canary, a wave of 20 of which 3 die in their reboot, and 3 hosts that are to come after that; every core with a fleet of its own, side by
    side, since most of the time is spent on waiting for the dead."""
    with contextlib.ExitStack() as stack:
        fleets = {
            core: stack.enter_context(Fleet(tmp_path_factory.mktemp(core), 50 + number, 24))
            for number, core in enumerate(tried())
        }
        for fleet in fleets.values():
            for name in DEAD:
                fleet.be(name, faults={"boot": "dead"})
        with ThreadPoolExecutor(len(fleets)) as pool:
            runs = {
                core: pool.submit(fleet.play, core, toa_waves=[1, 20, "100%"], toa_reboot_timeout=40)
                for core, fleet in fleets.items()
            }
        yield {core: (fleets[core], *runs[core].result()) for core in fleets}


def test_three_of_twenty_hosts_die_in_wave_2(waves: dict[str, tuple[Fleet, Run, dict[str, t.Any]]], core: str) -> None:
    fleet, run, report = waves[core]
    assert run.rc != 0, run.output
    expected = {
        name: "lost" if name in DEAD else "proved" if name in fleet.names[:21] else "waiting" for name in fleet.names
    }
    assert states(report) == expected, run.output
    for name in fleet.names[:21]:
        if name not in DEAD:
            assert_proved(fleet, name)
    for name in DEAD:
        assert report[name]["code"] == "lost_after_reboot" and report[name]["remedy"], report[name]
        assert name in run.output.partition("PLAY RECAP")[0]
    for name in fleet.names[21:]:
        assert fleet.steps(name) == ["package staged"], "before the first wave, and nothing since"
        assert "wave 2" in report[name]["message"] and "web05" in report[name]["message"]
    assert "UNREACHABLE" not in run.output


def test_what_was_lost_is_taken_up_by_the_next_run(fleet: Fleet) -> None:
    """One host dies in its reboot, one says that it reboots and does not."""
    names = fleet.names[:4]
    fleet.be("web02", faults={"boot": "dead"})
    fleet.be("web03", faults={"boot": "ignored"})
    run, report = fleet.play(NEWEST, names=names, toa_waves=[1, 2, 1], **fleet.hooked())
    assert run.rc != 0 and states(report) == {
        "web01": "proved",
        "web02": "lost",
        "web03": "failed",
        "web04": "waiting",
    }, run.output
    assert fleet.hooks("web01") == ["drain", "health", "undrain"]
    assert fleet.hooks("web02") == ["drain"] and "still drained" in report["web02"]["message"], (
        "nobody puts a dead host back into service"
    )
    assert report["web03"]["code"] == "reboot_did_not_happen" and fleet.hooks("web03") == ["drain", "undrain"]
    assert_back(fleet, "web03")
    # Somebody has pressed its button: the one-shot entry is spent.
    fleet.change("web02", away=False, faults={}, next=None, boot=9)
    fleet.change("web03", faults={})
    run, report = fleet.play(NEWEST, names=names, toa_waves=["100%"], **fleet.hooked())
    assert run.rc == 0 and states(report) == {"web01": "converged"} | dict.fromkeys(names[1:], "proved"), run.output
    assert fleet.hooks("web02") == ["drain", "drain", "health", "undrain"]
    assert_proved(fleet, "web02")


def test_a_few_failures_are_allowed_in_percent_and_the_parts_of_a_wave_keep_to_it(fleet: Fleet) -> None:
    names = fleet.names[:6]
    fleet.be("web02", faults={"boot": "fallback"})
    fleet.be("web04", faults={"verdict": "inert"})
    run, report = fleet.play(
        NEWEST, names=names, toa_waves=[1, 4, 1], toa_max_failures="25%", toa_max_rebooting=2, **fleet.hooked()
    )
    assert run.rc != 0
    # Of four hosts one may fail. The first two take one, the next two another: then it is over.
    assert states(report) == {
        "web01": "proved",
        "web02": "failed",
        "web03": "proved",
        "web04": "failed",
        "web05": "proved",
        "web06": "waiting",
    }, run.output
    assert report["web02"]["code"] == "wrong_kernel" and "not confirmed within 600 s" in report["web02"]["message"]
    assert report["web04"]["code"] == "not_translating" and report["web04"]["kernel"] == STOCK
    for name in ("web02", "web04"):
        assert_back(fleet, name)
        assert fleet.hooks(name)[-1] == "undrain"


def test_one_host_in_ten_cannot_be_reached(fleet: Fleet) -> None:
    names = [*fleet.names, "web10"]
    run, report = fleet.play(NEWEST, names=names, toa_waves=[1, "100%"])
    assert run.rc != 0 and states(report) == {"web10": "lost"} | dict.fromkeys(fleet.names, "proved"), run.output
    assert report["web10"]["code"] == "connection_lost" and report["web10"]["remedy"], report["web10"]


def test_an_operators_task_that_loses_its_host(fleet: Fleet) -> None:
    """Ansible knows no rescue for UNREACHABLE, and ends the run where that is the whole batch. The next run finds the mark and goes on."""
    away = fleet.folder / "away.yml"
    away.write_text('[{"name": "Operator | away", "ansible.builtin.raw": "true", "vars": {"ansible_port": 1}}]')
    run, report = fleet.play(NEWEST, names=["web01", "web02"], toa_waves=[1, 1], **fleet.hooked(drain=str(away)))
    assert run.rc == 4 and report == {} and "unreachable=1" in run.output, run.output
    assert fleet.host("web01")["boot"] == 1 and fleet.host("web01")["state"]["claim"]["drained"] is True
    assert fleet.steps("web02") == ["package staged"], "before the first wave, and nothing since"
    run, report = fleet.play(NEWEST, names=["web01", "web02"], toa_waves=["100%"], **fleet.hooked())
    assert run.rc == 0 and set(states(report).values()) == {"proved"}, run.output
    assert_proved(fleet, "web01")
    assert fleet.hooks("web01")[-1] == "undrain"


def test_what_fails_after_the_proof_takes_nothing_back(fleet: Fleet) -> None:
    """A busy package manager at the hold step: told with the host's outcome, which is proved; the canary lets the others go on."""
    names = fleet.names[:2]
    fleet.be("web01", faults={"once": {"package held": "dpkg is busy: apt-get has the lock"}})
    run, report = fleet.play(NEWEST, names=names, toa_waves=[1, 1], **fleet.hooked())
    assert run.rc == 0 and set(states(report).values()) == {"proved"}, run.output
    assert_proved(fleet, "web02")
    host = fleet.host("web01")
    assert (
        host["kernel"] == host["default"] == TOA and host["state"]["boot"]["state"] == "confirmed" and not host["held"]
    )
    assert "dpkg is busy" in json.dumps(report) and "dpkg is busy" in run.output
    assert fleet.hooks("web01")[-1] == "undrain"


def test_operators_tasks_that_fail(fleet: Fleet) -> None:
    """Drain, health and undrain tasks, each failing on a host of its own; one host is left drained because somebody wants that."""
    names = fleet.names[:3]
    # Of three kinds, so that they go together.
    for name in names:
        fleet.be(name, hardware={"nic_driver": name})
    for kind, name in (("drain", "web01"), ("health", "web02"), ("undrain", "web03")):
        text = (fleet.folder / f"{kind}.yml").read_text()
        broken = text.replace(f"echo {kind} ", f"test {{{{ inventory_hostname }}}} != {name} && echo {kind} ")
        (fleet.folder / f"broken-{kind}.yml").write_text(broken)
    hooks = {"toa_hooks": {kind: str(fleet.folder / f"broken-{kind}.yml") for kind in ("drain", "health", "undrain")}}
    # Each by itself: all are of one kind, whose canary would keep the others from beginning.
    report: dict[str, t.Any] = {}
    for name in names:
        run, told = fleet.play(NEWEST, names=[name], toa_waves=["100%"], **hooks)
        report |= told
        assert run.rc != 0 and states(told) == {name: "failed"}, run.output
    assert [report[name]["code"] for name in names] == ["drain_failed", "health_failed", "undrain_failed"]
    assert fleet.hooks("web01") == ["undrain"], "it may be half drained"
    assert fleet.host("web01")["boot"] == 1, "it was never rebooted"
    assert fleet.hooks("web02") == ["drain", "undrain"]
    for name in ("web01", "web02"):
        assert_back(fleet, name)
    assert "still drained" in report["web03"]["message"] and fleet.host("web03")["kernel"] == TOA
    assert fleet.host("web03")["state"]["claim"]["drained"] is True

    run, report = fleet.play(NEWEST, names=["web02"], toa_on_failure="leave_drained", **hooks)
    assert fleet.hooks("web02") == ["drain", "undrain", "drain"] and "still drained" in report["web02"]["message"], (
        run.output
    )
    # With tasks that work, both are put back, and the one that was proved is not rebooted again.
    boots = fleet.host("web03")["boot"]
    run, report = fleet.play(NEWEST, names=["web02", "web03"], toa_waves=["100%"], **fleet.hooked())
    assert run.rc == 0 and set(states(report).values()) == {"proved"}, run.output
    assert (
        fleet.host("web03")["boot"] == boots
        and fleet.hooks("web03")[-1] == "undrain"
        and fleet.hooks("web02")[-1] == "undrain"
    )
    assert_proved(fleet, "web02")


def test_outside_the_change_window_nothing_begins(fleet: Fleet) -> None:
    names = fleet.names[:2]
    run, report = fleet.play(NEWEST, names=names, toa_window=closed_window())
    assert run.rc == 0 and set(states(report).values()) == {"pending"}, run.output
    assert not any(fleet.touched(name) for name in names) and "change window" in report["web01"]["message"]


def closed_window() -> str:
    """A window that is hours away from now."""
    hour = (datetime.datetime.now(datetime.timezone.utc).hour + 6) % 24
    return f"{hour:02}:00-{(hour + 1) % 24:02}:00 UTC"


def test_after_the_canary_somebody_is_asked(fleet: Fleet) -> None:
    """Without a terminal the run ends there, well, and the next one goes on. The change window is open."""
    names = fleet.names[:3]
    run, report = fleet.play(
        NEWEST, names=names, toa_pause_after_canary=True, toa_window=[closed_window(), "00:00-24:00 Europe/Berlin"]
    )
    assert run.rc == 0 and states(report) == {"web01": "proved", "web02": "pending", "web03": "pending"}, run.output
    # What it says is what goes on.
    words = re.search(r"to go on: ansible-playbook (.*)$", report["web02"]["remedy"])
    assert words and words[1].endswith("realip.toa.rollout -e toa_pause_after_canary=false"), report["web02"]
    assert report["web02"]["remedy"] in run.output
    run, report = fleet.play(
        NEWEST, names=names, options=["-e", "toa_pause_after_canary=false"], toa_pause_after_canary=True
    )
    assert run.rc == 0 and states(report) == {"web01": "converged", "web02": "proved", "web03": "proved"}, run.output


def test_packages_are_staged_before_the_first_wave(fleet: Fleet, tmp_path: Path) -> None:
    """The canary's first task of its operator finds all hosts with their packages; a host that cannot be staged then is tried again in its turn."""
    names = fleet.names[:3]
    fleet.be("web03", faults={"once": {"package staged": "the mirror is down"}})
    seen = tmp_path / "seen"
    (tmp_path / "drain.yml").write_text(
        f'[{{"name": "Operator | look", "ansible.builtin.raw": "grep -c staged {fleet.folder}/web0[123].json >>{seen}"}}]'
    )
    run, report = fleet.play(NEWEST, names=names, toa_waves=[1], toa_hooks={"drain": str(tmp_path / "drain.yml")})
    assert run.rc == 0 and set(states(report).values()) == {"proved"}, run.output
    first = [line.rpartition(":")[2] for line in seen.read_text().split()[:3]]
    # The canary has been through its own turn's staging too.
    assert first == ["2", "1", "1"], seen.read_text()
    assert [fleet.steps(name).count("package staged") for name in names] == [2, 2, 2]
    fleet.be("web01")
    run, report = fleet.play(NEWEST, names=["web01"], toa_stage_all=False)
    assert run.rc == 0 and fleet.steps("web01").count("package staged") == 1, run.output


def test_a_file_of_the_operator_named_like_ours(fleet: Fleet) -> None:
    """As the guides write it: `toa_hooks: {drain: drain.yml}`. It is the operator's file beside the inventory, not the role's own."""
    beside = fleet.controller(NEWEST).folder
    for name in ("drain.yml", "undrain.yml"):
        (beside / name).write_text((fleet.folder / name).read_text())
    run, report = fleet.play(NEWEST, names=["web01"], toa_hooks={"drain": "drain.yml", "undrain": "undrain.yml"})
    assert run.rc == 0 and states(report) == {"web01": "proved"}, run.output
    assert fleet.hooks("web01") == ["drain", "undrain"]


# Every question of a survey as AWX passes it: texts, and empty ones where nobody has answered.
TEXTS = {"toa_stage_all": "false", "toa_max_failures": "0", "toa_max_rebooting": "0", "toa_reboot_timeout": "120", "toa_waves": "1,100%",
         "toa_report_formats": "html,json", "toa_accept": ["unverified_packages"], "toa_takeover": "off", "toa_pause_after_canary": "false"}  # fmt: skip
EMPTY = ("toa_only", "toa_window", "toa_hooks", "toa_wave_tasks", "toa_soak", "toa_domain",
         "toa_max_unavailable", "toa_on_failure", "toa_vendor", "toa_option_kinds", "toa_backends", "toa_package_mirror", "toa_lockfile",
         "toa_persistence_method", "toa_monitor_interval", "toa_report_tasks", "toa_lock_cache", "toa_push_packages")  # fmt: skip


def test_texts_and_nothings_mean_what_they_say(fleet: Fleet, core: str) -> None:
    """Extra variables are texts on ansible-core 2.16; and what is null or empty is not set, wherever it stands."""
    names = fleet.names[:2]
    texts = [option for name, text in TEXTS.items() for option in ("-e", f"{name}={text}")]
    nothings = [option for name in EMPTY for option in ("-e", f"{name}=")]
    run, report = fleet.play(core, names=names, options=(*texts, *nothings))
    assert run.rc == 0 and states(report) == dict.fromkeys(names, "proved"), run.output
    # Not staged beforehand.
    assert [fleet.steps(name).count("package staged") for name in names] == [1, 1]
    for name in names:
        fleet.be(name)
    run, report = fleet.play(
        core, names=names, **dict.fromkeys((*EMPTY, "toa_waves", "toa_reboot_timeout", "toa_stage_all"))
    )
    assert run.rc == 0 and states(report) == dict.fromkeys(names, "proved"), run.output
    assert [fleet.steps(name).count("package staged") for name in names] == [2, 2]


def test_a_missing_file_of_the_operator_is_said_before_any_host_is_asked(fleet: Fleet) -> None:
    run, report = fleet.play(NEWEST, names=["web01"], toa_hooks={"health": "helth.yml"})
    assert run.rc != 0 and "toa_hooks.health: there is no file helth.yml" in run.output, run.output
    assert not fleet.touched("web01") and fleet.host("web01").get("journal", []) == []


def test_a_choice_of_hosts_that_comes_too_late_is_refused(fleet: Fleet) -> None:
    """toa_hosts in the inventory would choose nobody, and all hosts would reboot."""
    names = fleet.names[:2]
    run, report = fleet.play(NEWEST, names=names, toa_hosts="web02")
    assert run.rc != 0 and "toa_hosts is web02, and web01 is not of it" in run.output, run.output
    assert not any(fleet.touched(name) for name in names)
    run, report = fleet.play(NEWEST, names=names, options=("-e", "toa_hosts=web02"))
    assert run.rc == 0 and states(report) == {"web02": "proved"}, run.output


def test_limit_selection_and_dry_runs(fleet: Fleet) -> None:
    names = fleet.names[:3]
    run, report = fleet.play(NEWEST, names=names, options=("--check", "--diff"), **fleet.hooked())
    assert run.rc == 0 and set(states(report).values()) == {"planned"}, run.output
    assert not any(fleet.touched(name) or fleet.hooks(name) for name in names)
    run, report = fleet.play(NEWEST, names=names, options=("--limit", "web02"))
    assert run.rc == 0 and states(report) == {"web02": "proved"}, run.output
    run, report = fleet.play(NEWEST, names=names, toa_only="facts.kernel.release == '4.4.87.toa'")
    assert run.rc == 0 and "web01" not in report and not fleet.touched("web01"), run.output
    run, report = fleet.play(NEWEST, names=names, toa_waves=[0])
    assert run.rc != 0 and "toa_waves" in run.output and not fleet.touched("web01")


def test_rollback(fleet: Fleet) -> None:
    """Hosts that are confirmed, on trial, armed, left drained, and stock."""
    names = fleet.names[:5]
    trial = {"installed": True, "state": {"boot": {"state": "armed", "kernel": TOA, "old": STOCK}}}
    confirmed = {"boot": {"state": "confirmed", "kernel": TOA, "old": STOCK}}
    fleet.be(
        "web01",
        kernel=TOA,
        default=TOA,
        boot=2,
        installed=True,
        held=True,
        loaded=True,
        persistent=True,
        state=confirmed,
    )
    fleet.be("web02", kernel=TOA, boot=2, loaded=True, persistent=True, **trial)
    fleet.be("web03", next=TOA, **trial)
    fleet.be("web04", state={"claim": {"drained": True}})
    run, report = fleet.play(NEWEST, "rollback", names=names, toa_waves=["100%"], **fleet.hooked())
    assert run.rc == 0, run.output
    assert states(report) == {"web05": "converged"} | dict.fromkeys(names[:4], "rolled_back"), run.output
    for name in names[:4]:
        assert_back(fleet, name)
        assert not fleet.host(name)["loaded"] and not fleet.host(name)["persistent"]
    assert fleet.hooks("web01") == ["drain", "undrain"] == fleet.hooks("web02")
    assert fleet.hooks("web03") == [] and fleet.hooks("web04") == ["undrain"]
    assert fleet.host("web01")["installed"], "quick to try again"
    assert not fleet.host("web01")["held"], "or no security update would ever come"
    run, report = fleet.play(NEWEST, "rollback", names=names)
    assert run.rc == 0 and set(states(report).values()) == {"converged"}, run.output
    run, report = fleet.play(NEWEST, "remove", names=names, toa_waves=["100%"])
    assert run.rc == 0 and not fleet.host("web01")["installed"] and fleet.host("web01")["state"] == {}, run.output


def test_two_controllers_at_once(fleet: Fleet, tmp_path: Path) -> None:
    """The first one waits in a task of its operator; the second one is told, changes nothing, and goes first only when asked to."""
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    slow = tmp_path / "slow.yml"
    slow.write_text(f'[{{"name": "Operator | wait", "ansible.builtin.raw": "cat {fifo}"}}]')
    first = fleet.start(NEWEST, "web01", **fleet.hooked(drain=str(slow)))
    try:
        fleet.wait_for("web01", "claim taken drained")
        before = fleet.host("web01")
        run, report = fleet.play(NEWEST, names=["web01"], **fleet.hooked())
        assert (
            run.rc != 0
            and report["web01"]["code"] == "host_claimed"
            and f"pid {first.pid}" in report["web01"]["message"]
        ), run.output
        after = fleet.host("web01")
        assert "package staged" not in after["journal"][len(before["journal"]) :]
        assert {key: after[key] for key in after if key != "journal"} == {
            key: before[key] for key in before if key != "journal"
        }
        assert fleet.hooks("web01") == []
        fifo.write_text("\n")
        output, _none = first.communicate(timeout=60)
        assert first.returncode == 0, output
    finally:
        end(first)
    assert_proved(fleet, "web01")


def test_slices_of_a_verify_add_up(fleet: Fleet, tmp_path: Path) -> None:
    """As AWX slices a job: each runner has every third host, all run at once, and none knows of the others. The report of all is that of the whole."""
    for name in fleet.names[:5]:
        fleet.be(name, kernel=TOA, default=TOA, boot=2, installed=True, held=True, loaded=True, persistent=True)
    fleet.be(
        "web02",
        kernel=TOA,
        default=TOA,
        boot=2,
        installed=True,
        held=True,
        loaded=True,
        persistent=True,
        faults={"verdict": "inert"},
    )
    runners = {
        number: fleet.start(
            NEWEST,
            f"runner{number}",
            "verify",
            names=fleet.names[number::3],
            toa_report_dir=str(tmp_path / "jobs" / str(number)),
        )
        for number in range(3)
    }
    codes = []
    for child in runners.values():
        try:
            output, _none = child.communicate(timeout=120)
            codes.append(child.returncode)
            assert "verify" in output
        finally:
            end(child)
    assert all(code == 2 for code in codes), "each has a host that is stock or inert"
    run, whole = fleet.play(NEWEST, "verify")
    assert run.rc == 2
    run, _report = fleet.play(
        NEWEST,
        "report",
        toa_report_kinds=["verify"],
        toa_report_parts=[str(tmp_path / "jobs" / "*")],
        toa_report_dir=str(tmp_path / "all"),
    )
    assert run.rc == 0, run.output
    merged = json.loads((tmp_path / "all" / "verify.json").read_text())
    assert {entry["host"]: entry["state"] for entry in merged["hosts"]} == states(whole)
    assert set(states(whole).values()) > {"converged"} and merged["verdict"].startswith("verify: ")
    # A slice that has left nothing behind is missed.
    (tmp_path / "jobs" / "1" / "verify.json").unlink()
    run, _report = fleet.play(
        NEWEST, "report", toa_report_kinds=["verify"], toa_report_parts=[str(tmp_path / "jobs" / "*")]
    )
    assert run.rc == 2 and f"{tmp_path}/jobs/1" in run.output, run.output


# Where the controller is killed: the host has done the step, and the controller has not heard of it.
STEPS = (
    "package staged",
    "boot armed",
    "claim taken drained",
    "reboot trigger",
    "reboot identity",
    "probe",
    "boot confirmed",
    "package held",
)


def test_a_controller_that_dies_at_any_step(fleet: Fleet) -> None:
    """Eight hosts, each with a controller of its own that dies; one run of all of them then, which finds each where it was left."""
    names = dict(zip(fleet.names, STEPS, strict=False))
    waiting = list(names.items())
    running: list[tuple[str, t.Any]] = []
    while waiting or running:
        while waiting and len(running) < 3:
            name, step = waiting.pop(0)
            fleet.be(name, faults={"kill_at": step})
            running.append((name, fleet.start(NEWEST, name, **fleet.hooked())))
        name, child = running.pop(0)
        try:
            output, _none = child.communicate(timeout=90)
            assert child.returncode == -9, f"{name} ({names[name]}): {output}"
        finally:
            end(child)
    left = {name: fleet.hooks(name) for name in names}
    run, report = fleet.play(NEWEST, names=list(names), toa_waves=["100%"], **fleet.hooked())
    assert run.rc == 0, run.output
    for name, step in names.items():
        assert report[name]["state"] in ("proved", "converged"), (step, report[name])
        assert_proved(fleet, name)
        hooks = fleet.hooks(name)
        assert "undrain" not in left[name]
        assert ("drain" not in hooks and "undrain" not in hooks) or hooks[-1] == "undrain", (step, hooks)
        # A trial that had come up is proved as it stands.
        assert fleet.host(name)["boot"] == 2, (step, fleet.host(name))


def test_a_plan_that_is_out_of_date_is_not_acted_on(fleet: Fleet, core: str, tmp_path: Path) -> None:
    """Run A waits in its canary's drain; run B rolls web02 out and lets it go; web03 was rebooted, and is what it was. A takes web03, and leaves web02."""
    names = fleet.names[:3]
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    slow = tmp_path / "slow.yml"
    slow.write_text(
        f'[{{"name": "Operator | wait", "ansible.builtin.raw": "cat {fifo}", "when": "inventory_hostname == \'web01\'"}}]'
    )
    first = fleet.start(core, "web01", names=names, toa_waves=[1, "100%"], **fleet.hooked(drain=str(slow)))
    try:
        fleet.wait_for("web01", "claim taken drained")
        run, report = fleet.play(core, names=["web02"], **fleet.hooked())
        assert run.rc == 0 and states(report) == {"web02": "proved"}, run.output
        fleet.change("web03", boot=7)
        before = fleet.steps("web02")
        fifo.write_text("\n")
        output, _none = first.communicate(timeout=120)
        assert first.returncode == 0, output
    finally:
        end(first)
    report = {entry["host"]: entry for entry in json.loads((fleet.reports / "rollout.json").read_text())["hosts"]}
    assert states(report) == {"web01": "proved", "web02": "converged", "web03": "proved"}, output
    assert report["web02"]["code"] == "already_done" and "it was rebooted" in report["web02"]["message"]
    assert [step for step in fleet.steps("web02")[len(before) :] if not step.startswith("claim")] == [], "left alone"
    assert fleet.host("web02")["boot"] == 2 and fleet.host("web03")["boot"] == 8
    for name in names:
        assert_proved(fleet, name)


def test_a_host_that_would_be_treated_otherwise_by_now_is_left_alone(fleet: Fleet, tmp_path: Path) -> None:
    """While the canary drains, somebody rolls web02 out, and it stops to translate: it would be proved again, and not be rebooted."""
    names = fleet.names[:2]
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    slow = tmp_path / "slow.yml"
    slow.write_text(f'[{{"name": "Operator | wait", "ansible.builtin.raw": "cat {fifo}"}}]')
    first = fleet.start(NEWEST, "web01", names=names, toa_waves=[1, 1], **fleet.hooked(drain=str(slow)))
    try:
        fleet.wait_for("web01", "claim taken drained")
        confirmed = {"boot": {"state": "confirmed", "kernel": TOA, "old": STOCK}}
        fleet.be("web02", kernel=TOA, default=TOA, boot=2, installed=True, held=True, state=confirmed)
        fifo.write_text("\n")
        output, _none = first.communicate(timeout=120)
        assert first.returncode == 0, output
    finally:
        end(first)
    report = {entry["host"]: entry for entry in json.loads((fleet.reports / "rollout.json").read_text())["hosts"]}
    assert states(report) == {"web01": "proved", "web02": "pending"}, output
    assert (
        report["web02"]["code"] == "planned_anew"
        and f"kernel {TOA} runs in place of {STOCK}" in report["web02"]["message"]
    )
    host = fleet.host("web02")
    assert (host["kernel"], host["default"], host["boot"], "claim" in host["state"]) == (TOA, TOA, 2, False), host
