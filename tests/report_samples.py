# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of a made-up run have left in their variables, decided by the real planner and proved by the real probe's rules."""

from __future__ import annotations

import datetime
import functools
import json
import typing as t
from pathlib import Path

from ansible_collections.realip.toa.plugins.module_utils.testbench import cases as probe_cases
from ansible_collections.realip.toa.plugins.module_utils.testbench import questions
from ansible_collections.realip.toa.plugins.module_utils.testbench import verdict as verdict_module
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import Format
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.facts.assumed import assumed_facts
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner
from ansible_collections.realip.toa.plugins.plugin_utils.planner import policy as policy_module

OS_RELEASES = Path(__file__).parent / "unit" / "vectors" / "os-release"
START = datetime.datetime(2026, 11, 22, 1, 0, 0, tzinfo=datetime.timezone.utc)
DIGEST = "ab" * 32

# Distributions of a mixed fleet: file of the vectors, kernel, architecture.
KINDS = (
    ("ubuntu-16.04", "4.4.0-210-generic", "x86_64"),
    ("debian-8", "3.16.0-6-amd64", "x86_64"),
    ("centos-7", "3.10.0-1160.119.1.el7.x86_64", "x86_64"),
    ("alinux-3", "5.10.134-16.3.al8.x86_64", "x86_64"),
    ("debian-12", "6.1.0-18-amd64", "x86_64"),
    ("debian-13", "6.12.48+deb13-amd64", "x86_64"),
    ("sles-15.6", "6.4.0-150600.21-default", "aarch64"),
)

# Whatever a browser, a spreadsheet, an XML parser or a terminal could take for more than words.
NASTY = (
    '</script><script>document.title="owned"</script>',
    '<img src=x onerror="document.title=1">',
    '"><svg/onload=document.title=2>',
    "<!--<script>",
    "]]>&lt;b&gt; &amp; <b>bold</b>",
    '=HYPERLINK("http://192.0.2.9","x")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "{{ lookup('pipe', 'id') }}",
    "\u2028\u2029 \x00\x08 \ufffe \u202eright to left",
    "javascript:document.title=3//'\\u003c@@SCRIPT@@",
)


FAILED = {
    "state": "failed", "stage": "Prove with a crafted connection", "code": "not_translating",
    "message": "inert: module toa is loaded, and yet no connection shows its client", "remedy": "look at probe.matrix for what was sent and seen",
}  # fmt: skip
LOST = {
    "state": "lost", "stage": "Reboot into the new kernel",
    "code": "lost_after_reboot", "message": "the host did not come back within 900 s of its reboot", "remedy": "",
}  # fmt: skip
WAITING = {
    "state": "waiting", "code": "gate_closed", "message": "wave 2 of 4: 1 of 5 hosts did not end well", "remedy": "put right what failed, and run again",
}  # fmt: skip


@functools.cache
def proof(kind: str = "200/8", works: bool = True) -> dict[str, t.Any]:
    """What a host answers that reads `kind` from the packet that completes the handshake, or (works=False) nothing."""
    formats = [Format(*map(int, kind.split("/")))]
    port = 20000

    def run(cases: list[t.Any]) -> list[t.Any]:
        nonlocal port
        for case in cases:
            port += 1
            case.peer_port = port
            reads = works and case.kind == kind and case.packet == "ack"
            address = (
                case.shown(probe_cases.CLIENTS[case.format.family], probe_cases.CLIENT_PORT)
                if reads
                else case.shown(case.peer, port)
            )
            case.accept = case.getpeername = address
        return cases

    cases = questions.Questions(formats).put(run)
    verdict, reason = verdict_module.verdict(cases, formats, ["module toa is loaded"])
    return {
        "verdict": verdict, "reason": reason, "matrix": verdict_module.matrix(cases), "summary": verdict_module.summary(cases),
        "option_kinds": verdict_module.translated(cases), "wanted_kinds": [kind], "elapsed_ms": 92,
    }  # fmt: skip


def host(number: int, **policy: t.Any) -> dict[str, t.Any]:
    """Variables of a host after play 1."""
    return json.loads(_looked(number % len(KINDS), json.dumps(policy, sort_keys=True)))


@functools.cache
def _looked(number: int, policy: str) -> str:
    file, kernel, arch = KINDS[number]
    known = assumed_facts((OS_RELEASES / file).read_text(encoding="utf-8"), kernel, arch)
    plan = planner.decide(
        known,
        policy_module.policy_of({**policy_module.POLICY, "trusted_sources": ["192.0.2.0/24"], **json.loads(policy)}),
        catalog.load(),
        {},
        None,
    )
    return json.dumps({"__toa": {"plan": plan, "probe": None, "failed": False}, "ansible_facts": {"toa": known}})


def moment(seconds: float) -> str:
    return (START + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def rollout(
    count: int, failed: t.Iterable[int] = (), lost: t.Iterable[int] = (), begun_waves: int = 4
) -> dict[str, dict[str, t.Any]]:
    """A fleet after a rollout in waves of 1, 5%, 25% and the rest."""
    failed, lost = set(failed), set(lost)
    ends = [1, 1 + max(1, count // 20), 1 + max(1, count // 20) + max(1, count // 4), count]
    hostvars = {}
    for number in range(count):
        variables = host(number, accept=["unverified_packages", "kernel_downgrade"])
        plan = variables["__toa"]["plan"]
        wave = next(index for index, end in enumerate(ends, 1) if number < end)
        if plan["state"] == "pending":
            variables["__toa"]["slot"] = {"wave": wave, "of": 4, "part": wave, "size": 1, "allowed": 0}
            if wave <= begun_waves:
                began = 300 * (wave - 1) + number % 20
                variables["__toa"]["times"] = {"began": moment(began), "ended": moment(began + 120 + number % 60)}
                boot = (
                    {"elapsed": 40.0 + number % 30, "kernel": plan["kernel_target"], "began": moment(began + 50)}
                    if plan["reboot"]
                    else {}
                )
                variables["__toa"]["outcome"] = {"state": "proved", "probe": proof(), "boot": boot}
                if number in failed:
                    variables["__toa"]["outcome"] = {**FAILED, "probe": proof(works=False), "boot": boot}
                if number in lost:
                    variables["__toa"]["outcome"] = LOST
            else:
                variables["__toa"]["outcome"] = WAITING
        hostvars[f"web{number + 1:04d}"] = variables
    return hostvars


def hostile() -> dict[str, dict[str, t.Any]]:
    """Hosts that answer with everything that could be taken for more than words, wherever a host's words can come to."""
    hostvars = {}
    for number, words in enumerate(NASTY):
        variables = host(number)
        known = variables["ansible_facts"]["toa"]
        known["os"]["pretty_name"] = known["os"]["id"] = words
        known["kernel"]["release"] = known["kernel"]["arch"] = words
        plan = {
            **variables["__toa"]["plan"],
            "state": "pending",
            "backend": words,
            "steps": [words],
            "option_kinds": [words],
            "kernel_target": words,
        }
        plan["reasons"] = [{"code": words, "severity": "block", "message": words, "remedy": words, "backend": words}]
        variables["__toa"]["plan"] = plan
        row = {"case": words, "kind": words, "packet": words, "listener": words, "family": 4, "expected": words, "accept": words, "getpeername": words,
               "getsockopt_1348": words, "ok": False, "note": words}  # fmt: skip
        probe = {
            "verdict": words,
            "reason": words,
            "matrix": [row],
            "summary": {"cases": 1, "ok": 0, "failed": [words], "untestable": []},
        }
        variables["__toa"]["outcome"] = {"state": "failed", "stage": words, "code": words, "message": words, "remedy": words, "probe": probe,
                                    "boot": {"kernel": words, "elapsed": 3.0, "began": words}}  # fmt: skip
        variables["__toa"]["slot"] = {"wave": 1}
        variables["__toa"]["times"] = {"began": words, "ended": words}
        hostvars[f"bad{number}"] = variables
    hostvars['<b onmouseover="x">'] = host(0)
    return hostvars
