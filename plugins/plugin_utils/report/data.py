# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to a fleet, as plain data: the one source of every report. Pure: no I/O, no clock.

`build` makes the data that page/report.schema.json describes; report/writers.py turns them into files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from ansible_collections.realip.toa.plugins.plugin_utils import host_text, redaction
from ansible_collections.realip.toa.plugins.plugin_utils.facts import distribution
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import records
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.looked_at import facts_of, left_out, of_run
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.records import Variables, looked
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.selection import matching
from ansible_collections.realip.toa.plugins.plugin_utils.report.changes import SCHEMA, changes
from ansible_collections.realip.toa.plugins.plugin_utils.report.groups import groups, own_reasons, warnings
from ansible_collections.realip.toa.plugins.plugin_utils.report.headline import headline
from ansible_collections.realip.toa.plugins.plugin_utils.report.ran import who_ran
from ansible_collections.realip.toa.plugins.plugin_utils.report.trust import trusting_all
from ansible_collections.realip.toa.plugins.plugin_utils.report.values import (
    mapping,
    moment,
    natural,
    plain,
    seconds,
    text,
    whole,
)

Entry: TypeAlias = dict[str, Any]

# States a host can end in, best first; the order of the summary line.
STATES = (
    "proved",
    "converged",
    "idle",
    "rolled_back",
    "removed",
    "planned",
    "pending",
    "waiting",
    "blocked",
    "unsupported",
    "failed",
    "lost",
)

# With what a host is in order, by what was asked for; with anything else the run fails. `plan` only looks, so it fails where it could not look. `verify` asks
# one thing, whether a host translates: one that no backend suits any more does not.
GOOD: dict[str, tuple[str, ...]] = {
    "plan": ("converged", "idle", "pending", "blocked", "unsupported"),
    "rollout": ("proved", "converged", "idle", "planned", "pending", "unsupported"),
    "verify": ("converged", "idle"),
    "rollback": ("rolled_back", "converged", "planned", "pending", "blocked", "unsupported"),
    "remove": ("removed", "converged", "planned", "pending", "blocked", "unsupported"),
}

# States that are nobody's failure and still somebody's work.
TO_DO = ("waiting", "blocked", "unsupported", "failed", "lost")

# What to say where neither plan nor outcome has a reason: (why, remedy).
WORDS: dict[str, tuple[str, str]] = {
    "waiting": (
        "its wave did not start, because an earlier one left hosts unproven",
        "put those right, and run again: what is done is left alone",
    ),
    "pending": ("TOA is not in place", "run the playbook realip.toa.rollout"),
    "failed": ("the run did not say why", "run it again for this host with -vvv"),
    "lost": ("the connection to the host was lost", "see whether it is up and reachable over SSH"),
}

# Code of a host that waits for somebody's approval: the run was to end there.
PAUSED = "awaiting_approval"


def build(
    hostvars: Mapping[str, Variables],
    kind: str,
    *,
    at: str = "",
    check: bool = False,
    only: str = "",
    before: Mapping[str, Any] | None = None,
    run: str = "",
    ran: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The report of a run, with the hosts that play 1 of `run` has looked at, or with all.

    `at` is when it was made (ISO 8601), `check` whether it was a dry run, `only` the JMESPath expression that chose the hosts (those that
    could not be looked at stay in: nobody knows what they are), `before` the last report of this kind, `ran` who ran what, on which inventory.
    Raises ValueError for a kind that is none, and SelectionError.
    """
    if kind not in GOOD:
        raise ValueError(f"unknown kind of report {kind!r}; expected one of {', '.join(GOOD)}")
    concerned = of_run(hostvars, run)
    skipped = left_out(concerned, only)
    closing = records.closing(concerned)
    hosts = [
        _entry(host, concerned[host], kind, closing, check)
        for host in sorted(concerned, key=natural)
        if host not in skipped and looked(concerned[host]) is not None
    ]
    report = {
        "schema": SCHEMA,
        "kind": kind,
        "at": at,
        "check": check,
        "only": only,
        "order": _order(concerned.values()),
        "ran": who_ran(ran or {}),
        "hosts": hosts,
        "summary": _counts(hosts),
        "waves": _waves(hosts),
        "trusting_all": trusting_all(hosts),
        "changes": changes(before, hosts, hostvars) if before else None,
    }
    return {**report, **_verdict(kind, hosts), **_told({**report, "hosts": hosts})}


def narrowed(report: Mapping[str, Any], only: str) -> dict[str, Any]:
    """A report of the hosts for which a JMESPath expression over their entries is true. Raises SelectionError.

    What an entry has kept of facts and plan is found under these names too, so that the expressions of other playbooks serve.
    """
    names = set(matching({entry["host"]: _view(entry) for entry in report["hosts"]}, only))
    hosts = [entry for entry in report["hosts"] if entry["host"] in names]
    compared = report["changes"] and {
        **report["changes"],
        "hosts": [change for change in report["changes"]["hosts"] if change["host"] in names],
    }
    narrow = {
        **report,
        "only": only,
        "hosts": hosts,
        "summary": _counts(hosts),
        "waves": _waves(hosts),
        "trusting_all": trusting_all(hosts),
        "changes": compared,
    }
    return {**narrow, **_verdict(report["kind"], hosts), **_told(narrow)}


def merged(parts: Iterable[Mapping[str, Any]], before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One report of a run that was sliced: the reports of its slices, which are of one kind and share no host.

    `before` is the last report of the whole. Raises ValueError where they are no slices of one run.
    """
    reports = sorted(parts, key=lambda part: str(part["at"]))
    for name in ("kind", "check", "only"):
        if len({repr(part[name]) for part in reports}) != 1:
            raise ValueError(
                f"the reports differ in `{name}`, so they are no slices of one run: {', '.join(str(part[name]) for part in reports)}"
            )
    hosts = sorted((entry for part in reports for entry in part["hosts"]), key=lambda entry: natural(entry["host"]))
    twice = [host for host, count in Counter(entry["host"] for entry in hosts).items() if count > 1]
    if twice:
        raise ValueError(
            f"{len(twice)} hosts are in several of the reports, so they are no slices of one run: {', '.join(twice[:5])}"
        )
    whole = {
        **reports[-1],
        "order": [line for part in reports for line in part.get("order") or []],
        "hosts": hosts,
        "summary": _counts(hosts),
        "waves": _waves(hosts),
        "trusting_all": trusting_all(hosts),
        "changes": changes(before, hosts) if before else None,
    }
    return {**whole, **_verdict(whole["kind"], hosts), **_told(whole)}


# ---- the fleet


def _view(entry: Mapping[str, Any]) -> dict[str, Any]:
    distribution, _space, version = entry["distribution"].partition(" ")
    os = {"id": distribution, "version_id": version, "pretty_name": entry["os"]}
    plan = {
        key: entry[key]
        for key in ("state", "backend", "steps", "reasons", "remedy", "kernel_target", "option_kinds", "capabilities")
    }
    return {**entry, "facts": {"os": os, "kernel": {"release": entry["kernel"], "arch": entry["arch"]}}, "plan": plan}


def _counts(hosts: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    found = Counter(entry["state"] for entry in hosts)
    return {state: found[state] for state in STATES if found[state]}


def _verdict(kind: str, hosts: list[Entry]) -> dict[str, Any]:
    paused = _is_paused(hosts)
    bad = [entry["host"] for entry in hosts if _is_bad(kind, entry, paused)]
    named = host_text.some(bad, 20)
    if not hosts and kind == "verify":
        # Whoever asks every night whether hosts translate takes silence for a yes.
        words = "verify: no host was looked at, so nothing is known to translate"
        return {"failed": True, "paused": False, "verdict": words}
    return {
        "failed": bool(bad),
        "paused": paused,
        "verdict": f"{kind}: {len(bad)} of {len(hosts)} hosts need attention: {named}" if bad else "",
    }


def _is_paused(hosts: Iterable[Mapping[str, Any]]) -> bool:
    return any(entry["code"] == PAUSED for entry in hosts)


def _is_bad(kind: str, entry: Mapping[str, Any], paused: bool) -> bool:
    """Of a run that somebody is asked about, what was begun counts: a host that is lost or blocked elsewhere keeps nobody from approving the canary."""
    return entry["state"] not in GOOD[kind] and bool(entry["began"] or not paused)


def concerned(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """The hosts because of which the run fails: [{host, why}]."""
    paused, kind, found = _is_paused(report["hosts"]), report["kind"], []
    for entry in report["hosts"]:
        if _is_bad(kind, entry, paused):
            remedy = f" -> {entry['remedy']}" if entry["remedy"] else ""
            why = f"{kind}: {entry['state']}: {entry['why'] or 'see the report'}{remedy}"
            found.append({"host": entry["host"], "why": why})
    return found


def _told(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the page and the terminal say first."""
    return {"headline": headline(report), "groups": groups(report["hosts"]), "warnings": warnings(report["hosts"])}


def _waves(hosts: list[Entry]) -> list[dict[str, Any]]:
    """One record for each wave, in order; one that has not begun has no times."""
    waves = []
    for number in sorted({entry["wave"] for entry in hosts if entry["wave"]}):
        members = [entry for entry in hosts if entry["wave"] == number]
        waves.append({
            "wave": number,
            "hosts": len(members),
            "began": min((entry["began"] for entry in members if entry["began"]), default=""),
            "ended": max((entry["ended"] for entry in members if entry["ended"]), default=""),
            "summary": _counts(members),
        })  # fmt: skip
    return waves


# ---- one host


def _order(hosts: Iterable[Variables]) -> list[str]:
    """The order that was made before anything began, in lines."""
    found: Iterable[dict[str, Any]] = filter(None, map(records.order_of, hosts))
    return [text(line) for line in next(iter(found), {}).get("lines") or []]


def _entry(host: str, variables: Variables, kind: str, closing: Mapping[str, Any], check: bool) -> Entry:
    result = looked(variables) or {}
    plan = mapping(result.get("plan"))
    facts = facts_of(variables)
    run = records.of(variables)
    turn, timing = run["slot"], run["times"]
    outcome = run["outcome"] or (closing if turn else {})
    probe = outcome.get("probe") or result.get("probe") or {}
    # A dry run has booted nothing, whatever it says of the kernel that it would boot.
    boot = {} if check else mapping(outcome.get("boot"))
    os, kernel = mapping(facts.get("os")), mapping(facts.get("kernel"))
    state = _state(result, plan, outcome, kind)
    entry = {
        "host": host,
        "state": state,
        "attention": state in TO_DO or state not in GOOD[kind] or bool(outcome.get("stuck") or outcome.get("drained")),
        "backend": plan.get("backend") or "",
        "os": distribution.describe(os) if os else "",
        "distribution": " ".join(str(part) for part in (os.get("id"), os.get("version_id")) if part),
        "kernel": boot.get("kernel") or kernel.get("release") or "",
        "arch": kernel.get("arch") or "",
        "kernel_target": plan.get("kernel_target") or "",
        "verdict": probe.get("verdict") or "",
        "option_kinds": plain(plan.get("option_kinds") or []),
        "capabilities": plain(plan.get("capabilities") or {}),
        "traffic": text(_message(plan, "traffic")),
        "trusts_all_sources": bool(plan.get("trusts_all_sources")),
        "wave": whole(turn.get("wave")),
        "began": moment(timing.get("began")),
        "ended": moment(timing.get("ended")),
        "reboot_began": moment(boot.get("began")),
        "reboot_seconds": seconds(boot.get("elapsed")),
        "stuck": bool(outcome.get("stuck")),
        "drained": bool(outcome.get("drained")),
        "reboot": bool(plan.get("reboot")),
        "steps": plain(plan.get("steps") or []),
        "reasons": plain(plan.get("reasons") or []),
        "stage": outcome.get("stage") or "",
        "code": outcome.get("code") or result.get("code") or "",
        "message": text(outcome.get("message") or (result.get("msg") if result.get("failed") else "")),
        "remedy": text(outcome.get("remedy") or result.get("remedy") or plan.get("remedy")),
        "probe": plain(probe),
    }
    entry["why"] = _why(entry)
    if entry["attention"] and not entry["remedy"]:
        entry["remedy"] = WORDS.get(state, ("", ""))[1]
    # Tasks that are not ours show URLs as they were given.
    cleaned: Entry = redaction.anything(entry)
    return cleaned


def _message(plan: Mapping[str, Any], code: str) -> str:
    """What a plan says under a code; "" where it says nothing."""
    return next((str(item.get("message") or "") for item in plan.get("reasons") or [] if item.get("code") == code), "")


def _why(entry: Mapping[str, Any]) -> str:
    """The one sentence that says why a host is not fine; empty for one that is."""
    if not entry["attention"] and entry["state"] != "pending":
        return ""
    # What keeps a host waiting lies outside of it, whatever its own plan says.
    if entry["message"] or entry["state"] == "waiting":
        return entry["message"] or WORDS["waiting"][0]
    # A host that none of the backends suits has none chosen, and each says why not.
    reasons = own_reasons(entry)
    told = [str(reason.get("message") or "") for reason in reasons if reason.get("severity") == "block"]
    told = told or [str(reason.get("message") or "") for reason in reasons if reason.get("severity") == "warning"]
    if not told and entry["state"] != "pending":
        told = [str(reason.get("message") or "") for reason in reasons]
    return "; ".join(told) or WORDS.get(entry["state"], ("", ""))[0]


def _state(result: Mapping[str, Any], plan: Mapping[str, Any], outcome: Mapping[str, Any], kind: str) -> str:
    state = outcome.get("state") or plan.get("state")
    if result.get("toa_state") == "lost" and not outcome.get("state"):
        return "lost"
    if state not in STATES or (result.get("failed") and not outcome.get("state")):
        return "failed"
    if state == "converged" and not outcome and _message(plan, "idle"):
        return "idle"
    # Pending after a rollout and without a word why: the wave gate closed.
    return "waiting" if state == "pending" and not outcome and kind in ("rollout", "rollback", "remove") else str(state)
