# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run ended, in one sentence. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

# What a state is called in the middle of a sentence.
WORDS = {
    "proved": "proved", "converged": "in order before", "idle": "idle", "rolled_back": "rolled back", "removed": "removed", "planned": "would change",
    "pending": "would change", "waiting": "not begun", "blocked": "blocked", "unsupported": "unsupported", "failed": "failed", "lost": "unreachable",
}  # fmt: skip
BAD = ("failed", "lost", "blocked", "unsupported", "pending")


def headline(report: Mapping[str, Any]) -> str:
    """For instance "Stopped at wave 3 of 4: 2 failed, 1 unreachable; 699 not begun." """
    hosts = report["hosts"]
    if not hosts:
        return "No hosts."
    states = Counter(entry["state"] for entry in hosts)
    if report["kind"] == "plan" or report["check"]:
        return _foreseen(hosts, states)
    if report["kind"] == "verify":
        good = states["converged"] + states["proved"] + states["idle"]
        said = f"{_of(good, len(hosts))} {_verb('translate', hosts)}"
        return _with(said, states, (*BAD, "idle"))
    if states["waiting"]:
        return _stopped(report, states)
    good = len(hosts) - sum(states[state] for state in BAD)
    done = {"rollout": "translate", "rollback": "are back", "remove": "are without TOA"}[report["kind"]]
    words = [state for state in ("proved", "rolled_back", "removed", "converged") if states[state]]
    said = f"{_of(good, len(hosts))} {_verb(done, hosts)}"
    if len(words) > 1:
        said += f" ({', '.join(f'{states[state]:,} {WORDS[state]}' for state in words)})"
    return _with(said, states, BAD)


def _foreseen(hosts: Sequence[Mapping[str, Any]], states: Counter[str]) -> str:
    changing = [entry for entry in hosts if entry["state"] in ("pending", "planned")]
    if not changing:
        said = f"{_of(states['converged'] + states['idle'], len(hosts))} in order, nothing would change"
    else:
        reboots = sum(bool(entry["reboot"]) for entry in changing)
        said = f"{_of(len(changing), len(hosts))} would change, "
        said += "none of them reboots" if not reboots else f"{reboots:,} of them would reboot"
    causes = {code for entry in hosts if entry["state"] == "blocked" for code in _blocks(entry)}
    told = _with(said, states, ("failed", "lost", "blocked", "unsupported", "idle"))
    return told if len(causes) < 2 else f"{told[:-1]}, for {len(causes)} reasons."


def _blocks(entry: Mapping[str, Any]) -> list[str]:
    return [str(reason.get("code")) for reason in entry["reasons"] if reason.get("severity") == "block"]


def _stopped(report: Mapping[str, Any], states: Counter[str]) -> str:
    begun = [wave["wave"] for wave in report["waves"] if wave["began"]]
    where = (
        f"Stopped at wave {max(begun)} of {max(wave['wave'] for wave in report['waves'])}"
        if begun
        else "No wave was begun"
    )
    bad = [f"{states[state]:,} {WORDS[state]}" for state in BAD if states[state]]
    return f"{where}: {', '.join(bad) or 'no host failed'}; {states['waiting']:,} not begun."


def _with(said: str, states: Counter[str], names: Sequence[str]) -> str:
    bad = [f"{states[state]:,} {WORDS[state]}" for state in names if states[state]]
    return f"{said}; {', '.join(bad)}." if bad else f"{said}."


def _verb(words: str, hosts: Sequence[object]) -> str:
    """Of one host: "translates", "is back"."""
    if len(hosts) > 1:
        return words
    return words.replace("are ", "is ", 1) if words.startswith("are ") else f"{words}s"


def _of(number: int, total: int) -> str:
    if number == total:
        return "The host" if total == 1 else f"All {total:,} hosts"
    return f"{number:,} of {total:,} {'host' if total == 1 else 'hosts'}"
