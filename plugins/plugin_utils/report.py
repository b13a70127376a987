# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to a fleet, as plain data: the one source of every report. Pure: no I/O, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

SCHEMA = 1

# States a host can end in, best first; the order of the summary line.
STATES = ("proved", "converged", "removed", "planned", "pending", "waiting", "blocked", "unsupported", "failed", "lost")

# What counts as a failure of the run, by what was asked for. `plan` only looks, so it fails only where it could not look.
FAILURES: dict[str, tuple[str, ...]] = {
    "plan": ("failed", "lost"),
    "rollout": ("failed", "lost", "waiting", "blocked"),
    "verify": ("pending", "blocked", "failed", "lost"),
    "remove": ("failed", "lost", "waiting"),
}


def looked(variables: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What play 1 registered for a host, or None for a host that the run was not about."""
    value = variables.get("toa_looked")
    return value if isinstance(value, Mapping) else None


def select(hostvars: Mapping[str, Any], state: str) -> dict[str, dict[str, Any]]:
    """The hosts whose plan has this state: {host: {facts, plan}}."""
    chosen = {}
    for host in sorted(hostvars):
        result = looked(hostvars[host])
        plan = (result or {}).get("plan")
        if isinstance(plan, Mapping) and plan.get("state") == state:
            chosen[host] = {"facts": _facts(hostvars[host]), "plan": plan}
    return chosen


def unproven(hosts: Iterable[str], hostvars: Mapping[str, Any]) -> list[str]:
    """The hosts of a wave that did not end well, lost ones and those without any outcome included."""
    fine = ("proved", "planned", "removed")
    return [host for host in hosts if _outcome(hostvars[host]).get("state") not in fine]


def build(hostvars: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The report: {schema, kind, hosts, summary, lines, failed, verdict}."""
    if kind not in FAILURES:
        raise ValueError(f"unknown kind of report {kind!r}; expected one of {', '.join(FAILURES)}")
    hosts = []
    for host in sorted(hostvars):
        if looked(hostvars[host]) is not None:
            hosts.append(_entry(host, hostvars[host], kind))
    summary = {state: count for state in STATES if (count := Counter(entry["state"] for entry in hosts)[state])}
    bad = [entry["host"] for entry in hosts if entry["state"] in FAILURES[kind]]
    return {
        "schema": SCHEMA,
        "kind": kind,
        "hosts": hosts,
        "summary": summary,
        "lines": [_line(entry) for entry in hosts] + [_totals(summary)],
        "failed": bool(bad),
        "verdict": f"{kind}: {len(bad)} of {len(hosts)} hosts need attention: {', '.join(bad[:20])}" if bad else "",
    }


def _facts(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    facts = (variables.get("ansible_facts") or {}).get("toa")
    return facts if isinstance(facts, Mapping) else {}


def _outcome(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    value = variables.get("toa_outcome")
    return value if isinstance(value, Mapping) else {}


def _entry(host: str, variables: Mapping[str, Any], kind: str) -> dict[str, Any]:
    result = looked(variables) or {}
    plan = result.get("plan") or {}
    facts = _facts(variables)
    outcome = _outcome(variables)
    probe = outcome.get("probe") or result.get("probe") or {}
    boot = outcome.get("boot") or {}
    return {
        "host": host,
        "state": _state(result, plan, outcome, kind),
        "backend": plan.get("backend") or "",
        "os": (facts.get("os") or {}).get("pretty_name") or "",
        "kernel": boot.get("kernel") or (facts.get("kernel") or {}).get("release") or "",
        "kernel_target": plan.get("kernel_target") or "",
        "verdict": probe.get("verdict") or "",
        "option_kinds": _plain(plan.get("option_kinds") or []),
        "reboot_seconds": boot.get("elapsed"),
        "steps": _plain(plan.get("steps") or []),
        "reasons": _plain(plan.get("reasons") or []),
        "stage": outcome.get("stage") or "",
        "code": outcome.get("code") or result.get("code") or "",
        "message": outcome.get("message") or (result.get("msg") if result.get("failed") else "") or "",
        "remedy": outcome.get("remedy") or result.get("remedy") or plan.get("remedy") or "",
        "probe": _plain(probe),
    }


def _plain(value: Any) -> Any:
    """Containers as dict and list: those of Ansible 2.19 and later are templated when they are read, and cannot be copied."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _state(result: Mapping[str, Any], plan: Mapping[str, Any], outcome: Mapping[str, Any], kind: str) -> str:
    if outcome.get("state"):
        return str(outcome["state"])
    if result.get("toa_state") == "lost":
        return "lost"
    if result.get("failed") or not plan.get("state"):
        return "failed"
    # Pending after a rollout: the wave gate closed, or a selection left the host out.
    if plan["state"] == "pending" and kind in ("rollout", "remove"):
        return "waiting"
    return str(plan["state"])


def _line(entry: Mapping[str, Any]) -> str:
    parts = [f"{entry['host']}: {entry['state']}", entry["os"], entry["kernel"], entry["backend"], entry["verdict"]]
    if entry["state"] in ("failed", "lost", "blocked", "unsupported", "pending"):
        why = entry["message"] or "; ".join(reason["message"] for reason in entry["reasons"] if reason.get("severity") != "info")
        parts.append(why)
        if entry["remedy"]:
            parts.append(f"-> {entry['remedy']}")
    return " | ".join(part for part in parts if part)


def _totals(summary: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in summary.items()) or "no hosts"
