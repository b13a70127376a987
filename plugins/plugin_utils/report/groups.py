# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that need attention, put together by what is wrong with them, and warnings of hosts that are in order. Pure.

By code and not by sentence: the sentences of 300 hosts with one wrong key are 300, and the thing to do is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# States, the gravest first. Who waits has done nothing wrong, so he comes last.
GRAVITY = (
    "lost",
    "failed",
    "blocked",
    "unsupported",
    "pending",
    "proved",
    "idle",
    "converged",
    "rolled_back",
    "removed",
    "planned",
    "waiting",
)
# Sentences of one group that are told; the hosts are named in any case.
TOLD = 20


def groups(hosts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """[{state, code, hosts, why, remedy, more}], the gravest state and then the largest group first.

    `why` and `remedy` are those that most of its hosts have; `more` are the others, as [{why, remedy, hosts}], at most TOLD.
    """
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for entry in hosts:
        if entry["attention"]:
            found.setdefault((entry["state"], cause(entry)), []).append(entry)
    made = [_group(state, code, members) for (state, code), members in found.items()]
    return sorted(made, key=lambda group: (GRAVITY.index(group["state"]), -len(group["hosts"]), group["code"]))


def warnings(hosts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """[{code, message, remedy, hosts}] of hosts that need no attention, the most frequent first."""
    found: dict[str, dict[str, Any]] = {}
    for entry in hosts:
        if entry["attention"]:
            continue
        for reason in own_reasons(entry):
            if reason.get("severity") == "warning":
                code = str(reason.get("code") or "")
                known = found.setdefault(
                    code,
                    {
                        "code": code,
                        "message": str(reason.get("message") or ""),
                        "remedy": str(reason.get("remedy") or ""),
                        "hosts": [],
                    },
                )
                if entry["host"] not in known["hosts"][-1:]:
                    known["hosts"].append(entry["host"])
    return sorted(found.values(), key=lambda warning: (-len(warning["hosts"]), warning["code"]))


def cause(entry: Mapping[str, Any]) -> str:
    """The stable code of what is wrong with a host; that of its state where nothing else is known."""
    if entry["state"] == "waiting":
        return "waiting"
    blocks = sorted(
        {str(reason.get("code") or "") for reason in own_reasons(entry) if reason.get("severity") == "block"}
    )
    return entry["code"] or "+".join(blocks) or entry["state"]


def own_reasons(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The reasons of a plan that are about the host or its chosen backend, without those of backends that were passed over."""
    return [
        reason
        for reason in entry["reasons"]
        if reason.get("backend") in (None, "", entry["backend"]) or not entry["backend"]
    ]


def _group(state: str, code: str, members: list[Mapping[str, Any]]) -> dict[str, Any]:
    sentences: dict[tuple[str, str], list[str]] = {}
    for entry in members:
        sentences.setdefault((entry["why"], entry["remedy"]), []).append(entry["host"])
    ordered = sorted(sentences.items(), key=lambda item: -len(item[1]))
    (why, remedy), _hosts = ordered[0]
    more = [{"why": other, "remedy": what, "hosts": names} for (other, what), names in ordered[1 : 1 + TOLD]]
    return {
        "state": state,
        "code": code,
        "hosts": [entry["host"] for entry in members],
        "why": why,
        "remedy": remedy,
        "more": more,
        "sentences": len(sentences),
    }
