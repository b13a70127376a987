# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a run, made before anything begins: who goes when, who does not and why, and what is to be known about it. Pure: no I/O, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.realip.toa.plugins.plugin_utils import host_text, typed
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.agreement import DEFAULTS, flag, strictest
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.kinds import kind_of
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.limits import FleetError, at_least_one, seconds
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.machines import identical, levels
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.schedule import Candidate, Schedule, schedule

Facts = Mapping[str, Any]

# What is known of the way to a host. The first three are arguments of ssh in the inventory; the last one is what files of ssh say.
FROM_FILES = "ssh_config"
ARGUMENTS = ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args", FROM_FILES)
COMMANDS = ("ansible_paramiko_proxy_command",)
NAMES = ("ansible_host", "ansible_ssh_host")


class Member(NamedTuple):
    """A host that the run has looked at."""

    plan: Facts
    facts: Facts
    lost: bool
    """Whether it could not be reached."""
    chosen: bool
    """Whether `toa_only` is true for it."""


def order(
    members: Mapping[str, Member],
    value: Callable[[str, str], Any],
    run: str = "",
    shut: Callable[[str], str] = lambda host: "",
    go_on: tuple[str, str] = ("run again", "run again with toa_pause_after_canary: false"),
    wave_tasks: bool = False,
) -> dict[str, Any]:
    """The order of a run over `members`, {host: what is known of it}, in the order of the inventory.

    `value(host, variable)` is the value of a variable for a host, None where it is not set; `shut(host)` says why its change window is not
    open, or "". Raises FleetError. What comes back:

    * `run`, `goal`: the id of the run, and what its plans are about;
    * `slots`: {host: slot}, in order, as fleet/schedule.py makes them, with `run`;
    * `left`: {host: outcome} of those that do not begin;
    * `kinds`: [{kind, hosts, canary, proved_by}]; `waves`: [{wave, hosts, parts, canaries, kinds}];
    * `domains`: [{domain, hosts, limit, out}], empty where nothing limits them; `notes`: sentences;
    * `go_on`, `go_on_approved`: what to do to go on where the run has ended, or waits for approval; "" for a plan;
    * `soak`: seconds after each wave; `looks_again`: whether its hosts are looked at again then, for which `wave_tasks` are a reason too;
    * `ask_after`: the wave after which somebody is to be asked, 0 for nobody.
    """
    pending = [host for host, member in members.items() if member.chosen and member.plan.get("state") == "pending"]
    left = _twice(members, pending)
    for host in pending:
        reason = "" if host in left or not members[host].plan.get("reboot") else shut(host)
        if reason:
            left[host] = {
                "state": "pending", "code": "outside_window", "message": reason, "remedy": "run again within the change window",
            }  # fmt: skip
    going = [host for host in pending if host not in left]
    goal = next((str(members[host].plan.get("goal") or "install") for host in pending), "install")
    agreed, notes = _agreed(going, value)
    kinds = {host: kind_of(members[host].facts, members[host].plan) for host in going}
    proved = _proved(members, set(kinds.values())) if goal == "install" else dict.fromkeys(kinds.values(), "")
    ways = _ways(members, value) if going else {}
    names = _domains(members, value) if going else {}
    out = {host for host, member in members.items() if member.lost or _drained(member.facts)}
    domains = _limits(names, going, out, value, notes)
    candidates = [Candidate(host, kinds[host], names.get(host, ""), host in out, ways.get(host, 0)) for host in going]
    plan = schedule(
        candidates, agreed["toa_waves"], agreed["toa_max_failures"], agreed["toa_max_rebooting"],
        {item["domain"]: item["limit"] - len(item["out"]) for item in domains}, proved,
    )  # fmt: skip
    by_name = {item["domain"]: item for item in domains}
    left.update({host: domain_full(by_name[names[host]]) for host in plan.held})
    soak = seconds(agreed["toa_soak"], "toa_soak") if goal == "install" else 0
    wait = seconds(agreed["toa_wait_for_traffic"], "toa_wait_for_traffic") if goal == "install" else 0
    slots = {item["host"]: {**item["turn"], "run": run} for item in plan.turns}
    jumps = [host for host in slots if ways.get(host)]
    if jumps:
        notes.append(f"others are reached through {_few(jumps)}: last, and one at a time")
    notes += [
        f"{host}: {left[host]['message']}; {left[host]['remedy']}"
        for host in left
        if left[host]["code"] == "same_machine"
    ]
    return {
        "run": run,
        "goal": goal,
        "slots": slots,
        "left": {host: {**outcome, "run": run} for host, outcome in left.items()},
        "kinds": _kinds(kinds, proved, plan),
        "waves": _waves(plan),
        "domains": domains,
        "notes": notes,
        "go_on": go_on[0],
        "go_on_approved": go_on[1],
        "soak": soak,
        "wait_for_traffic": wait,
        "looks_again": goal == "install" and (soak > 0 or wait > 0 or wave_tasks),
        "ask_after": _last_canaries(plan) if flag(agreed["toa_pause_after_canary"], "toa_pause_after_canary") else 0,
    }


def _agreed(hosts: Sequence[str], value: Callable[[str, str], Any]) -> tuple[dict[str, Any], list[str]]:
    """The run-wide variables, and a sentence for each in which the hosts differ."""
    found, notes = {}, []
    for name, default in DEFAULTS.items():
        # Each domain has its own.
        given = {} if name == "toa_max_unavailable" else {host: value(host, name) for host in hosts}
        found[name], note = strictest(
            name, {host: default if typed.is_unset(item) else item for host, item in given.items()}, len(hosts)
        )
        notes += [note] if note else []
    return found, notes


def _twice(members: Mapping[str, Member], pending: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Hosts that are a machine which is in the run under another name. The first name counts."""
    same = identical({host: member.facts for host, member in members.items()})
    return {
        host: {
            "state": "blocked", "code": "same_machine", "message": f"this is the same machine as {same[host]}",
            "remedy": "leave one of the names out of the inventory, or out of the run (--limit)",
        }
        for host in pending if host in same
    }  # fmt: skip


def _proved(members: Mapping[str, Member], wanted: set[str]) -> dict[str, str]:
    """{kind: the host that proves it} of what is translating already. The way back needs no proof: each host has run that kernel before."""
    found: dict[str, str] = {}
    for host, member in members.items():
        if member.plan.get("state") == "converged" and (kind := kind_of(member.facts, member.plan)) in wanted:
            found.setdefault(kind, host)
    return found


def _ways(members: Mapping[str, Member], value: Callable[[str, str], Any]) -> dict[str, int]:
    """{host: level} of the hosts that others of the run are reached through."""
    arguments, names = {}, {}
    for host in members:
        texts = [str(text) for name in ARGUMENTS if (text := value(host, name))]
        texts += [f"-o 'ProxyCommand={text}'" for name in COMMANDS if (text := value(host, name))]
        if texts:
            arguments[host] = texts
        names[host] = [host, *(str(text) for name in NAMES if (text := value(host, name)))]
    return levels(names, arguments) if arguments else {}


def _domains(members: Mapping[str, Member], value: Callable[[str, str], Any]) -> dict[str, str]:
    """{host: its failure domain}; without toa_domain the run is one."""
    found = {}
    for host in members:
        name = value(host, "toa_domain")
        if isinstance(name, (Mapping, list)):
            raise FleetError(
                f"toa_domain of {host} is {name!r:.80}; expected one word, such as the name of a rack or pool"
            )
        found[host] = "" if name is None else host_text.line(str(name).strip())
    return found


def _limits(
    names: Mapping[str, str],
    going: Sequence[str],
    out: set[str],
    value: Callable[[str, str], Any],
    notes: list[str],
) -> list[dict[str, Any]]:
    """[{domain, hosts, limit, out}] of those that have something to do. `notes` gets a sentence where hosts of one differ in their limit."""
    inside: dict[str, list[str]] = {}
    for host, name in names.items():
        inside.setdefault(name, []).append(host)
    given: dict[str, dict[str, Any]] = {}
    for host in going:
        limit = value(host, "toa_max_unavailable")
        # A domain is named so that not all of it is out at once.
        limit = (1 if names[host] else "") if typed.is_unset(limit) else limit
        given.setdefault(names[host], {})[host] = limit
    found = []
    for name, limits in given.items():
        size = len(inside[name])
        limit, note = strictest("toa_max_unavailable", limits, size)
        notes += [note] if note else []
        if limit != "":
            found.append({
                "domain": name, "hosts": size, "limit": at_least_one(limit, size, "toa_max_unavailable"),
                "out": [host for host in inside[name] if host in out],
            })  # fmt: skip
    return found


def domain_full(domain: Mapping[str, Any]) -> dict[str, Any]:
    """The outcome of a host whose domain can spare nobody."""
    where = f"of {domain['domain']} " if domain["domain"] else ""
    return {
        "state": "waiting", "code": "domain_full",
        "message": f"toa_max_unavailable lets {domain['limit']} {where}be out at once, and these are already: {_few(domain['out'])}",
        "remedy": "bring those back into service, and run again",
    }  # fmt: skip


def _kinds(kinds: Mapping[str, str], proved: Mapping[str, str], plan: Schedule) -> list[dict[str, Any]]:
    canaries = {item["turn"]["kind"]: item["host"] for item in plan.turns if item["turn"]["canary"]}
    return [
        {"kind": kind, "hosts": count, "canary": canaries.get(kind, ""), "proved_by": proved.get(kind, "")}
        for kind, count in Counter(kinds.values()).items()
    ]


def _waves(plan: Schedule) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    parts: dict[int, set[int]] = {}
    for item in plan.turns:
        turn = item["turn"]
        wave = found.setdefault(
            turn["wave"], {"wave": turn["wave"], "hosts": turn["size"], "parts": 0, "canaries": [], "kinds": {}}
        )
        parts.setdefault(turn["wave"], set()).add(turn["part"])
        wave["kinds"][turn["kind"]] = wave["kinds"].get(turn["kind"], 0) + 1
        if turn["canary"]:
            wave["canaries"].append(item["host"])
    return [{**wave, "parts": len(parts[number])} for number, wave in found.items()]


def _last_canaries(plan: Schedule) -> int:
    """The last of the waves of canaries that a run begins with; its first wave where they are proved already."""
    last = 1
    for item in plan.turns:
        if not item["turn"]["canary"]:
            break
        last = item["turn"]["wave"]
    return last


def _drained(facts: Facts) -> bool:
    state = facts.get("state")
    claim = state.get("claim") if isinstance(state, Mapping) else None
    return isinstance(claim, Mapping) and claim.get("drained") is True


def _few(hosts: Sequence[str]) -> str:
    return host_text.some(hosts, 10)


# ---- in words


def lines(made: Mapping[str, Any], most: int = 40) -> list[str]:
    """The order of a run as people read it, on a terminal; nothing where nobody has anything to do."""
    kinds, waves = made["kinds"], made["waves"]
    if not waves:
        return list(made["notes"])
    told = [
        f"{_count(len(kinds), 'kind')} of hosts, {_count(len(made['slots']), 'host')} in {_count(len(waves), 'wave')}"
    ]
    told += [f"kind: {item['kind']}: {_count(item['hosts'], 'host')}, {_proof(item)}" for item in kinds[:most]]
    told += [f"and {len(kinds) - most} more kinds"] if len(kinds) > most else []
    told += [_wave(wave) for wave in waves[:most]]
    told += [f"and {len(waves) - most} more waves"] if len(waves) > most else []
    limited = [item for item in made["domains"] if item["out"]]
    if made["domains"]:
        limits = sorted({item["limit"] for item in made["domains"]})
        each = str(limits[0]) if len(limits) == 1 else f"{limits[0]} to {limits[-1]}"
        what = (
            "of all hosts"
            if not any(item["domain"] for item in made["domains"])
            else f"of each of {_count(len(made['domains']), 'domain')}"
        )
        told.append(f"at most {each} {what} out at once")
    told += [f"already out of {item['domain'] or 'all hosts'}: {_few(item['out'])}" for item in limited[:most]]
    if made["soak"]:
        told.append(f"each wave soaks for {made['soak']} s before the next one")
    if made["go_on"]:
        told.append(f"wherever this run ends, this goes on: {made['go_on']}")
    return told + list(made["notes"])


def _proof(item: Mapping[str, Any]) -> str:
    if item["canary"]:
        return f"canary {item['canary']}"
    return f"proved by {item['proved_by']}" if item["proved_by"] else "no canary"


def _wave(wave: Mapping[str, Any]) -> str:
    parts = f" in {wave['parts']} parts" if wave["parts"] > 1 else ""
    if wave["canaries"]:
        return f"wave {wave['wave']}: {'canary' if wave['hosts'] == 1 else 'canaries'} {_few(wave['canaries'])}{parts}"
    return f"wave {wave['wave']}: {_count(wave['hosts'], 'host')} of {_count(len(wave['kinds']), 'kind')}{parts}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
