# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure decision for 10,000 hosts on one core: facts out of raw answers, the plan, and the whole fleet's report."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import ledger
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import facts_of
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner
from ansible_collections.realip.toa.plugins.plugin_utils.planner import policy as policy_module
from ansible_collections.realip.toa.plugins.plugin_utils.report import data as report

ROOT = Path(__file__).resolve().parents[2]
HOSTS = 10_000
GOAL = 10.0  # seconds
# What large fleets are made of, stock: a vendor's kernel to be installed, a module to be loaded, programs to be attached, nothing possible.
KINDS = (
    ("ubuntu-16.04", "4.4.0-210-generic"), ("centos-7", "3.10.0-1160.119.1.el7.x86_64"), ("alinux-3", "5.10.134-16.3.al8.x86_64"),
    ("debian-12", "6.1.0-18-amd64"), ("debian-8", "3.16.0-11-amd64"),
)  # fmt: skip


def answer(number: int) -> dict[str, object]:
    """What a host would send: every one has a name, counters and a file list of its own."""
    name, release = KINDS[number % len(KINDS)]
    text = (ROOT / "tests/unit/vectors/os-release" / name).read_text(encoding="utf-8")
    kernels = [{"release": release, "image": f"/boot/vmlinuz-{release}", "toa_modules": [], "package": None}]
    boot = {"boot_id": f"boot-{number}", "loader": "grub2", "config": "/boot/grub/grub.cfg", "default": release, "next": "", "env_writable": True,
            "one_shot": True, "reason": "", "free_kib": 1 << 20}  # fmt: skip
    return {
        "os_files": {"/etc/os-release": text},
        "uname": {"release": release, "machine": "x86_64"},
        "package_manager": "deb" if name.startswith(("ubuntu", "debian")) else "rpm",
        "init": "systemd",
        "boot": boot,
        "kernels": kernels,
        "python": {"executable": "/usr/bin/python3", "version": [3, 6, 8]},
        "modules": [],
        "counters": {f"packets_{number}": number},
        "persistence": [],
        "ebpf": {
            "possible": name == "debian-12",
            "reason": "",
            "cgroup2": "/sys/fs/cgroup",
            "attached": [],
            "foreign": [],
        },
        "state": {},
        "unread": [],
    }


def test_ten_thousand_hosts_on_one_core() -> None:
    answers = [json.dumps(answer(number)) for number in range(HOSTS)]
    policy = policy_module.policy_of({"vendor": "tencent", "accept": ["unverified_packages", "kernel_downgrade"]})
    entries, lock = catalog.load(), catalog.read_lock(None)
    clock = time.process_time
    begin = clock()
    known = [facts_of(json.loads(text)) for text in answers]
    built = clock()
    plans = [planner.decide(one, policy, entries, lock, None) for one in known]
    decided = clock()
    looked = {
        f"web{number}": {"__toa": {"plan": plan}, "ansible_facts": {"toa": known[number]}}
        for number, plan in enumerate(plans)
    }
    told = report.build(looked, "plan")
    reported = clock()
    figures = {"facts": built - begin, "decide": decided - built, "report": reported - decided}
    states = {
        state: sum(plan["state"] == state for plan in plans) for state in sorted({plan["state"] for plan in plans})
    }
    assert len(told["hosts"]) == HOSTS and states["pending"] >= HOSTS / 2, states
    print(
        f"\ndecision, {HOSTS:,} hosts ({states}): "
        + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in figures.items())
    )
    ledger.put(
        "decision", "one core", hosts=HOSTS, version=ledger.first_line(sys.executable, "-V"),
        seconds={name: round(seconds, 3) for name, seconds in figures.items()}, states=states,
    )  # fmt: skip
    assert figures["decide"] < GOAL
